//! Async runtime metrics for browsers and other JavaScript hosts.
//!
//! The vocabulary, the hot path and the snapshot are those of [`metrics_core`]; this crate adds what a host of WebAssembly has:
//! a [clock](PerformanceClock), a [wrapper](Measured) for futures, hooks for executors, a [watch](EventLoop) over the
//! event loop, and, with the feature `js`, the API for JavaScript. Nothing here needs a `window`: it works in workers, in worklets and in Node, as far as each goes.
//!
//! # Measuring tasks
//!
//! [`spawn_local`] instead of that of `wasm_bindgen_futures`, or [`Monitor::measure`] around a future that another executor
//! gets. [`Monitor::snapshot`] reads the numbers.
//!
//! # Writing an executor
//!
//! Make a [`Registry`] with [`metrics_core::Builder::build`] and a [`PerformanceClock`], lease a [`Worker`] and call its hooks.
//!
//! # What is not promised
//!
//! - Times are as good as the host's clock, which browsers make coarse on purpose: see [`PerformanceClock`].
//! - The numbers of a wrapper begin where its tasks are polled. What else keeps the thread busy shows in the event loop's own.
//! - Where a panic aborts, as on `wasm32-unknown-unknown` by default, a task that panics never ends.

mod bounds;
mod clock;
mod event_loop;
mod host;
#[cfg(feature = "js")]
pub mod js;
mod measured;
mod monitor;
#[cfg(feature = "js")]
mod prometheus;
mod recorder;
mod site;
mod turn;
mod waker;

use metrics_core::Heap;
use std::sync::Arc;

pub use bounds::no_finer_than;
pub use clock::{NoPerformance, PerformanceClock};
pub use event_loop::{
    DEFAULT_PERIOD, EventLoop, EventLoopSnapshot, Histogram, Stall, StallListener, StallSource, WatchError,
};
pub use measured::Measured;
pub use metrics_core;
pub use monitor::{BuildError, Builder, Monitor, MonitorProbe, spawn_local};
pub use site::location;

/// A registry on the host's clock.
pub type Registry = metrics_core::Registry<Heap, PerformanceClock>;
/// A worker on the host's clock.
pub type Worker = metrics_core::Worker<Arc<Registry>>;
/// A reader; `P` is what the runtime is asked through.
pub type RuntimeMetrics<P = metrics_core::NoProbe> = metrics_core::RuntimeMetrics<Arc<Registry>, P>;
/// A snapshot.
pub type Snapshot = metrics_core::Snapshot<Heap>;
