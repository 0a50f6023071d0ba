//! A worker's run queue: a LIFO slot before a bounded FIFO that other workers steal from.

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use crossbeam_deque::{Injector, Steal, Stealer, Worker};

use super::task::Runnable;

/// Where a scheduled task enters the queue.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// The LIFO slot: the task that was woken last is polled next, while its data is still in the cache.
    Lifo,
    /// The back of the queue: for a task that yields, so that it does not starve other tasks.
    Back,
}

/// The result of a push, for the metrics.
pub(super) struct Pushed {
    /// The pushed task itself stayed on this worker.
    pub(super) local: bool,
    /// Tasks moved to the global queue, if the local one was full.
    pub(super) overflowed: Option<u64>,
    /// Something that another worker could steal has been added.
    pub(super) stealable: bool,
}

/// The owner's side.
pub(super) struct LocalQueue {
    lifo: Option<Runnable>,
    fifo: Worker<Runnable>,
    capacity: usize,
    remote: Arc<Remote>,
}

/// The part of a queue that other threads use: they steal from it, and readers read its depth.
pub(super) struct Remote {
    stealer: Stealer<Runnable>,
    lifo_taken: AtomicBool,
}

impl LocalQueue {
    pub(super) fn new(capacity: usize) -> LocalQueue {
        let fifo = Worker::new_fifo();
        let remote = Arc::new(Remote {
            stealer: fifo.stealer(),
            lifo_taken: AtomicBool::new(false),
        });
        LocalQueue {
            lifo: None,
            fifo,
            capacity,
            remote,
        }
    }

    pub(super) fn remote(&self) -> Arc<Remote> {
        Arc::clone(&self.remote)
    }

    pub(super) fn push(&mut self, task: Runnable, entry: Entry, global: &Injector<Runnable>) -> Pushed {
        match entry {
            Entry::Back => {
                let overflowed = self.push_back(task, global);
                Pushed {
                    local: overflowed.is_none(),
                    overflowed,
                    stealable: true,
                }
            }
            Entry::Lifo => {
                let displaced = self.lifo.replace(task);
                self.submit_lifo();
                let stealable = displaced.is_some();
                let overflowed = displaced.and_then(|task| self.push_back(task, global));
                Pushed {
                    local: true,
                    overflowed,
                    stealable,
                }
            }
        }
    }

    /// Appends a task; a full queue first sends its older half, and the task with it, to the global queue.
    fn push_back(&mut self, task: Runnable, global: &Injector<Runnable>) -> Option<u64> {
        if self.fifo.len() < self.capacity {
            self.fifo.push(task);
            return None;
        }
        let mut moved = 1;
        for _ in 0..self.capacity / 2 {
            // Another worker may have stolen it.
            let Some(older) = self.fifo.pop() else { break };
            global.push(older);
            moved += 1;
        }
        global.push(task);
        Some(moved)
    }

    pub(super) fn take_lifo(&mut self) -> Option<Runnable> {
        let task = self.lifo.take();
        self.submit_lifo();
        task
    }

    pub(super) fn pop(&mut self) -> Option<Runnable> {
        self.take_lifo().or_else(|| self.fifo.pop())
    }

    /// Makes the task in the LIFO slot stealable, because the worker does not return to it soon.
    pub(super) fn demote_lifo(&mut self, global: &Injector<Runnable>) -> Option<u64> {
        self.take_lifo().and_then(|task| self.push_back(task, global))
    }

    /// Takes a fair share of the global queue: one task to run now, the rest into this queue.
    pub(super) fn take_global(&mut self, global: &Injector<Runnable>, workers: usize) -> Option<Runnable> {
        let share = (global.len() / workers).min(self.capacity / 2).saturating_sub(1);
        let first = retry(|| global.steal())?;
        for _ in 0..share {
            let Some(task) = retry(|| global.steal()) else {
                break;
            };
            self.fifo.push(task);
        }
        Some(first)
    }

    /// Steals the older half of another worker's queue. Returns one task to run now and how many were taken.
    ///
    /// One at a time rather than in a batch: a third worker may steal from this queue meanwhile, so a difference of
    /// lengths would not be the exact number.
    pub(super) fn steal_from(&mut self, victim: &Remote) -> Option<(Runnable, u64)> {
        let half = victim.stealer.len().div_ceil(2).min(self.capacity);
        let first = retry(|| victim.stealer.steal())?;
        let mut taken = 1;
        while taken < half {
            let Some(task) = retry(|| victim.stealer.steal()) else {
                break;
            };
            self.fifo.push(task);
            taken += 1;
        }
        Some((first, taken as u64))
    }

    fn submit_lifo(&self) {
        // Ordering: relaxed: no other data depends on a depth.
        self.remote
            .lifo_taken
            .store(self.lifo.is_some(), Ordering::Relaxed);
    }
}

impl Remote {
    /// Returns the number of tasks in the queue, including the LIFO slot.
    pub(super) fn depth(&self) -> usize {
        // Ordering: see `submit_lifo`.
        self.stealer.len() + usize::from(self.lifo_taken.load(Ordering::Relaxed))
    }

    pub(super) fn is_stealable(&self) -> bool {
        !self.stealer.is_empty()
    }
}

/// Retries a steal until it does not lose a race.
pub(super) fn retry(mut steal: impl FnMut() -> Steal<Runnable>) -> Option<Runnable> {
    loop {
        match steal() {
            Steal::Success(task) => return Some(task),
            Steal::Empty => return None,
            Steal::Retry => {}
        }
    }
}
