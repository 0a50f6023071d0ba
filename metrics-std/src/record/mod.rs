//! Records the polls of measured futures.
//!
//! A measured task keeps a [`target::RecordingTarget`]. Each of its polls finds the [`lease::Lease`] of the polling thread for a slot of
//! that registry, or leases one. The adapter of a runtime implements [`runtime_leases::RuntimeLeases`].

mod census;
mod enter;
mod external;
pub(crate) mod lease;
mod measured;
pub(crate) mod runtime_leases;
pub(crate) mod spawning;
pub(crate) mod target;
pub(crate) mod thread;
pub(crate) mod thread_leases;

#[allow(unused_imports, reason = "only an adapter has targets of its own")]
pub(crate) use enter::enter_with;
pub use enter::{EnterGuard, enter};
pub use measured::Measured;
