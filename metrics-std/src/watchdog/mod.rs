//! Detects stalls: reports a worker that is stuck in one poll, while it is stuck.
//!
//! ```
//! use core::time::Duration;
//! use metrics_std::tokio::{MeasuredRuntime, TokioAdapter};
//! use metrics_std::watchdog::watch_stalls;
//! use tokio::runtime::Builder;
//!
//! let MeasuredRuntime { runtime, metrics, .. } = TokioAdapter::builder().build(&mut Builder::new_multi_thread())?;
//! // Watches until it is dropped.
//! let _watchdog = watch_stalls(&metrics, Duration::from_millis(20), |stall| eprintln!("{stall}"))?;
//! # drop(runtime);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A stall of the kind [`StallKind::Poll`] is a single poll that lasts at least a threshold. The watchdog finds it in the worker's live
//! record and needs no cooperation of the worker. A worker that executes millions of short polls without parking is in no such stall.
//!
//! The registry counts the stalls of each kind
//! ([`poll_stall_count`](metrics_core::RuntimeMetrics::poll_stall_count),
//! [`no_progress_stall_count`](metrics_core::RuntimeMetrics::no_progress_stall_count),
//! [`queue_stall_count`](metrics_core::RuntimeMetrics::queue_stall_count)) and, once they are over, records their durations
//! ([`poll_stall_duration`](metrics_core::Snapshot::poll_stall_duration),
//! [`no_progress_stall_duration`](metrics_core::Snapshot::no_progress_stall_duration),
//! [`queue_stall_duration`](metrics_core::Snapshot::queue_stall_duration)), so snapshots and exporters include them. If a runtime has
//! several watchdogs, only the first one counts.
//!
//! A worker that executes many short polls may keep timers and I/O events waiting, because it turns the runtime's driver only now and then.
//! Tokio does not report these turns. With a probe of the lag ([`watch_loop_lag`](crate::tokio::watch_loop_lag)), the watchdog sees whether
//! a timer is overdue: if it is, for the threshold, while workers end polls, that is a stall of the kind [`StallKind::Queue`]. A saturated
//! worker that turns the driver in time does not stall, however long its queue is.
//!
//! # What is not promised
//!
//! - A stall is reported at the first scan past the threshold, and its end at the first scan after it. If the operating system lets the
//!   watchdog run, both are at most one scan period late.
//! - If poll time is switched off or the poll is not sampled, the duration is measured from the first scan that sees the poll.
//! - A probe that panics in a scan is not called again: stalls without progress are then not found, and names are missing from reports. A
//!   clock that panics ends the watch.
//! - If the clock steps back, the time between the last scan and the step is lost. [`Stall::clock_stepped`] is then `true`.
//! - A poll that has called `block_in_place` does not block its worker. It is not reported once Tokio reports that the worker is parked
//!   or makes progress, or another thread of the worker is in a measured poll.
//! - Polls that no wrapper measures are reported only as [`StallKind::NoProgress`], and only on a multi-thread Tokio runtime: the worker
//!   is not parked, and its busy time as reported by Tokio does not advance. Tokio updates that once per `event_interval` polls (61 by
//!   default), so such a stall may be many short polls instead of one long poll.

#[cfg(feature = "tracing")]
mod events;
mod guard;
mod longest_location;
mod scanner;
mod stall;
mod turns;
mod victims;

#[cfg(feature = "tracing")]
pub use events::StallEvents;
pub use guard::{Watchdog, log_stalls, watch_stalls};
pub use metrics_core::StallKind;
pub use scanner::StallScanner;
pub use stall::{Stall, StallPhase, StallVictim};
