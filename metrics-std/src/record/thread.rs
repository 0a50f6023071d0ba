//! Threads by number: what a slot can hold of the thread that runs its worker, and the name it stands for.

use portable_atomic::{AtomicU64, Ordering};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// The names of the running threads that have a number here.
static NAMES: RwLock<BTreeMap<u64, Arc<str>>> = RwLock::new(BTreeMap::new());
/// Zero is a slot's "no thread".
static NEXT: AtomicU64 = AtomicU64::new(1);

struct Number(u64);

impl Drop for Number {
    fn drop(&mut self) {
        NAMES
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.0);
    }
}

thread_local! {
    static NUMBER: Number = {
        // Ordering: relaxed, only the numbers have to differ.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        if let Some(name) = std::thread::current().name() {
            NAMES.write().unwrap_or_else(PoisonError::into_inner).insert(number, Arc::from(name));
        }
        Number(number)
    };
}

/// The number of the calling thread, never given to another one in this process. Zero once the thread is ending.
pub(crate) fn current() -> u64 {
    NUMBER.try_with(|number| number.0).unwrap_or(0)
}

/// The name of a thread that still runs; `None` if it has ended or never had one.
pub(crate) fn name(number: u64) -> Option<Arc<str>> {
    NAMES
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&number)
        .cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_lives_as_long_as_its_thread() {
        let named = std::thread::Builder::new().name("a worker".into());
        let number = named
            .spawn(|| {
                let number = current();
                assert_eq!(number, current());
                assert_eq!(name(number).as_deref(), Some("a worker"));
                number
            })
            .unwrap()
            .join()
            .unwrap();
        assert_eq!(name(number), None);
        assert_ne!(number, current());
        assert_eq!(name(0), None);
    }
}
