//! A counter with one writer that readers see at once, without a sequence count around it.

#[cfg(metrics_core_loom)]
use crate::sync::Remembered;
use crate::sync::{Ordering, const_unless_loom};

#[cfg(all(target_has_atomic = "64", not(metrics_core_halves)))]
mod repr {
    use super::{Ordering, const_unless_loom};
    use crate::sync::AtomicU64;

    #[derive(Debug)]
    pub(super) struct Repr(AtomicU64);

    impl Repr {
        const_unless_loom! {
            pub(super) const fn new() -> Self {
                Self(AtomicU64::new(0))
            }
        }

        #[cfg(not(metrics_core_loom))]
        #[inline(always)]
        pub(super) fn own(&self) -> u64 {
            // Ordering: relaxed, the only writer reads its own last store.
            self.0.load(Ordering::Relaxed)
        }

        #[inline(always)]
        pub(super) fn publish(&self, value: u64) {
            // Ordering: release, pairs with the acquire in `load`: who sees this count sees what went before it.
            self.0.store(value, Ordering::Release);
        }

        #[inline(always)]
        pub(super) fn load(&self) -> u64 {
            // Ordering: acquire, pairs with the release in `publish`.
            self.0.load(Ordering::Acquire)
        }
    }
}

#[cfg(not(all(target_has_atomic = "64", not(metrics_core_halves))))]
mod repr {
    use super::{Ordering, const_unless_loom};
    use crate::sync::AtomicU32;

    /// The high half twice, around the low one. The writer goes first, low, last; a reader goes last, low, first, so
    /// that equal high halves prove that no carry fell between. A carry comes once in 2^32 counts.
    #[derive(Debug)]
    pub(super) struct Repr {
        high_first: AtomicU32,
        low: AtomicU32,
        high_last: AtomicU32,
    }

    impl Repr {
        const_unless_loom! {
            pub(super) const fn new() -> Self {
                Self { high_first: AtomicU32::new(0), low: AtomicU32::new(0), high_last: AtomicU32::new(0) }
            }
        }

        #[cfg(not(metrics_core_loom))]
        pub(super) fn own(&self) -> u64 {
            // Ordering: relaxed, the only writer reads its own last stores.
            u64::from(self.low.load(Ordering::Relaxed))
                | u64::from(self.high_first.load(Ordering::Relaxed)) << 32
        }

        pub(super) fn publish(&self, value: u64) {
            let high = (value >> 32) as u32;
            if self.high_first.load(Ordering::Relaxed) == high {
                // Ordering: release, pairs with the acquire of `low` in `load`.
                self.low.store(value as u32, Ordering::Release);
            } else {
                // Ordering: each release orders the store before it; the acquires in `load` go the other way.
                self.high_first.store(high, Ordering::Release);
                self.low.store(value as u32, Ordering::Release);
                self.high_last.store(high, Ordering::Release);
            }
        }

        pub(super) fn load(&self) -> u64 {
            // Ordering: each acquire pairs with a release in `publish`, in the opposite order.
            let high = self.high_last.load(Ordering::Acquire);
            let low = self.low.load(Ordering::Acquire);
            let first = self.high_first.load(Ordering::Acquire);
            if first == high {
                u64::from(low) | u64::from(high) << 32
            } else {
                // In the middle of a carry. The count stood at exactly `first << 32` on its way, so this is a value
                // that it had: no reader waits, none sees a count go back.
                u64::from(first) << 32
            }
        }
    }
}

/// A counter with one writer, coherent for any reader on every target, without waiting on either side.
#[derive(Debug)]
pub(crate) struct OwnedCounter(
    repr::Repr,
    /// What the writer stored last, in models.
    #[cfg(metrics_core_loom)]
    Remembered,
);

impl OwnedCounter {
    const_unless_loom! {
        pub(crate) const fn new() -> Self {
            Self(
                repr::Repr::new(),
                #[cfg(metrics_core_loom)]
                Remembered::new(0),
            )
        }
    }

    /// A counter that stands at `value` already, for a model of the carry.
    #[cfg(all(test, metrics_core_loom))]
    pub(crate) fn starting_at(value: u64) -> Self {
        let counter = Self::new();
        counter.0.publish(value);
        counter.1.store(value, Ordering::Relaxed);
        counter
    }

    /// Adds one. Only the writer may call it.
    #[cfg(not(metrics_core_loom))]
    #[inline(always)]
    pub(crate) fn increment_release(&self) {
        self.0.publish(self.0.own().wrapping_add(1));
    }

    /// The same in a model. loom looks for another order of two accesses by the last one to an atomic alone: the writer's
    /// load of its own value would stand before the reader's, and no order would be tried in which the store comes between
    /// the reader's load of this counter and its next one.
    #[cfg(metrics_core_loom)]
    pub(crate) fn increment_release(&self) {
        let value = self.1.load(Ordering::Relaxed).wrapping_add(1);
        self.1.store(value, Ordering::Relaxed);
        self.0.publish(value);
    }

    #[inline(always)]
    pub(crate) fn load_acquire(&self) -> u64 {
        self.0.load()
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
        counter.0.publish(u64::from(u32::MAX) - 1);
        for n in 0..4 {
            assert_eq!(counter.load_acquire(), u64::from(u32::MAX) - 1 + n);
            counter.increment_release();
        }
    }
}
