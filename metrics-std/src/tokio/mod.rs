//! The adapter for [Tokio](https://docs.rs/tokio) 1.54 or later, both flavours, on stable Rust without any `--cfg`.
//!
//! ```
//! use metrics_std::tokio::{MeasuredRuntime, TokioAdapter};
//! use tokio::runtime::Builder;
//!
//! let adapter = TokioAdapter::builder().name("api");
//! let MeasuredRuntime { runtime, metrics, spawner } = adapter.build(Builder::new_multi_thread().worker_threads(2))?;
//! runtime.block_on(async {
//!     let task = spawner.spawn(async { tokio::task::yield_now().await });
//!     task.await
//! })?;
//! assert_eq!(metrics.completed_tasks_count(), Some(1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A service that keeps `#[tokio::main]` calls [`attach_current`] in place of [`TokioAdapter::build`].
//!
//! # What is measured
//!
//! This table lists the source of each metric. "Wrappers" measure the tasks that are spawned through this crate; "hooks" and "Tokio"
//! measure the whole runtime.
//!
//! | metrics | [`build`](TokioAdapter::build) | [`attach`](attach()) | added by `--cfg tokio_unstable` |
//! |---|---|---|---|
//! | polls, poll time, schedule latency, forced yields, live record | wrappers | wrappers | under `build`: hooks, for every task |
//! | spawned tasks, how tasks ended | wrappers | wrappers | |
//! | covered tasks | wrappers | wrappers | under `build`: all alive tasks |
//! | root polls, the root future in the live record and in stalls | [`MeasuredRuntime::block_on`], [`Measured::root`](crate::Measured::root) | the same | |
//! | wait in the blocking queue | wrappers | wrappers | |
//! | loop lag, wake latency | [`watch_loop_lag`], [`watch_wake_latency`] | the same | |
//! | alive tasks, global queue depth, number of workers | Tokio | Tokio | |
//! | park counts, parked workers | Tokio | Tokio | |
//! | parked state of a worker | hooks | Tokio | |
//! | busy time, multi-thread | hooks | Tokio | |
//! | busy time, current-thread | Tokio | Tokio | |
//! | busy time in progress, multi-thread | hooks | `None` | |
//! | stalls in a measured poll | wrappers | wrappers | under `build`: hooks, for every task |
//! | stalls without progress, multi-thread | Tokio | Tokio | |
//! | stalls without a turn of the driver | wrappers, while [`watch_loop_lag`] runs | the same | |
//! | steals, local schedules, overflows, local queue depth, remote schedules, blocking threads and queue depth, I/O driver | `None` | `None` | Tokio |
//! | `overflow_tasks` | `None` | `None` | |
//! | on-CPU and runnable-wait time of a worker | Linux | Linux, once the worker has polled a measured task | |
//! | CPU throttling of the cgroup | Linux | Linux | |
//!
//! On targets without 64-bit atomics, Tokio counts no parks and no busy time: under `build` the hooks count them on the multi-thread
//! flavour, and under `attach` they are `None`. A metric that a build can't measure is `None`, and the flag only turns `None` into a
//! value. Compare [`covered_tasks`](metrics_core::RuntimeMetrics::covered_tasks) with
//! [`num_alive_tasks`](metrics_core::RuntimeMetrics::num_alive_tasks) to see how many of the tasks are measured.
//!
//! # What is not measured on stable Rust
//!
//! Tasks spawned by `tokio::spawn` are not measured, wherever the call is. Libraries call it too: hyper for the connection pool of its
//! client unless its executor is the [`Spawner`], and axum for an upgraded connection (see `metrics_std::axum`). Such tasks are
//! included in the number of alive tasks and in the busy time of the workers. To measure a future that a library spawns, wrap it with
//! [`Spawner::measure`].
//!
//! # Lag probes
//!
//! [`watch_loop_lag`] and [`watch_wake_latency`] measure delays whatever causes them, even on a runtime whose tasks are not measured. They
//! are off unless called. Run the first alone to see what users feel: the wakes of the second make an idle worker look for expired timers,
//! which hides a worker that blocks while it should fire them.
//!
//! Their tasks are not counted as tasks and polls, but they wake workers. On an idle runtime of two workers, 10 samples per second caused
//! 26 parks and 0.7 ms of busy time per second with the first, and 18 parks and 0.8 ms with the second (unoptimised build, on two cores that
//! other programs used too). Under Tokio's paused clock, the lag of timers is that of this clock. A current-thread runtime is late
//! while no thread drives it.
//!
//! # What is not promised
//!
//! - Tokio has one hook slot per event, which can't be read back. The adapter occupies these slots: pass your own callbacks to the
//!   [`TokioAdapter`], not to Tokio's builder, because the adapter replaces those.
//! - Busy time on the multi-thread flavour is the time during which a worker is not parked, up to the moment of the read. It includes
//!   the search for work before a park, the driver's work between tasks, and the time for which a woken thread waits for a processor.
//!   If `block_in_place` often hands workers over, it is 6 to 24 % above the time spent computing. No hook reports that a worker
//!   ends: a runtime that is shut down in the background counts as busy until its last thread ends, including those of the blocking pool.
//! - Busy time on the current-thread flavour and of an attached runtime is Tokio's own. It does not advance during a poll, and it lacks
//!   the time that a poll takes before it calls `block_in_place`. Tokio measures it with the operating system's clock, so it is `None`
//!   with a [custom clock](crate::Clock::custom).
//! - Under `attach`, parks and busy time count from the start of the runtime, and elapsed time from the call. So `Snapshot::since_start`
//!   overstates the utilization of a runtime that was attached late. An interval between two snapshots is not affected.
//! - The times in each state (`parked_duration_total` and so on) are `None`: busy time includes the search for work, and neither Tokio nor
//!   the adapter measures how the rest of a worker's lifetime is divided.
//! - Under `--cfg tokio_unstable`, Tokio measures schedule latency itself, with the operating system's clock. For a runtime that the
//!   adapter builds with a [custom clock](crate::Clock::custom), it is `None`.
//! - The on-CPU and runnable-wait times are those of the worker's threads, as the file `schedstat` of each thread has them. A snapshot
//!   reads one file per worker if the last reading is older than 4 ms, which takes some tens of microseconds each; a poll reads none. The
//!   kernel advances the on-CPU time of a running thread in steps of up to 4 ms. If only one thread has run a worker, its times count from
//!   the start of the thread: those of the thread that drives a current-thread runtime include everything that it did before, and what
//!   it does between two calls of `block_on`. The times of any other thread (`block_in_place` hands a worker over) count from the first
//!   snapshot that finds it. After the runtime has ended, the last values that were read stay. Under `attach`, the thread is the one that
//!   last polled a measured task of the worker, whatever it has done since. A metric is `None` in the total until it is known for every
//!   worker.
//! - CPU throttling is that of the process's own cgroup, of either version. It is `None` if the cgroup has no CPU controller, and the
//!   throttling by the quota of a parent cgroup is not part of it.
//! - A current-thread runtime that no thread drives looks like one between two polls.
//! - Attaching to a `LocalRuntime` counts each alive task of [`Spawner::spawn_local`] twice: no function of Tokio distinguishes such a
//!   runtime from others. Build it with [`TokioAdapter::build_local`].
//! - A poll that calls `block_in_place` is recorded in the slot of the thread that began it. All of it counts as poll time of that
//!   thread's worker, which another thread runs meanwhile, so the poll time of a worker can exceed its busy time.
//! - A poll counts as a forced yield if it returns `Pending` with its budget spent. This includes a task that spends its last unit and
//!   then waits for something outside Tokio's budget.

mod adapter;
mod add_runtime;
mod attach;
mod attach_error;
mod busy_clock;
mod by_id;
mod callbacks;
#[cfg(feature = "hyper")]
mod hyper;
mod installed;
mod join_set;
mod lag;
mod lag_signal;
mod lag_timer;
mod leases;
mod measured_runtime;
mod numbers;
mod own_tasks;
mod probe;
mod sentinel;
mod spawn;
mod spawner;
#[cfg(tokio_unstable)]
mod task_hooks;
mod thread_hooks;
mod worker_threads;

pub use self::adapter::TokioAdapter;
pub use self::attach::{attach, attach_current};
pub use self::attach_error::AttachError;
pub use self::join_set::JoinSet;
pub use self::lag::{DEFAULT_LAG_PERIOD, LagProbe, watch_loop_lag, watch_wake_latency};
pub use self::measured_runtime::MeasuredRuntime;
pub use self::spawn::{spawn, spawn_blocking, spawn_local};
pub use self::spawner::Spawner;
