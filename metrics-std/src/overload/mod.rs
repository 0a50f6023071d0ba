//! Detects overload, so that a service can reject requests instead of letting all of them wait.
//!
//! ```
//! use core::time::Duration;
//! use metrics_std::overload::watch_overload;
//! use metrics_std::tokio::TokioAdapter;
//! use tokio::runtime::Builder;
//!
//! let measured = TokioAdapter::builder().build(&mut Builder::new_multi_thread())?;
//! // Watches until it is dropped.
//! let watch = watch_overload(&measured.metrics, Duration::from_millis(5), Duration::from_millis(100))?;
//! let signal = watch.signal();
//! if signal.is_shedding() {
//!     println!("reject this request");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A queue that empties from time to time only absorbs bursts. A queue that never empties delays every request and serves no more of them.
//! `CoDel`, a rule for the queues of routers, tells the two apart: it compares not the longest but the *shortest* delay with a target. This
//! module applies the rule to the queues of a runtime. [`OverloadRule`] is the rule, [`OverloadScanner`] applies it to a runtime when it is
//! called, and [`watch_overload`] calls that from a thread. The gauge `overload` shows the result in every exporter.
//!
//! # The delay
//!
//! The delay is the greater of two:
//! - **Schedule latency** since the last scan, over all workers: the value that a tenth of the polls stayed below. It is not the minimum,
//!   because a task that Tokio keeps in a worker's LIFO slot overtakes the queue even under overload.
//! - **Loop lag** since the last scan, if a [probe](crate::tokio#lag-probes) runs. It sees the delay of tasks that are not measured. Where
//!   most are not, such as under the stock `axum::serve`, run the probe with a period of the target.
//!
//! # Under twice the load
//!
//! The example `load_shedding` sends an axum service with one worker a request per millisecond for 12 s, at fixed times. Each takes 2 ms of
//! its worker. The target is 10 ms and the interval 100 ms. The latency of the requests of the last 10 s counts from the time at which each
//! was due:
//!
//! | | served | p50 of these | p99 of these | rejected |
//! |---|---|---|---|---|
//! | without a layer | all, late | 9.1 s | 12.6 s, and growing | none |
//! | with `ShedLayer` | 441 of 1,000 per second | 14.3 ms | 30.3 ms | 559 of 1,000 per second, p99 29.1 ms |
//!
//! This was measured on two cores that did nothing else. The worker could serve at most 500 requests per second.
//!
//! # What is not promised
//!
//! - The rule accepts or rejects all requests until the next scan, so a part of the capacity stays unused under overload.
//! - The rule needs an interval to detect overload. Requests that arrive meanwhile wait.
//! - If handlers spawn their work and await it, far more than a tenth of the polls may overtake the queue in a worker's LIFO slot. The
//!   overload is then not seen in the schedule latency. Let the handler itself do the work, or reject requests by their number.
//! - Only the delay of the runtime's own queues is seen: a request that waits for a lock, a database or another service is not.

#[cfg(feature = "tracing")]
mod events;
mod rule;
mod scanner;
#[cfg(feature = "tower")]
mod shed;
mod watch;

pub use metrics_core::LoadState;
pub use rule::OverloadRule;
pub use scanner::OverloadScanner;
#[cfg(feature = "tower")]
pub use shed::{Shed, ShedFuture, ShedLayer};
pub use watch::{OverloadSignal, OverloadWatch, watch_overload};
