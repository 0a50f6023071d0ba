//! Recording: where the polls of measured futures go, and the wrapper that measures them.
//!
//! A measured task keeps a [`target::RecordingTarget`]. Each of its polls finds the [`lease::Lease`] that the polling thread has of a
//! slot of that registry, or leases one. A runtime that knows its own threads plugs in through [`runtime_leases::RuntimeLeases`].

mod enter;
mod external;
pub(crate) mod lease;
mod measured;
pub(crate) mod runtime_leases;
pub(crate) mod spawning;
pub(crate) mod target;
pub(crate) mod thread;
pub(crate) mod thread_leases;

pub use enter::{EnterGuard, enter};
pub use measured::Measured;
