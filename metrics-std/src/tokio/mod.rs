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
//! | busy time | the whole runtime | the thread hooks on the multi-thread flavour, Tokio's own number on the other |
//!
//! Under `--cfg tokio_unstable` the task hooks show every task, whoever spawned it, and Tokio's unstable numbers (steals, local
//! schedules, overflows, queue depths, the blocking pool, the I/O driver) are added. How a task ended stays known only of those
//! that were spawned through a [`Spawner`]. What a build can't measure is `None`.
//! [`covered_tasks`](metrics_core::RuntimeMetrics::covered_tasks) beside
//! [`num_alive_tasks`](metrics_core::RuntimeMetrics::num_alive_tasks) says how much is seen.
//!
//! # What is not measured on stable Rust
//!
//! Tasks that are spawned by `tokio::spawn`, whoever calls it: a library, such as hyper for the tasks that its client's connection pool
//! needs unless it is given the [`Spawner`] as its executor, axum for an upgraded connection (see `metrics_std::axum`), or a
//! dependency that knows nothing of this crate. They count among the alive tasks, and the busy time of the workers contains theirs.
//! A future that one hands to such a library can be measured: [`Spawner::measure`].
//!
//! # What is not promised
//!
//! - Tokio's hook slots are exclusive and can't be read back. The adapter takes them: callbacks of your own go to the
//!   [`TokioAdapter`], not to Tokio's builder, where they would be replaced.
//! - Busy time on the multi-thread flavour is the time during which a worker is not parked, whichever threads run it, up to the
//!   moment of the read. It includes the search for work before a park, the turns of the driver between tasks, and the time for which
//!   the operating system lets a thread that has been woken wait for a processor: 6 to 24 % above the time spent computing where
//!   `block_in_place` often hands workers over. No hook reports that a worker ends: a runtime that is shut down in the background stays
//!   busy until its last thread has ended, and that may be one of the blocking pool.
//! - Busy time on the current-thread flavour is Tokio's own. It stands still during a poll, and Tokio measures it by the clock of the
//!   operating system: with a [custom clock](crate::Clock::custom) it reads `None`.
//! - A current-thread runtime that nobody drives looks like one between two polls.
//! - A poll that calls `block_in_place` goes on in the slot of the thread that began it, and all of it counts as poll time of that
//!   worker, which another thread runs meanwhile: the poll time of a worker can exceed its busy time.
//! - A forced yield is seen as "returned `Pending` with its budget spent", which a task that spends its last unit and then
//!   waits for something outside Tokio's budget also shows.

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

pub use self::adapter::TokioAdapter;
pub use self::spawner::Spawner;
