//! An executor for [smol](https://docs.rs/smol) and [async-executor](https://docs.rs/async-executor) that measures its tasks and the
//! threads that run it.
//!
//! ```
//! use metrics_std::{Builder, Clock, smol::Executor};
//!
//! let executor = Executor::new(Builder::new().name("api"), Clock::new())?;
//! let answer = futures::executor::block_on(executor.run(async {
//!     // Like `executor.spawn`, from any task and without the executor at hand.
//!     metrics_std::smol::spawn(async { 6 * 7 }).await
//! }));
//! assert_eq!(answer, 42);
//! assert_eq!(executor.metrics().completed_tasks_count(), Some(1));
//! # Ok::<(), metrics_std::BuildError>(())
//! ```
//!
//! In a service that has an `async_executor::Executor<'static>` or a `LocalExecutor`, replace its type by [`Executor`] or [`LocalExecutor`],
//! and `smol::spawn` by [`spawn`]. [`Executor::new`] takes a builder and a clock, and may return an error. The other methods have the
//! signatures of async-executor. The executor runs on `smol::block_on` as on any other function that polls a future.
//!
//! # What is measured
//!
//! - Polls, schedule latency and how tasks ended, of every task of the executor.
//! - A thread is a worker from its first poll of the future of [`run`](Executor::run) until that future is dropped or completes. The number
//!   of workers is the number of such threads, and `None` while there is none.
//! - A worker is parked while the future of [`run`](Executor::run) is pending and was not woken, and busy otherwise. What the thread does
//!   meanwhile, such as waiting for sockets, is not busy time. Its time in polls is known while the histogram of poll times measures every
//!   poll. The rest of its busy time is not divided further: the executor's search for tasks looks like running.
//! - The future that is passed to [`run`](Executor::run) is measured as the [root](crate::Measured::root).
//!
//! Not measured, so `None`: the depths of the executor's queues, steals, and the threads of the crate `blocking`. Tasks of smol's global
//! executor (`smol::spawn`) are not tasks of this one. [`Executor::tick`] and [`Executor::try_tick`] do not make their thread a worker: only
//! its polls are recorded.

mod executor;
mod local_executor;
mod pool;
mod runner;

pub use self::executor::{Executor, spawn};
pub use self::local_executor::LocalExecutor;
/// The handle of a task. Dropping it cancels the task: call `detach` to let it run.
pub use async_executor::Task;
