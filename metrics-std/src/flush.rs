//! Waiting until readers see what has happened.

use core::fmt;
use core::panic::Location;
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use metrics_core::{LiveThread, Transition, WorkerState};

use crate::record::{thread, thread_leases};
use crate::{RuntimeMetrics, location};

/// Tries before the caller sleeps between two looks: a worker that parks or ends a poll submits within microseconds.
const YIELDS: u32 = 64;
const SLEEP: Duration = Duration::from_micros(100);

/// Waits until readers see every poll that had begun before this call. For tests, and for a last look before a process ends.
///
/// Workers submit in batches: when they park, and at the end of a poll once the submit interval has passed. A getter right after an
/// `.await` can therefore miss the last polls of a worker that has not parked yet. This function submits what the calling thread has
/// recorded itself, and waits for the other threads. In a task, the poll that calls it is not waited for.
///
/// ```
/// use core::time::Duration;
/// use metrics_std::tokio::{Spawner, TokioAdapter};
/// use tokio::runtime::Builder;
///
/// let (runtime, metrics) = TokioAdapter::builder().build(&mut Builder::new_multi_thread())?;
/// let spawner = Spawner::new(runtime.handle(), &metrics);
/// runtime.block_on(spawner.spawn(async {}))?;
/// metrics_std::flush(&metrics, Duration::from_secs(10))?;
/// assert_eq!(metrics.poll_count()?, Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`FlushError`] if after `timeout` a thread has not submitted. It is still in a poll, or it runs other work, or nothing drives its
/// runtime: a current-thread runtime submits when the thread that drove it calls this function.
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
        // A thread that has given its slot back submitted before.
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

/// What a flush waits for in one slot.
struct Pending {
    slot: usize,
    /// The last submit at the time of the call. The next one has all polls that had ended by then.
    submitted: Transition,
    /// The poll that was in progress.
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

/// A thread did not submit within the timeout of [`flush`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlushError {
    /// The index of its worker; `None` if it is not one of the runtime's workers.
    pub worker: Option<usize>,
    /// The name of the thread, if it has one and still runs.
    pub thread: Option<Arc<str>>,
    /// Whether it is in a poll.
    pub is_polling: bool,
    /// Where the task that it polls was spawned, if that is known.
    pub location: Option<&'static Location<'static>>,
}

impl FlushError {
    fn of(thread: &LiveThread) -> Self {
        Self {
            worker: thread.worker,
            thread: thread::name(thread.thread),
            is_polling: thread.live.state == WorkerState::Polling,
            location: location::resolve(thread.live.spawn_location),
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
            write!(
                f,
                " of the task spawned at {}:{}",
                location.file(),
                location.line()
            )?;
        }
        f.write_str("; wait until the poll has ended, or allow more time")
    }
}

impl core::error::Error for FlushError {}
