//! A time that any thread or interrupt sets and another takes, without a read-modify-write operation and without a
//! lock.

#[cfg(all(target_has_atomic = "64", not(metrics_core_halves)))]
mod whole {
    use crate::sync::{AtomicU64, Ordering, const_unless_loom};

    /// Ticks, or zero if it is not set.
    #[derive(Debug)]
    pub(crate) struct Stamp(AtomicU64);

    impl Stamp {
        const_unless_loom! {
            pub(crate) const fn new() -> Self {
                Self(AtomicU64::new(0))
            }
        }

        #[inline]
        pub(crate) fn is_set(&self) -> bool {
            // Ordering: relaxed, here and below. The value publishes no other data; the queue of the task orders
            // everything else.
            self.0.load(Ordering::Relaxed) != 0
        }

        #[inline]
        pub(crate) fn set(&self, ticks: u64) {
            self.0.store(ticks.max(1), Ordering::Relaxed);
        }

        #[inline]
        pub(crate) fn take(&self) -> Option<u64> {
            match self.0.load(Ordering::Relaxed) {
                0 => None,
                ticks => {
                    self.0.store(0, Ordering::Relaxed);
                    Some(ticks)
                }
            }
        }
    }
}

/// Two 32-bit words, for targets without 64-bit atomics. The alternative is a lock, and an interrupt that preempts the
/// holder of the lock would spin forever.
#[cfg(any(
    all(test, not(metrics_core_loom)),
    not(all(target_has_atomic = "64", not(metrics_core_halves)))
))]
mod words {
    use crate::sync::{AtomicU32, Ordering, const_unless_loom};

    /// One word has the low 31 bits of the ticks above a bit that marks it as set. The other has bits 28 to 59 of
    /// them.
    ///
    /// Three bits are in both words: the words of two times that were set at once, on either side of a carry, don't
    /// match, and then there is no time. Times with equal bits there are within 2^28 ticks or multiples of 2^31 apart.
    #[derive(Debug)]
    pub(crate) struct Stamp {
        low: AtomicU32,
        high: AtomicU32,
    }

    const SET: u32 = 1;
    const LOW_BITS: u32 = 31;
    const HIGH_SHIFT: u32 = 28;
    const COMMON: u32 = (1 << (LOW_BITS - HIGH_SHIFT)) - 1;

    impl Stamp {
        const_unless_loom! {
            pub(crate) const fn new() -> Self {
                Self { low: AtomicU32::new(0), high: AtomicU32::new(0) }
            }
        }

        #[inline]
        pub(crate) fn is_set(&self) -> bool {
            self.low.load(Ordering::Relaxed) != 0
        }

        #[inline]
        pub(crate) fn set(&self, ticks: u64) {
            let ticks = ticks.max(1);
            self.high.store((ticks >> HIGH_SHIFT) as u32, Ordering::Relaxed);
            // Ordering: release, pairs with the acquire in `take`: a reader that sees this word sees the high word.
            self.low.store((ticks as u32) << 1 | SET, Ordering::Release);
        }

        #[inline]
        pub(crate) fn take(&self) -> Option<u64> {
            // Ordering: acquire, pairs with the release in `set`.
            let low = self.low.load(Ordering::Acquire);
            if low == 0 {
                return None;
            }
            let high = self.high.load(Ordering::Relaxed);
            self.low.store(0, Ordering::Relaxed);
            let low = low >> 1;
            let matches = low >> HIGH_SHIFT == high & COMMON;
            matches.then(|| u64::from(high) << HIGH_SHIFT | u64::from(low))
        }
    }

    #[cfg(all(test, not(metrics_core_loom)))]
    mod tests {
        use super::*;
        #[cfg(all(target_family = "wasm", target_os = "unknown"))]
        use wasm_bindgen_test::wasm_bindgen_test as test;

        #[test]
        fn a_time_comes_back_whole() {
            let stamp = Stamp::new();
            for ticks in [
                1,
                2,
                (1 << 28) - 1,
                1 << 28,
                (1 << 31) - 1,
                1 << 31,
                1 << 32,
                (1 << 60) - 1,
            ] {
                assert!(!stamp.is_set());
                stamp.set(ticks);
                assert!(stamp.is_set());
                assert_eq!(stamp.take(), Some(ticks));
                assert_eq!(stamp.take(), None);
            }
            stamp.set(0);
            assert_eq!(stamp.take(), Some(1), "zero is kept as one");
        }

        /// An interrupt that sets the stamp between the two stores of the interrupted code.
        #[test]
        fn the_words_of_two_times_around_a_carry_are_none() {
            let stamp = Stamp::new();
            let (before, after) = ((1_u64 << 31) - 1, 1_u64 << 31);
            stamp.set(before);
            stamp.high.store((after >> HIGH_SHIFT) as u32, Ordering::Relaxed);
            assert_eq!(stamp.take(), None);
            assert!(!stamp.is_set());
        }
    }
}

#[cfg(all(target_has_atomic = "64", not(metrics_core_halves)))]
pub(crate) use whole::Stamp;
#[cfg(not(all(target_has_atomic = "64", not(metrics_core_halves))))]
pub(crate) use words::Stamp;
