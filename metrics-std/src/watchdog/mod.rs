//! Stall detection: reports a worker that is stuck in one poll, while it is stuck.
//!
//! A stall is a single poll over a threshold, seen in the worker's live record, which needs no help from the worker. A worker
//! that does millions of short polls without ever parking does not stall.
//!
//! ```
//! use core::time::Duration;
//! use metrics_std::tokio::TokioAdapter;
//! use metrics_std::watchdog::watch_stalls;
//! use tokio::runtime::Builder;
//!
//! let (runtime, metrics) = TokioAdapter::builder().build(&mut Builder::new_multi_thread())?;
//! // Watches until it is dropped.
//! let _watchdog = watch_stalls(&metrics, Duration::from_millis(20), |stall| eprintln!("{stall}"))?;
//! # drop(runtime);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The stalls found are counted in the registry
//! ([`poll_stall_count`](metrics_core::RuntimeMetrics::poll_stall_count),
//! [`no_progress_stall_count`](metrics_core::RuntimeMetrics::no_progress_stall_count)), so that snapshots and exporters show them. Of several
//! watchdogs of one runtime, the first one counts.
//!
//! # What is not promised
//!
//! - A stall is reported at the first scan past the threshold, and its end at the first scan after it: a quarter of the threshold late at
//!   most, if the operating system lets the watchdog run.
//! - A poll that began while nothing was timed (poll time switched off, or not sampled) is timed from the first scan that saw it.
//! - A clock that steps back hides the time before the step that no scan saw. Such a stall says so ([`Stall::clock_stepped`]).
//! - Of polls that no wrapper sees, only [`StallKind::NoProgress`] is known, and only on a multi-thread Tokio runtime: its worker is not
//!   parked, and Tokio's own busy time for it stands still. Tokio moves that once in `event_interval` polls (61 by default), so
//!   it can be as many short polls as one long.

mod guard;
mod scanner;
mod stall;

pub use guard::{ShutdownTimeout, Watchdog, watch_stalls};
pub use metrics_core::StallKind;
pub use scanner::StallScanner;
pub use stall::{Stall, StallPhase};
