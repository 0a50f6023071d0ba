//! The time that the operating system gave to the threads of each worker, and the throttling of the process's cgroup.

use core::time::Duration;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::leases::LeasedBy;
use crate::os::{Os, ThreadTimes, Throttling};
use crate::record::thread;

/// The time for which a file is not read again, so that a snapshot reads each file once. The kernel advances the times of a running thread
/// at its timer interrupts, which are as far apart.
const REREAD_AFTER: Duration = Duration::from_millis(4);

/// The sums of each worker, which advance when a reader reads them.
pub(super) struct WorkerThreads {
    os: Os,
    workers: Mutex<Vec<WorkerThread>>,
    throttling: Mutex<Option<(Instant, Option<Throttling>)>>,
}

/// The thread of a worker, as last read.
#[derive(Clone, Debug, Default)]
struct WorkerThread {
    /// The number of the thread; zero before the first.
    thread: u64,
    read: ThreadTimes,
    read_at: Option<Instant>,
    total: ThreadTimes,
}

impl WorkerThreads {
    pub(super) fn new(os: Os) -> Self {
        Self {
            os,
            workers: Mutex::default(),
            throttling: Mutex::default(),
        }
    }

    /// Returns the throttling of the process's cgroup.
    pub(super) fn throttling(&self) -> Option<Throttling> {
        let mut last = self.throttling.lock().unwrap_or_else(PoisonError::into_inner);
        match *last {
            Some((read_at, known)) if read_at.elapsed() < REREAD_AFTER => known,
            _ => {
                let now = self.os.throttling();
                *last = Some((Instant::now(), now));
                now
            }
        }
    }

    /// Returns the times of a worker that this thread runs. If they can't be read, the times are those of the last call,
    /// and `None` if there are none.
    pub(super) fn times(&self, worker: usize, thread: Option<LeasedBy>) -> Option<ThreadTimes> {
        // Held while the file is read, so that two readers advance the sums in the order in which they read it.
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = workers.get(worker)
            && known
                .read_at
                .is_some_and(|read_at| read_at.elapsed() < REREAD_AFTER)
            && thread.is_some_and(|thread| thread.number == known.thread)
        {
            return Some(known.total);
        }
        let now =
            thread.and_then(|thread| Some((thread, self.os.thread_times(thread::os_id(thread.number)?)?)));
        if let Some((thread, now)) = now {
            if workers.len() <= worker {
                workers.resize_with(worker + 1, WorkerThread::default);
            }
            let known = workers.get_mut(worker)?;
            known.advance(thread, now);
            known.read_at = Some(Instant::now());
        }
        let known = workers.get(worker).filter(|known| known.thread != 0);
        known.map(|known| known.total)
    }
}

impl WorkerThread {
    /// Adds the time since the last call. The first thread of the worker counts from its start, and each later thread from the first call
    /// that finds it: its time before that may belong to another worker.
    fn advance(&mut self, thread: LeasedBy, now: ThreadTimes) {
        let from = match self.thread {
            0 if thread.is_first => ThreadTimes::default(),
            same if same == thread.number => self.read,
            _ => now,
        };
        self.thread = thread.number;
        self.read = now;
        self.total.on_cpu += now.on_cpu.saturating_sub(from.on_cpu);
        self.total.runnable_wait += now.runnable_wait.saturating_sub(from.runnable_wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leased_by(number: u64, is_first: bool) -> LeasedBy {
        LeasedBy { number, is_first }
    }

    fn times(on_cpu: u64, runnable_wait: u64) -> ThreadTimes {
        ThreadTimes {
            on_cpu,
            runnable_wait,
        }
    }

    #[test]
    fn a_thread_that_took_the_worker_over_before_the_first_read_counts_from_that_read() {
        let mut worker = WorkerThread::default();
        worker.advance(leased_by(2, false), times(7_000, 700));
        assert_eq!(worker.total, times(0, 0));
        worker.advance(leased_by(2, false), times(7_005, 701));
        assert_eq!(worker.total, times(5, 1));
    }

    #[test]
    fn a_worker_keeps_the_time_of_its_former_threads() {
        let (first, second) = (leased_by(1, true), leased_by(2, false));
        let mut worker = WorkerThread::default();
        worker.advance(first, times(100, 10));
        assert_eq!(worker.total, times(100, 10));
        worker.advance(first, times(150, 12));
        assert_eq!(worker.total, times(150, 12));
        // Thread 2 served another worker before.
        worker.advance(second, times(7_000, 700));
        assert_eq!(worker.total, times(150, 12));
        worker.advance(second, times(7_005, 701));
        assert_eq!(worker.total, times(155, 13));
        // Thread 1 returns, after time in a blocking call.
        worker.advance(leased_by(1, false), times(900, 90));
        assert_eq!(worker.total, times(155, 13));
    }
}
