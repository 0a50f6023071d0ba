//! Tracks which workers sleep and which search, and wakes a worker when there is work.

use core::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::Mutex;

/// The coordination of parked and searching workers.
///
/// At most half of the workers search at once. A thread that adds work wakes a sleeping worker only if no worker searches, because a
/// searching worker finds it. After a worker has registered as sleeping, it checks every queue once more.
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

    /// Returns whether another worker may search.
    pub(super) fn start_searching(&self) -> bool {
        // Ordering: relaxed: the bound is only for throughput, and exceeding it by a worker does no harm.
        if 2 * self.num_searching.load(Ordering::Relaxed) >= self.num_workers {
            return false;
        }
        // Ordering: pairs with the fence of `worker_to_notify`.
        self.num_searching.fetch_add(1, Ordering::SeqCst);
        true
    }

    /// Ends a worker's search. Returns `true` if it was the last searching worker: then it must wake another one.
    pub(super) fn stop_searching(&self) -> bool {
        // Ordering: as in `start_searching`.
        self.num_searching.fetch_sub(1, Ordering::SeqCst) == 1
    }

    /// Registers a worker as sleeping. It must then check every queue once more.
    pub(super) fn sleep(&self, worker: usize, searching: bool) {
        let mut sleepers = self.sleepers.lock().unwrap();
        sleepers.push(worker);
        self.num_sleeping.store(sleepers.len(), Ordering::Relaxed);
        if searching {
            self.stop_searching();
        }
        drop(sleepers);
        // Ordering: pairs with the fence in `worker_to_notify`: either the thread that adds work sees that no worker searches and
        // this worker sleeps, or this worker's last check of the queues sees the work.
        fence(Ordering::SeqCst);
    }

    /// Registers a worker that wakes by itself, such as for an I/O event. Returns `false` if `worker_to_notify` has already removed it
    /// from the list: then it wakes as a searching worker.
    pub(super) fn wake_by_itself(&self, worker: usize) -> bool {
        let mut sleepers = self.sleepers.lock().unwrap();
        let Some(at) = sleepers.iter().position(|&w| w == worker) else {
            return false;
        };
        sleepers.swap_remove(at);
        self.num_sleeping.store(sleepers.len(), Ordering::Relaxed);
        true
    }

    /// Returns the worker to wake after adding work, or `None` if a worker searches. The returned worker then counts as searching.
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
