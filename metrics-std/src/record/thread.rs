//! Numbers threads, so that a slot can identify the thread that runs its worker, and resolves numbers to names and IDs.
//!
//! Each number is assigned once, so a reader never shows the name of one thread for another.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use portable_atomic::{AtomicU64, Ordering};

use crate::os;

/// The numbers in use.
static THREADS: RwLock<BTreeMap<u64, Thread>> = RwLock::new(BTreeMap::new());

struct Thread {
    name: Option<Arc<str>>,
    os_id: Option<u64>,
}

/// The number of the next thread. In a slot, zero means "no thread".
static NEXT: AtomicU64 = AtomicU64::new(1);

/// The number of a thread. Its name and ID are removed when the last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct ThreadNumber(Arc<Held>);

#[derive(Debug)]
struct Held(u64);

impl ThreadNumber {
    fn new() -> Self {
        let thread = Thread {
            name: std::thread::current().name().map(Arc::from),
            os_id: os::thread_id(),
        };
        // Ordering: relaxed: the numbers only have to differ.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut threads = THREADS.write().unwrap_or_else(PoisonError::into_inner);
        threads.insert(number, thread);
        Self(Arc::new(Held(number)))
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        THREADS
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.0);
    }
}

thread_local! {
    static NUMBER: ThreadNumber = ThreadNumber::new();
}

/// Returns the number of the calling thread, or `None` if the thread is ending.
pub(crate) fn current() -> Option<ThreadNumber> {
    NUMBER.try_with(ThreadNumber::clone).ok()
}

/// Returns the name of the thread with this number, or `None` if the thread has ended or has no name.
pub(crate) fn name(number: u64) -> Option<Arc<str>> {
    THREADS
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&number)?
        .name
        .clone()
}

/// Returns the operating system's ID of the thread with this number, or `None` if the thread has ended or the ID is not known.
pub(crate) fn os_id(number: u64) -> Option<u64> {
    THREADS
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&number)?
        .os_id
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn on_a_thread(name: &str) -> ThreadNumber {
        let thread = std::thread::Builder::new().name(name.into());
        let current = || current().expect("the thread is not ending");
        thread.spawn(current).unwrap().join().unwrap()
    }

    #[test]
    fn threads_that_have_ended_leave_no_name_and_share_no_number() {
        let numbers: BTreeSet<u64> = (0..200).map(|_| on_a_thread("ends").get()).collect();
        assert_eq!(numbers.len(), 200);
        let threads = THREADS.read().unwrap();
        assert!(numbers.iter().all(|number| !threads.contains_key(number)));
    }

    #[test]
    fn a_number_that_is_held_is_given_to_no_other_thread() {
        let first = on_a_thread("first");
        let others: Vec<ThreadNumber> = (0..20).map(|_| on_a_thread("another")).collect();
        assert!(others.iter().all(|other| other.get() != first.get()));
        assert_eq!(name(first.get()).as_deref(), Some("first"));
        assert_eq!(name(0), None);
    }
}
