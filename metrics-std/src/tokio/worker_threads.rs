//! The time that the operating system gave to the threads of each worker.

use std::sync::{Mutex, PoisonError};

use crate::os::{Os, ThreadTimes};
use crate::record::thread;

/// The sums of each worker, which advance when a reader reads them.
pub(super) struct WorkerThreads {
    os: Os,
    workers: Mutex<Vec<WorkerThread>>,
}

/// The thread of a worker, as last read.
#[derive(Clone, Debug, Default)]
struct WorkerThread {
    /// The number of the thread; zero before the first.
    thread: u64,
    read: ThreadTimes,
    total: ThreadTimes,
}

impl WorkerThreads {
    pub(super) fn new() -> Self {
        Self {
            os: Os::new(),
            workers: Mutex::default(),
        }
    }

    pub(super) fn os(&self) -> &Os {
        &self.os
    }

    /// Returns the times of a worker that the thread with this number runs. If they can't be read, the times are those of the last call,
    /// and `None` if there are none.
    pub(super) fn times(&self, worker: usize, thread: Option<u64>) -> Option<ThreadTimes> {
        // Held while the file is read, so that two readers advance the sums in the order in which they read it.
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let now = thread.and_then(|number| Some((number, self.os.thread_times(thread::os_id(number)?)?)));
        if let Some((thread, now)) = now {
            if workers.len() <= worker {
                workers.resize_with(worker + 1, WorkerThread::default);
            }
            workers.get_mut(worker)?.advance(thread, now);
        }
        let known = workers.get(worker).filter(|known| known.thread != 0);
        known.map(|known| known.total)
    }
}

impl WorkerThread {
    /// Adds the time since the last call. The first thread of the worker counts from its start, and each later thread from the first call
    /// that finds it: its time before that may belong to another worker.
    fn advance(&mut self, thread: u64, now: ThreadTimes) {
        let from = match self.thread {
            0 => ThreadTimes::default(),
            same if same == thread => self.read,
            _ => now,
        };
        self.thread = thread;
        self.read = now;
        self.total.on_cpu += now.on_cpu.saturating_sub(from.on_cpu);
        self.total.runnable_wait += now.runnable_wait.saturating_sub(from.runnable_wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_keeps_the_time_of_its_former_threads() {
        let times = |on_cpu, runnable_wait| ThreadTimes {
            on_cpu,
            runnable_wait,
        };
        let mut worker = WorkerThread::default();
        worker.advance(1, times(100, 10));
        assert_eq!(worker.total, times(100, 10));
        worker.advance(1, times(150, 12));
        assert_eq!(worker.total, times(150, 12));
        // Thread 2 served another worker before.
        worker.advance(2, times(7_000, 700));
        assert_eq!(worker.total, times(150, 12));
        worker.advance(2, times(7_005, 701));
        assert_eq!(worker.total, times(155, 13));
        // Thread 1 returns, after time in a blocking call.
        worker.advance(1, times(900, 90));
        assert_eq!(worker.total, times(155, 13));
    }
}
