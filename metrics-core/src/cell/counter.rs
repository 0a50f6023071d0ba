//! A counter with one writer that readers see at once, without a sequence count around it.

use super::WholeU64;
use crate::sync::const_unless_loom;
#[cfg(metrics_core_loom)]
use crate::sync::{Ordering, Remembered};

/// A counter with one writer, coherent for any reader on every target, without waiting on either side.
#[derive(Debug)]
pub(crate) struct OwnedCounter(
    WholeU64,
    /// What the writer stored last, in models.
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

    /// A counter that stands at `value` already, for a model of the carry.
    #[cfg(all(test, metrics_core_loom))]
    pub(crate) fn starting_at(value: u64) -> Self {
        let counter = Self::new();
        counter.0.store_release(value);
        counter.1.store(value, Ordering::Relaxed);
        counter
    }

    /// Adds one. Only the writer may call it.
    #[cfg(not(metrics_core_loom))]
    #[inline(always)]
    pub(crate) fn increment_release(&self) {
        self.0.store_release(self.0.own().wrapping_add(1));
    }

    /// The same in a model. loom looks for another order of two accesses by the last one to an atomic alone: the writer's
    /// load of its own value would stand before the reader's, and no order would be tried in which the store comes between
    /// the reader's load of this counter and its next one.
    #[cfg(metrics_core_loom)]
    pub(crate) fn increment_release(&self) {
        let value = self.1.load(Ordering::Relaxed).wrapping_add(1);
        self.1.store(value, Ordering::Relaxed);
        self.0.store_release(value);
    }

    #[inline(always)]
    pub(crate) fn load_acquire(&self) -> u64 {
        // In the middle of a carry the count stood at exactly `high << 32` on its way, so this is a value that it had: no
        // reader waits, none sees a count go back.
        self.0.load_acquire().unwrap_or_else(|high| u64::from(high) << 32)
    }
}

#[cfg(all(test, not(metrics_core_loom)))]
mod tests {
    use super::OwnedCounter;
    #[cfg(target_arch = "wasm32")]
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
