//! metrics-std's API.

mod clock;
mod current;
mod host;
mod measured;
mod runtime;
mod runtimes;
pub mod site;
pub mod watchdog;

#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "hyper")]
pub mod hyper;
#[cfg(feature = "prometheus")]
pub mod prometheus;
#[cfg(feature = "tokio")]
pub mod tokio;

pub use crate::base::*;
pub use clock::{Clock, InstantClock, TscClock};
pub use current::{Entered, enter};
pub use host::Host;
pub use measured::Measured;
pub use runtime::{BuildError, Registry, RuntimeMetrics, Snapshot, Worker, build, build_wrapped};
pub use runtimes::{NameTaken, Runtimes};
