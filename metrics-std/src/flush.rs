//! [`flush`] waits until readers see all recorded polls.

use core::fmt;
use core::panic::Location;
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use metrics_core::{LiveThread, Transition, WorkerState};

use crate::record::{thread, thread_leases};
use crate::{RuntimeMetrics, location};

/// Number of tries before the caller sleeps between tries: a worker that parks or ends a poll submits within microseconds.
const YIELDS: u32 = 64;
const SLEEP: Duration = Duration::from_micros(100);

/// Waits until readers see every poll that began before this call. Use it in tests, and before the last read of a process.
///
/// ```
/// use core::time::Duration;
/// use metrics_std::tokio::{MeasuredRuntime, TokioAdapter};
/// use tokio::runtime::Builder;
///
/// let MeasuredRuntime { runtime, metrics, spawner } = TokioAdapter::builder().build(&mut Builder::new_multi_thread())?;
/// runtime.block_on(spawner.spawn(async {}))?;
/// metrics_std::flush(&metrics, Duration::from_secs(10))?;
/// assert_eq!(metrics.poll_count()?, Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Workers submit in batches: when they park, and at the end of a poll once the submit interval has passed. A getter called right after
/// an `.await` can therefore miss the last polls of a worker that has not parked yet. This function submits the batch of the calling
/// thread and waits for the other threads. If a task calls it, it does not wait for the current poll of that task.
///
/// # Errors
/// Returns [`FlushError`] if a thread has not submitted within `timeout`: it is still in a poll, it runs other work, or no thread drives
/// its runtime. A current-thread runtime submits when the thread that last drove it calls this function.
pub fn flush(metrics: &RuntimeMetrics, timeout: Duration) -> Result<(), FlushError> {
    let began = Instant::now();
    if let Some(lease) = thread_leases::find(metrics.registry())
        && !lease.worker.is_polling()
    {
        lease.worker.submit();
    }
    let here = thread::current().map(|number| number.get());
    let others = metrics
        .live_threads()
        .filter(|thread| Some(thread.thread) != here);
    let mut pending: Vec<_> = others.filter_map(|thread| Pending::of(&thread)).collect();
    for tries in 0.. {
        // A thread submits before it gives its slot back.
        let threads: Vec<_> = metrics.live_threads().collect();
        let waiting = |pending: &Pending| threads.iter().find(|thread| pending.is_still(thread));
        pending.retain(|pending| waiting(pending).is_some());
        let Some(thread) = pending.first().and_then(waiting) else {
            break;
        };
        if began.elapsed() >= timeout {
            return Err(FlushError::of(thread));
        }
        if tries < YIELDS {
            std::thread::yield_now();
        } else {
            std::thread::sleep(SLEEP);
        }
    }
    Ok(())
}

/// The slot of a thread that has not submitted yet.
struct Pending {
    slot: usize,
    /// The last submit before the call. The next submit includes all polls that ended before the call.
    submitted: Transition,
    /// The poll that was in progress at the call.
    poll: Option<Transition>,
}

impl Pending {
    fn of(thread: &LiveThread) -> Option<Self> {
        let is_polling = thread.live.state == WorkerState::Polling;
        (is_polling || !thread.is_submitted).then(|| Self {
            slot: thread.slot,
            submitted: thread.submitted,
            poll: is_polling.then_some(thread.live.transition),
        })
    }

    fn is_still(&self, thread: &LiveThread) -> bool {
        let is_polling =
            thread.live.state == WorkerState::Polling && Some(thread.live.transition) == self.poll;
        let lacks_polls = !thread.is_submitted && thread.submitted == self.submitted;
        thread.slot == self.slot && (is_polling || lacks_polls)
    }
}

/// The error of [`flush`]: a thread did not submit within the timeout.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlushError {
    /// The index of the thread's worker, or `None` if the thread is not one of the runtime's workers.
    pub worker: Option<usize>,
    /// The name of the thread, or `None` if it has no name or has ended.
    pub thread: Option<Arc<str>>,
    /// Whether the thread is in a poll.
    pub is_polling: bool,
    /// The spawn location of the task that the thread polls, or the location at which the root future is wrapped, if known.
    pub location: Option<&'static Location<'static>>,
    /// Whether the poll is that of a root future (`block_on`) and not of a task.
    pub is_root: bool,
}

impl FlushError {
    fn of(thread: &LiveThread) -> Self {
        Self {
            worker: thread.worker,
            thread: thread::name(thread.thread),
            is_polling: thread.live.state == WorkerState::Polling,
            location: location::resolve(thread.live.spawn_location),
            is_root: location::is_root(thread.live.spawn_location),
        }
    }
}

impl fmt::Display for FlushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.worker {
            Some(worker) => write!(f, "worker {worker}")?,
            None => f.write_str("a thread that is not a worker")?,
        }
        if let Some(thread) = &self.thread {
            write!(f, " ({thread})")?;
        }
        if !self.is_polling {
            return f.write_str(
                " has not submitted: it runs tasks that are not measured, or no thread drives its runtime; wait until it parks, or \
                 flush on the thread that drives it",
            );
        }
        f.write_str(" is still in a poll")?;
        if let Some(location) = self.location {
            f.write_str(if self.is_root {
                " of the root future at "
            } else {
                " of the task spawned at "
            })?;
            write!(f, "{}:{}", location.file(), location.line())?;
        }
        f.write_str("; wait until the poll ends, or use a longer timeout")
    }
}

impl core::error::Error for FlushError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, Clock, MetricSet, NoProbe, RuntimeHandles, build};
    use metrics_core::PollStart;
    use metrics_mock::ManualClock;

    #[test]
    fn a_thread_is_pending_until_its_polls_are_submitted_and_not_during_later_polls() {
        let builder = Builder::new().workers(1).measures(MetricSet::ALL);
        let RuntimeHandles { metrics, workers } =
            build(builder, Clock::custom(ManualClock::new()), NoProbe).unwrap();
        let worker = &workers[0];
        let thread = || metrics.live_threads().next().unwrap();
        let start = || worker.start_poll(PollStart::default());
        start();
        let in_a_poll = Pending::of(&thread()).unwrap();
        assert!(in_a_poll.is_still(&thread()));
        worker.end_poll();
        assert!(in_a_poll.is_still(&thread()), "it has not submitted");
        let between = Pending::of(&thread()).unwrap();
        worker.submit();
        start();
        assert!(!in_a_poll.is_still(&thread()));
        assert!(!between.is_still(&thread()));
    }
}
