//! Runtime metrics for async code in browsers, workers, worklets and Node.
//!
//! This crate adds to [`metrics_core`] what a JavaScript host provides: a [clock](PerformanceClock), a [wrapper](Measured) for
//! futures, a [watch](EventLoop) over the event loop and, with the feature `js`, an API for JavaScript. It needs no `window`. A
//! host that lacks a clock, timers or microtasks gets the metrics that don't need them; the others are `None`.
//!
//! # Measure tasks
//!
//! Call [`spawn_local`] instead of the function of the same name in `wasm_bindgen_futures`. For another executor, wrap each future in
//! [`Monitor::measure`]. [`Monitor::snapshot`] reads the metrics.
//!
//! # Write an executor
//!
//! [`build`] returns a reader and a [`Worker`], whose hooks the executor calls. `examples/executor` in this crate's sources calls each
//! hook once.
//!
//! # Limits
//!
//! - Durations are as precise as the host's clock, which browsers make coarse on purpose: see [`PerformanceClock`].
//! - Schedule latency is the time from the wake of a Rust task to its poll. If another poll delays a timer or an event, the task is woken
//!   late, and that delay is loop lag of the [`EventLoop`].
//! - A monitor measures only the futures that it wraps. Other work on the thread shows as loop lag and busy time of the [`EventLoop`].
//! - A panic that aborts, as it does on `wasm32-unknown-unknown` by default, is a trap: nothing on the stack is dropped. The poll then ends
//!   at the end of the turn, and its task counts as panicked. On a host without `queueMicrotask`, this end is not detected.
//!
//! # Features
//!
//! - `record` (default): the hooks record. Without it the same functions do nothing: see [`RECORDING`]. Only a binary should name it.
//! - `js`: the class `RuntimeMetrics` for JavaScript, with TypeScript types. The module that links this crate exports it.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod build;
mod clock;
pub mod event_loop;
mod host;
#[cfg(feature = "js")]
pub mod js;
mod lifecycle;
pub mod location;
mod long_polls;
mod measured;
mod monitor;
mod open_polls;
mod probe;
#[cfg(feature = "js")]
mod prometheus;
mod recorder;
mod resolution;
mod runtime;
mod turn;
mod waker;

pub use build::{BuildError, build};
pub use clock::{ClockUnavailable, PerformanceClock};
pub use event_loop::EventLoop;
pub use measured::Measured;
pub use metrics_core;
pub use metrics_core::{HistogramConfig, RECORDING, Sampling};
pub use monitor::{AlreadyInstalled, Monitor, MonitorBuilder, spawn_local};
pub use probe::MonitorProbe;
pub use resolution::no_finer_than;
pub use runtime::{Registry, RuntimeMetrics, Snapshot, Worker};

/// The README's programs compile.
#[cfg(doctest)]
mod readme {
    #[doc = include_str!("../README.md")]
    struct Crate;
}
