//! A single-writer counter that readers see at once, without a sequence count.

use super::WholeU64;
use crate::sync::const_unless_loom;
#[cfg(metrics_core_loom)]
use crate::sync::{Ordering, Remembered};

/// A single-writer counter that is consistent for any reader on every target. Neither side waits.
#[derive(Debug)]
pub(crate) struct OwnedCounter(
    WholeU64,
    /// In models, the value that the writer stored last.
    #[cfg(metrics_core_loom)]
    Remembered,
);

impl OwnedCounter {
    const_unless_loom! {
        pub(crate) const fn new() -> Self {
            Self(
                WholeU64::new(0),
                #[cfg(metrics_core_loom)]
                Remembered::new(0),
            )
        }
    }

    /// Creates a counter with the value `value`, for a model of the carry.
    #[cfg(all(test, metrics_core_loom))]
    pub(crate) fn starting_at(value: u64) -> Self {
        let counter = Self::new();
        counter.0.store_release(value);
        counter.1.store(value, Ordering::Relaxed);
        counter
    }

    /// Adds one. Only the writer may call this.
    #[cfg(not(metrics_core_loom))]
    #[inline(always)]
    pub(crate) fn increment_release(&self) {
        self.0.store_release(self.0.own().wrapping_add(1));
    }

    /// Adds one, in a model. loom derives alternative orders of two accesses only from the last access
    /// to an atomic. If that is the writer's load of its own value, loom tries no order in which the store comes
    /// between the reader's load of this counter and its next one.
    #[cfg(metrics_core_loom)]
    pub(crate) fn increment_release(&self) {
        let value = self.1.load(Ordering::Relaxed).wrapping_add(1);
        self.1.store(value, Ordering::Relaxed);
        self.0.store_release(value);
    }

    /// Returns the count modulo 2^32, from one load on every target.
    #[cfg(all(
        any(target_has_atomic = "ptr", feature = "require-cas"),
        not(metrics_core_loom)
    ))]
    #[inline(always)]
    pub(crate) fn low_acquire(&self) -> u32 {
        self.0.low_acquire()
    }

    #[inline(always)]
    pub(crate) fn load_acquire(&self) -> u64 {
        // In the middle of a carry, the count passed exactly `high << 32`, so this is a value that it had: no reader
        // waits, and no reader sees the count decrease.
        self.0.load_acquire().unwrap_or_else(|high| u64::from(high) << 32)
    }
}

#[cfg(all(test, not(metrics_core_loom)))]
mod tests {
    use super::OwnedCounter;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn counts_across_the_half() {
        let counter = OwnedCounter::new();
        counter.0.store_release(u64::from(u32::MAX) - 1);
        for n in 0..4 {
            assert_eq!(counter.load_acquire(), u64::from(u32::MAX) - 1 + n);
            counter.increment_release();
        }
    }
}
