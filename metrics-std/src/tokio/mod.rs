//! The adapter for [Tokio](https://docs.rs/tokio) 1.54 or later, both flavours, on stable Rust without any `--cfg`.
//!
//! ```
//! use metrics_std::tokio::{Spawner, TokioAdapter};
//! use tokio::runtime::Builder;
//!
//! let adapter = TokioAdapter::builder().name("api");
//! let (runtime, metrics) = adapter.build(Builder::new_multi_thread().worker_threads(2))?;
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
//! | numbers | of what | how |
//! |---|---|---|
//! | polls, poll time, schedule latency, task ends, forced yields, live record | tasks spawned through a [`Spawner`] | a wrapper around the future |
//! | wait in the blocking queue | closures given to [`Spawner::spawn_blocking`] | a wrapper around the closure |
//! | parks, alive tasks, global queue depth | the whole runtime | Tokio's own stable numbers |
//! | busy time | the whole runtime | the thread hooks on the multi-thread flavour, Tokio's own on the other |
//!
//! Under `--cfg tokio_unstable` the task hooks show every task, whoever spawned it, and Tokio's unstable numbers (steals, local
//! schedules, overflows, queue depths, the blocking pool, the I/O driver) are added. How a task ended stays known only of those
//! that were spawned through a [`Spawner`]. What a build can't measure is `None`.
//! [`covered_tasks`](metrics_core::RuntimeMetrics::covered_tasks) beside
//! [`num_alive_tasks`](metrics_core::RuntimeMetrics::num_alive_tasks) says how much is seen.
//!
//! # What is not promised
//!
//! - Tokio's hook slots are exclusive and can't be read back. The adapter takes them: callbacks of your own go to the
//!   [`TokioAdapter`], not to Tokio's builder, where they would be replaced.
//! - Busy time on the multi-thread flavour is the time between an unpark and the next park. It includes the short search
//!   for work before a park, and the zero-timeout turns of the driver between tasks.
//! - A current-thread runtime that nobody drives looks like one between two polls.
//! - A poll that calls `block_in_place` goes on in the slot of the thread that began it, all of it counted as poll time
//!   and as busy time of its worker, which another thread runs meanwhile: its busy time can then exceed the time that passed.
//! - A forced yield is seen as "returned `Pending` with its budget spent", which a task that spends its last unit and then
//!   waits for something outside Tokio's budget also shows.

mod adapter;
mod callbacks;
#[cfg(feature = "hyper")]
mod hyper;
mod leases;
mod probe;
mod spawner;
#[cfg(tokio_unstable)]
mod task_hooks;
mod thread_hooks;

pub use self::adapter::TokioAdapter;
pub(crate) use self::probe::TokioProbe;
pub use self::spawner::Spawner;
