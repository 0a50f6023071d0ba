//! A many-writer counter, where a writer may interrupt another.

#[cfg(any(target_has_atomic = "ptr", feature = "require-cas", metrics_core_loom))]
mod imp {
    use crate::sync::{Ordering, SharedAtomicU32, const_unless_loom};

    /// A 64-bit count made of two 32-bit words, without a lock.
    ///
    /// On a microcontroller with only 32-bit compare-and-swap, a 64-bit read-modify-write operation is no alternative:
    /// portable-atomic falls back to a spin lock, and an interrupt that preempts the holder of the lock would spin
    /// forever.
    ///
    /// `low` counts modulo 2^32. `halves` counts how often it passed a multiple of 2^31; the writer that makes `low`
    /// pass one increments it. Its parity equals the top bit of `low`, unless a writer is between the two steps, so a
    /// reader can detect that and add the missing half itself. ([`ExtendedCounter`](crate::extend::ExtendedCounter)
    /// uses the same method.) It can fail only if 2^31 counts happen between two instructions of a writer.
    #[derive(Debug)]
    pub(crate) struct SharedCounter {
        low: SharedAtomicU32,
        halves: SharedAtomicU32,
    }

    impl SharedCounter {
        const_unless_loom! {
            pub(crate) const fn new() -> Self {
                Self { low: SharedAtomicU32::new(0), halves: SharedAtomicU32::new(0) }
            }
        }

        pub(crate) fn increment_release(&self) {
            self.add_part(1);
        }

        /// Adds `n`, in parts of less than 2^31.
        pub(crate) fn add_release(&self, mut n: u64) {
            const PART: u64 = (1 << 31) - 1;
            while n > PART {
                self.add_part(PART as u32);
                n -= PART;
            }
            self.add_part(n as u32);
        }

        /// Adds less than 2^31, and so passes at most one multiple of it.
        #[inline]
        fn add_part(&self, n: u32) {
            // Ordering: release, pairs with the acquire of `low` in `load_acquire`: a reader that sees this count sees
            // everything before it.
            let before = self.low.fetch_add(n, Ordering::Release);
            if (before ^ before.wrapping_add(n)) >> 31 != 0 {
                // Ordering: release, pairs with the acquire of `halves` below: a reader that sees this half sees a
                // `low` in it.
                self.halves.fetch_add(1, Ordering::Release);
            }
        }

        #[cfg(not(metrics_core_loom))]
        /// Returns the count modulo 2^32, from one load.
        #[inline]
        pub(crate) fn low_acquire(&self) -> u32 {
            // Ordering: acquire, as in `load_acquire`.
            self.low.load(Ordering::Acquire)
        }

        /// Returns `None` if there are no many-writer cells.
        #[allow(clippy::unnecessary_wraps)]
        pub(crate) fn load_acquire(&self) -> Option<u64> {
            // Ordering: acquire, pairs with the releases above. `halves` is loaded first, so it is never ahead of
            // `low`.
            let halves = self.halves.load(Ordering::Acquire);
            let low = self.low.load(Ordering::Acquire);
            let halves = halves.wrapping_add((low >> 31) ^ (halves & 1));
            Some(u64::from(halves >> 1) << 32 | u64::from(low))
        }

        #[cfg(test)]
        pub(crate) fn set(&self, low: u32, halves: u32) {
            self.low.store(low, Ordering::Relaxed);
            self.halves.store(halves, Ordering::Relaxed);
        }
    }
}

/// Without compare-and-swap and without a critical section, this returns `None`, like every many-writer cell.
#[cfg(not(any(target_has_atomic = "ptr", feature = "require-cas", metrics_core_loom)))]
mod imp {
    /// A counter that no thread can write on this target.
    #[derive(Debug)]
    pub(crate) struct SharedCounter(());

    #[allow(clippy::unused_self)]
    impl SharedCounter {
        pub(crate) const fn new() -> Self {
            Self(())
        }

        pub(crate) fn increment_release(&self) {}

        pub(crate) fn add_release(&self, _: u64) {}

        pub(crate) fn load_acquire(&self) -> Option<u64> {
            None
        }
    }
}

pub(crate) use imp::SharedCounter;

#[cfg(all(test, not(metrics_core_loom), target_has_atomic = "ptr"))]
mod tests {
    use super::SharedCounter;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn counts_across_both_halves_of_the_low_word() {
        for (low, halves, start) in [
            (0, 0, 0),
            (0x7FFF_FFFE, 0, 0x7FFF_FFFE_u64),
            (0xFFFF_FFFE, 1, 0xFFFF_FFFE),
            (0x7FFF_FFFE, 2, 0x1_7FFF_FFFE),
            (0xFFFF_FFFE, 3, 0x1_FFFF_FFFE),
        ] {
            let counter = SharedCounter::new();
            counter.set(low, halves);
            for n in 0..5 {
                assert_eq!(counter.load_acquire(), Some(start + n));
                counter.increment_release();
            }
        }
    }

    #[test]
    fn adds_more_than_a_half_at_once() {
        let counter = SharedCounter::new();
        let mut sum = 0;
        for n in [0, 1, (1 << 31) - 1, 1 << 31, 1 << 32, (1 << 33) + 5, 7] {
            counter.add_release(n);
            sum += n;
            assert_eq!(counter.load_acquire(), Some(sum));
        }
    }

    #[test]
    fn a_reader_between_the_two_words_of_a_count_sees_it_whole() {
        let counter = SharedCounter::new();
        // `low` has passed the half or the whole; `halves` has not been incremented yet.
        for (low, halves, value) in [
            (0x8000_0000, 0, 0x8000_0000_u64),
            (0, 1, 0x1_0000_0000),
            (3, 1, 0x1_0000_0003),
        ] {
            counter.set(low, halves);
            assert_eq!(counter.load_acquire(), Some(value));
        }
    }
}
