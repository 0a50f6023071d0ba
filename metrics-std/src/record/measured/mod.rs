//! [`Measured`]: a future whose polls are counted and timed, on any executor.

mod task;
mod waker;

use core::fmt;
use core::future::Future;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;

use metrics_core::{IfRecording, LocationId, RECORDING};
use pin_project_lite::pin_project;

use self::task::Task;
use super::runtime_leases::PolledBy;
use super::target::RecordingTarget;
use super::thread_leases;
use crate::{RuntimeMetrics, location};

pin_project! {
    /// Measures a future on any executor: counts its polls and times each poll and the wait before it.
    ///
    /// ```
    /// use metrics_std::{Builder, Clock, HistogramConfig, Measured, MetricSet, NoProbe};
    ///
    /// let builder = Builder::new().measures(MetricSet::ALL).name("pool").poll_time(HistogramConfig::DEFAULT);
    /// let metrics = metrics_std::build(builder, Clock::new(), NoProbe)?.metrics;
    /// let executor = async_executor::Executor::new();
    /// let task = executor.spawn(Measured::task(&metrics, async { 6 * 7 }));
    /// assert_eq!(futures::executor::block_on(executor.run(task)), 42);
    /// assert_eq!(metrics.poll_count(), Ok(Some(1)));
    /// assert_eq!(metrics.completed_tasks_count(), Some(1));
    /// # Ok::<(), metrics_std::BuildError>(())
    /// ```
    ///
    /// # Where a poll is recorded
    ///
    /// If the thread has a current worker of the same registry (set by [`enter`](crate::enter), or a Tokio worker with the adapter), the
    /// poll is recorded there. Otherwise the thread leases a slot and keeps it until it ends. A thread that can't lease a slot, because
    /// it is ending or no slot is left, records in the shared row of external threads, under a lock.
    ///
    /// # What counts
    ///
    /// - A [`task`](Self::task) counts as spawned when it is wrapped, and as ended once: completed when it returns `Ready`, panicked
    ///   when a poll or the drop of its future panics, and cancelled when it is dropped otherwise. Wrap a future once: a wrapper inside
    ///   a wrapped task is another task, whose polls are counted as nested polls and not timed.
    /// - A [`root`](Self::root) counts only its polls, as root polls, and shows them in the live record. Until the first one is wrapped,
    ///   the number of root polls is `None`.
    /// - Schedule latency is the time from the first wake since the last poll began to the next poll. A poll without a wake has none, such
    ///   as a poll by a `select!` that polls all its branches.
    ///
    /// # Tasks that nobody can wake
    ///
    /// With a census ([`Builder::census`](crate::Builder::census)), snapshots count the tasks that wait although nobody holds a waker of
    /// them, such as a task that waits for a channel whose other end was dropped without a wake. Such a task can still be aborted.
    /// A task is counted from one second after its last poll. Without a clock there is no census.
    ///
    /// The census does not find a task that holds its own waker, for example inside the other end of the channel, or a task whose waker
    /// was leaked. A wrapper inside a wrapped task, or one that was ever polled without a wake, is never counted, because whatever polls
    /// it may do so again. A wake that overlaps with the start of a poll can look like a poll without a wake. While two readers take a
    /// snapshot at the same time, each may miss a task that the other is looking at.
    ///
    /// With a census, each spawn and each end takes one short lock, and the first poll stores the executor's waker. Each poll and each
    /// wake costs a few stores, and no clock reading.
    ///
    /// # Cost
    ///
    /// Each poll takes two clock readings, because a wrapper does not know what happens between two polls, and one thread-local access.
    /// It takes no lock and does not allocate, except that the first poll of a task allocates its waker, as does each poll with another
    /// waker of the executor. With a census, the first waker is allocated at the spawn, and each later one takes a lock. Each wake takes
    /// one clock reading.
    ///
    /// # What is not promised
    ///
    /// The future stores a clone of its executor's waker. An executor that frees a task only when its last waker is dropped, and never
    /// drops the future itself, therefore leaks the task.
    #[must_use = "futures do nothing unless they are polled"]
    pub struct Measured<F> {
        #[pin]
        future: F,
        // Dropped after the future, so that the end is counted after all parts of the future are dropped.
        task: IfRecording<Task>,
    }

    impl<F> PinnedDrop for Measured<F> {
        fn drop(this: Pin<&mut Self>) {
            if let Some(task) = this.project().task.get_mut() {
                task.start_drop();
            }
        }
    }
}

impl<F> Measured<F> {
    /// Wraps a future that is about to be spawned as a task. Its spawn location is the caller's.
    #[track_caller]
    pub fn task(metrics: &RuntimeMetrics, future: F) -> Self {
        Self::counted(
            metrics.probe().target(),
            future,
            location::intern(Location::caller()),
        )
    }

    /// Wraps a future that is about to be spawned as a task. Its name, from [`location::intern_name`], replaces the spawn location.
    pub fn named(metrics: &RuntimeMetrics, name: LocationId, future: F) -> Self {
        Self::counted(metrics.probe().target(), future, name)
    }

    /// Wraps a future that a thread blocks on. Its polls count as root polls, not as polls of a task.
    ///
    /// Live records and stall reports show such a poll as that of the `root future at` the caller's file and line. The future need not be
    /// `Send`.
    #[track_caller]
    pub fn root(metrics: &RuntimeMetrics, future: F) -> Self {
        let (target, location) = (metrics.probe().target(), Location::caller());
        Self {
            future,
            task: IfRecording::new(|| Task::root(Arc::clone(target), location)),
        }
    }

    /// Wraps a future and counts its spawn.
    pub(crate) fn counted(target: &Arc<RecordingTarget>, future: F, location: LocationId) -> Self {
        if RECORDING {
            thread_leases::count_spawn(target, PolledBy::Unknown, location);
        }
        Self::uncounted(target, future, location, PolledBy::Unknown)
    }

    /// Wraps a future. A [`SpawnGuard`](super::spawning::SpawnGuard) counts its spawn.
    pub(crate) fn uncounted(
        target: &Arc<RecordingTarget>,
        future: F,
        location: LocationId,
        polled_by: PolledBy,
    ) -> Self {
        Self {
            future,
            task: IfRecording::new(|| Task::spawned(target, location, polled_by)),
        }
    }
}

impl<F> Measured<F> {
    /// Returns the spawn location or the name of the task.
    pub(crate) fn spawn_location(&self) -> LocationId {
        let task = self.task.get();
        task.map_or(LocationId::UNKNOWN, Task::spawn_location)
    }
}

impl<F: Future> Future for Measured<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let future = this.future;
        match this.task.get_mut() {
            Some(task) => task.poll(cx, |cx| future.poll(cx)),
            None => future.poll(cx),
        }
    }
}

impl<F> fmt::Debug for Measured<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut measured = f.debug_struct("Measured");
        if let Some(task) = self.task.get() {
            measured.field("task", task);
        }
        measured.finish_non_exhaustive()
    }
}
