//! The adapter for [Tokio](https://docs.rs/tokio) 1.54 or later, both flavours, on stable Rust without any `--cfg`.
//!
//! ```
//! use metrics_std::tokio::{MeasuredRuntime, Spawner, TokioAdapter};
//! use tokio::runtime::Builder;
//!
//! let adapter = TokioAdapter::builder().name("api");
//! let MeasuredRuntime { runtime, metrics } = adapter.build(Builder::new_multi_thread().worker_threads(2))?;
//! let spawner = Spawner::new(runtime.handle(), &metrics);
//! runtime.block_on(async {
//!     let task = spawner.spawn(async { tokio::task::yield_now().await });
//!     task.await
//! })?;
//! assert_eq!(metrics.completed_tasks_count(), Some(1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is measured
//!
//! | metrics | measured for | measured by |
//! |---|---|---|
//! | polls, poll time, schedule latency, task ends, forced yields, live record | tasks spawned through a [`Spawner`] | a wrapper around the future |
//! | wait in the blocking queue | closures passed to [`Spawner::spawn_blocking`] | a wrapper around the closure |
//! | parks, alive tasks, global queue depth | the whole runtime | Tokio's own stable numbers |
//! | busy time | the whole runtime | the thread hooks on the multi-thread flavour, Tokio's own number on the other |
//!
//! Under `--cfg tokio_unstable` the task hooks measure every task, however it is spawned, and Tokio reports further metrics: steals,
//! local schedules, overflows, queue depths, the blocking pool and the I/O driver. How a task ended is recorded only for tasks spawned
//! through a [`Spawner`]. A metric that a build can't measure is `None`. Compare
//! [`covered_tasks`](metrics_core::RuntimeMetrics::covered_tasks) with
//! [`num_alive_tasks`](metrics_core::RuntimeMetrics::num_alive_tasks) to see how many of the tasks are measured.
//!
//! # What is not measured on stable Rust
//!
//! Tasks spawned by `tokio::spawn` are not measured, wherever the call is. Libraries call it too: hyper for the connection pool of its
//! client unless its executor is the [`Spawner`], and axum for an upgraded connection (see `metrics_std::axum`). Such tasks are
//! included in the number of alive tasks and in the busy time of the workers. To measure a future that a library spawns, wrap it with
//! [`Spawner::measure`].
//!
//! # What is not promised
//!
//! - Tokio has one hook slot per event, which can't be read back. The adapter occupies these slots: pass your own callbacks to the
//!   [`TokioAdapter`], not to Tokio's builder, because the adapter replaces those.
//! - Busy time on the multi-thread flavour is the time during which a worker is not parked, up to the moment of the read. It includes
//!   the search for work before a park, the driver's work between tasks, and the time for which a woken thread waits for a processor.
//!   If `block_in_place` often hands workers over, it is 6 to 24 % above the time spent computing. No hook reports that a worker
//!   ends: a runtime that is shut down in the background counts as busy until its last thread ends, including those of the blocking pool.
//! - Busy time on the current-thread flavour is Tokio's own. It does not advance during a poll. Tokio measures it with the operating
//!   system's clock, so it is `None` with a [custom clock](crate::Clock::custom).
//! - A current-thread runtime that no thread drives looks like one between two polls.
//! - A poll that calls `block_in_place` is recorded in the slot of the thread that began it. All of it counts as poll time of that
//!   thread's worker, which another thread runs meanwhile, so the poll time of a worker can exceed its busy time.
//! - A poll counts as a forced yield if it returns `Pending` with its budget spent. This includes a task that spends its last unit and
//!   then waits for something outside Tokio's budget.

mod adapter;
mod busy_clock;
mod callbacks;
#[cfg(feature = "hyper")]
mod hyper;
mod installed;
mod leases;
mod numbers;
mod probe;
mod sentinel;
mod spawner;
#[cfg(tokio_unstable)]
mod task_hooks;
mod thread_hooks;

pub use self::adapter::{MeasuredRuntime, TokioAdapter};
pub use self::spawner::Spawner;
