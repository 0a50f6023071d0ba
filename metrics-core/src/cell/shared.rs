//! Cells that many threads, cores or interrupts write. No worker's hot path uses them.

#[cfg(any(target_has_atomic = "ptr", feature = "require-cas", metrics_core_loom))]
mod imp {
    use crate::sync::{Ordering, SharedAtomicU32, const_unless_loom};

    /// A sum with many writers, in two 32-bit words.
    ///
    /// On targets without 64-bit compare-and-swap, a 64-bit read-modify-write operation takes a lock, and an interrupt
    /// would spin forever on a lock that is held. A load is consistent only if no add overlaps it, so callers that add
    /// must count the adds. The sum stays at `u64::MAX` once its high word is full.
    #[derive(Debug)]
    pub struct SharedSum {
        low: SharedAtomicU32,
        high: SharedAtomicU32,
    }

    impl SharedSum {
        const_unless_loom! {
            #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
            pub(crate) const fn new(value: u64) -> Self {
                Self {
                    low: SharedAtomicU32::new(value as u32),
                    high: SharedAtomicU32::new((value >> 32) as u32),
                }
            }
        }

        pub(crate) fn add_relaxed(&self, n: u64) {
            let low = n as u32;
            let (_, carry) = self.low.fetch_add(low, Ordering::Relaxed).overflowing_add(low);
            let high = ((n >> 32) as u32).saturating_add(carry.into());
            if high != 0 {
                let add = |value: u32| Some(value.saturating_add(high));
                // This never fails: the closure never returns `None`.
                let _ = self.high.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
            }
        }

        #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
        pub(crate) fn load_relaxed(&self) -> u64 {
            match self.high.load(Ordering::Relaxed) {
                u32::MAX => u64::MAX,
                high => u64::from(high) << 32 | u64::from(self.low.load(Ordering::Relaxed)),
            }
        }
    }

    /// A `u32` with many writers.
    #[derive(Debug)]
    pub(crate) struct SharedU32(SharedAtomicU32);

    impl SharedU32 {
        const_unless_loom! {
            pub(crate) const fn new(value: u32) -> Self {
                Self(SharedAtomicU32::new(value))
            }
        }

        #[inline]
        pub(crate) fn load_acquire(&self) -> u32 {
            // Ordering: acquire, pairs with `store_release`.
            self.0.load(Ordering::Acquire)
        }

        pub(crate) fn store_release(&self, value: u32) {
            // Ordering: release, pairs with the acquires of `load_acquire` and `claim`.
            self.0.store(value, Ordering::Release);
        }

        #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
        pub(crate) fn load_relaxed(&self) -> u32 {
            self.0.load(Ordering::Relaxed)
        }

        pub(crate) fn min_relaxed(&self, value: u32) {
            self.0.fetch_min(value, Ordering::Relaxed);
        }

        pub(crate) fn max_relaxed(&self, value: u32) {
            self.0.fetch_max(value, Ordering::Relaxed);
        }

        /// Adds `n`, wrapping, and returns the sum.
        pub(crate) fn add(&self, n: u32) -> u32 {
            // Ordering: release and acquire, as in `claim`.
            self.0.fetch_add(n, Ordering::AcqRel).wrapping_add(n)
        }

        /// Replaces `from` with `to`. Returns `true` if this call replaced it.
        pub(crate) fn claim(&self, from: u32, to: u32) -> bool {
            // Ordering: acquire, pairs with `store_release`: the new holder sees everything that the last one wrote.
            // Release, for a reader that finds the slot through the new value.
            self.0
                .compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        }
    }
}

/// Without compare-and-swap and without a critical section, there are no many-writer cells: loads return `None` and a
/// claim never succeeds.
#[cfg(not(any(target_has_atomic = "ptr", feature = "require-cas", metrics_core_loom)))]
mod imp {
    use crate::sync::{AtomicU32, Ordering};

    /// A sum that no thread can add to on this target.
    #[derive(Debug)]
    pub struct SharedSum(());

    impl SharedSum {
        #[allow(clippy::unused_self)]
        pub(crate) fn add_relaxed(&self, _: u64) {}
    }

    /// A `u32` with one writer.
    #[derive(Debug)]
    pub(crate) struct SharedU32(AtomicU32);

    impl SharedU32 {
        pub(crate) const fn new(value: u32) -> Self {
            Self(AtomicU32::new(value))
        }

        #[inline]
        pub(crate) fn load_acquire(&self) -> u32 {
            // Ordering: acquire, pairs with `store_release`.
            self.0.load(Ordering::Acquire)
        }

        pub(crate) fn store_release(&self, value: u32) {
            // Ordering: release, pairs with `load_acquire`.
            self.0.store(value, Ordering::Release);
        }

        #[allow(clippy::unused_self)]
        pub(crate) fn min_relaxed(&self, _: u32) {}

        #[allow(clippy::unused_self)]
        pub(crate) fn max_relaxed(&self, _: u32) {}

        #[allow(clippy::unused_self)]
        pub(crate) fn add(&self, _: u32) -> u32 {
            0
        }

        #[allow(clippy::unused_self)]
        pub(crate) fn claim(&self, _: u32, _: u32) -> bool {
            false
        }
    }
}

pub(crate) use imp::{SharedSum, SharedU32};

#[cfg(all(test, feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
mod tests {
    use super::SharedSum;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_sum_carries_into_its_high_word_and_saturates() {
        let near = u64::from(u32::MAX) - 1;
        for (start, n) in [
            (0, 0),
            (near, 1),
            (near, 2),
            (near, 1 << 40),
            (5 << 32, near),
            (0, 1 << 63),
        ] {
            let sum = SharedSum::new(start);
            sum.add_relaxed(n);
            assert_eq!(sum.load_relaxed(), start + n, "{start} + {n}");
        }
        for (start, n) in [(1 << 63, 1 << 63), (u64::MAX - 1, 1), (u64::MAX, 7)] {
            let sum = SharedSum::new(start);
            sum.add_relaxed(n);
            sum.add_relaxed(n);
            assert_eq!(sum.load_relaxed(), u64::MAX, "{start} + {n}");
        }
    }
}
