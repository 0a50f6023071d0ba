//! [`Measured`]: a future whose polls are counted and timed, on any executor.

mod task;
mod waker;

use core::fmt;
use core::future::Future;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;

use metrics_core::IfRecording;
use metrics_core::RECORDING;
use pin_project_lite::pin_project;

use self::task::Task;
use super::runtime_leases::PolledBy;
use super::target::RecordingTarget;
use super::thread_leases;
use crate::RuntimeMetrics;

pin_project! {
    /// A future and what is measured of it: polls, how long each took, and how long each waited since the wake that
    /// asked for it.
    ///
    /// ```
    /// use metrics_std::{Builder, Clock, HistogramConfig, Measured, MetricSet, NoProbe};
    ///
    /// let description = Builder::new().measures(MetricSet::ALL).name("pool").poll_time(HistogramConfig::DEFAULT);
    /// let (metrics, _) = metrics_std::build(description, Clock::new(), NoProbe)?;
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
    /// In the current worker of the thread, if it is one of the same registry ([`enter`](crate::enter), or a Tokio worker
    /// under the adapter). Otherwise in a slot leased for the thread, which it keeps until it ends. A thread that can
    /// have none, because it is ending, records under a lock in the row of foreign threads.
    ///
    /// # What counts
    ///
    /// - A [`task`](Self::task) counts as spawned when it is made and as ended once: completed when it returns `Ready`, panicked
    ///   when a poll of it panics, cancelled when it is dropped before either. Wrap a future once: a wrapper inside a
    ///   wrapped task is another task, whose polls are counted as nested and not timed.
    /// - A [`root`](Self::root) counts its polls as root polls, and nothing else.
    /// - A wake during a poll counts for the next one. Of several wakes the first counts. A poll that nobody asked for,
    ///   as by a `select!` that polls all its branches, has no latency.
    ///
    /// # Cost
    ///
    /// Two clock readings a poll and one a wake: a wrapper can't see what happened between two polls, so it reads at both
    /// ends. One thread-local access, no lock and no allocation a poll; a task's first poll allocates its waker.
    ///
    /// # What is not promised
    ///
    /// The waker is kept inside the future, as by any future that stores its own: an executor that frees a task only when its last
    /// waker is gone, and never drops the futures it forgot, keeps such a task for ever.
    #[must_use = "futures do nothing unless they are polled"]
    pub struct Measured<F> {
        #[pin]
        future: F,
        // Dropped after the future, so that the end is counted once everything of it is gone.
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
    /// Measures a future that is about to be spawned as a task. Its spawn location is the caller's.
    #[track_caller]
    pub fn task(metrics: &RuntimeMetrics, future: F) -> Self {
        Self::counted(metrics.probe().target(), future, Location::caller())
    }

    /// Measures a future that a thread blocks on, which is no task.
    pub fn root(metrics: &RuntimeMetrics, future: F) -> Self {
        Self {
            future,
            task: IfRecording::new(|| Task::root(Arc::clone(metrics.probe().target()))),
        }
    }

    /// Measures a future whose spawn counts now.
    pub(crate) fn counted(
        target: &Arc<RecordingTarget>,
        future: F,
        location: &'static Location<'static>,
    ) -> Self {
        if RECORDING {
            thread_leases::count_spawn(target, PolledBy::Unknown);
        }
        Self::uncounted(target, future, location, PolledBy::Unknown)
    }

    /// Measures a future whose spawn is counted by [`spawning::count_accepted`](super::spawning::count_accepted).
    pub(crate) fn uncounted(
        target: &Arc<RecordingTarget>,
        future: F,
        location: &'static Location<'static>,
        polled_by: PolledBy,
    ) -> Self {
        Self {
            future,
            task: IfRecording::new(|| Task::spawned(target, location, polled_by)),
        }
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
