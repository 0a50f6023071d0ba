//! Which workers sleep and which search: wakes one worker per piece of work, never none.

use core::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::Mutex;

/// The coordination of parked and searching workers.
///
/// At most half of the workers search at once. Whoever adds work wakes a sleeper only if nobody searches, because a searcher
/// will find it; a worker looks at every queue once more after it has said that it sleeps.
pub(super) struct Idle {
    sleepers: Mutex<Vec<usize>>,
    num_sleeping: AtomicUsize,
    num_searching: AtomicUsize,
    num_workers: usize,
}

impl Idle {
    pub(super) fn new(num_workers: usize) -> Idle {
        Idle {
            sleepers: Mutex::new(Vec::with_capacity(num_workers)),
            num_sleeping: AtomicUsize::new(0),
            num_searching: AtomicUsize::new(0),
            num_workers,
        }
    }

    /// May one more worker search?
    pub(super) fn start_searching(&self) -> bool {
        // Ordering: a bound for throughput only; two workers that both pass it do no harm.
        if 2 * self.num_searching.load(Ordering::Relaxed) >= self.num_workers {
            return false;
        }
        // Ordering: pairs with the fence of `worker_to_notify`.
        self.num_searching.fetch_add(1, Ordering::SeqCst);
        true
    }

    /// A searcher has found work. True if it was the last one: then it must wake the next searcher.
    pub(super) fn stop_searching(&self) -> bool {
        // Ordering: as in `start_searching`.
        self.num_searching.fetch_sub(1, Ordering::SeqCst) == 1
    }

    /// A worker goes to sleep. It must look at every queue once more after this.
    pub(super) fn sleep(&self, worker: usize, searching: bool) {
        let mut sleepers = self.sleepers.lock().unwrap();
        sleepers.push(worker);
        self.num_sleeping.store(sleepers.len(), Ordering::Relaxed);
        if searching {
            self.stop_searching();
        }
        drop(sleepers);
        // Ordering: pairs with the fence of `worker_to_notify`: either the one who adds work sees that nobody searches and
        // this worker sleeps, or this worker's last look at the queues sees the work.
        fence(Ordering::SeqCst);
    }

    /// A worker wakes by itself (an I/O event, say). False if it has been taken off the list by `worker_to_notify`
    /// already: then it wakes as a searcher.
    pub(super) fn wake_by_itself(&self, worker: usize) -> bool {
        let mut sleepers = self.sleepers.lock().unwrap();
        let Some(at) = sleepers.iter().position(|&w| w == worker) else {
            return false;
        };
        sleepers.swap_remove(at);
        self.num_sleeping.store(sleepers.len(), Ordering::Relaxed);
        true
    }

    /// Whom to wake after adding work: nobody while someone searches. The one named counts as searching from here on.
    pub(super) fn worker_to_notify(&self) -> Option<usize> {
        // Ordering: pairs with the fence of `sleep`; orders the caller's push before these two loads.
        fence(Ordering::SeqCst);
        if self.num_searching.load(Ordering::Relaxed) > 0 || self.num_sleeping.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut sleepers = self.sleepers.lock().unwrap();
        let worker = sleepers.pop()?;
        self.num_sleeping.store(sleepers.len(), Ordering::Relaxed);
        // Ordering: as in `start_searching`.
        self.num_searching.fetch_add(1, Ordering::SeqCst);
        Some(worker)
    }
}
