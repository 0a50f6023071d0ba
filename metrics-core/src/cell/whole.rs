//! A 64-bit single-writer cell. A reader loads a consistent value or detects that it could not.

use crate::sync::{Ordering, const_unless_loom};

#[cfg(all(target_has_atomic = "64", not(metrics_core_halves)))]
mod imp {
    use super::{Ordering, const_unless_loom};
    use crate::sync::AtomicU64;

    /// A 64-bit value with one writer.
    #[derive(Debug)]
    pub(crate) struct WholeU64(AtomicU64);

    impl WholeU64 {
        const_unless_loom! {
            pub(crate) const fn new(value: u64) -> Self {
                Self(AtomicU64::new(value))
            }
        }

        /// Returns the value, for the writer.
        #[cfg_attr(metrics_core_loom, allow(dead_code))]
        #[inline(always)]
        pub(crate) fn own(&self) -> u64 {
            // Ordering: relaxed, the only writer reads its own last store.
            self.0.load(Ordering::Relaxed)
        }

        #[inline(always)]
        pub(crate) fn store_release(&self, value: u64) {
            // Ordering: release, pairs with the acquire in `load_acquire`: a reader that sees this value sees
            // everything stored before it.
            self.0.store(value, Ordering::Release);
        }

        #[cfg(all(
            any(target_has_atomic = "ptr", feature = "require-cas"),
            not(metrics_core_loom)
        ))]
        /// Returns the low 32 bits, which are one load on every target.
        #[inline(always)]
        pub(crate) fn low_acquire(&self) -> u32 {
            // Ordering: acquire, as in `load_acquire`.
            self.0.load(Ordering::Acquire) as u32
        }

        #[allow(clippy::unnecessary_wraps, reason = "two halves can be torn")]
        #[inline(always)]
        pub(crate) fn load_acquire(&self) -> Result<u64, u32> {
            // Ordering: acquire, pairs with the release in `store_release`.
            Ok(self.0.load(Ordering::Acquire))
        }
    }
}

#[cfg(not(all(target_has_atomic = "64", not(metrics_core_halves))))]
mod imp {
    use super::{Ordering, const_unless_loom};
    use crate::sync::AtomicU32;

    /// A 64-bit value with one writer: the high word is stored twice, around the low word.
    ///
    /// The writer stores `first`, `low`, `last`; a reader loads `last`, `low`, `first`. Equal high words therefore
    /// prove that the high word did not change in between. It changes once in 2^32 ticks or counts.
    #[derive(Debug)]
    pub(crate) struct WholeU64 {
        high_first: AtomicU32,
        low: AtomicU32,
        high_last: AtomicU32,
    }

    impl WholeU64 {
        const_unless_loom! {
            pub(crate) const fn new(value: u64) -> Self {
                let high = (value >> 32) as u32;
                Self {
                    high_first: AtomicU32::new(high),
                    low: AtomicU32::new(value as u32),
                    high_last: AtomicU32::new(high),
                }
            }
        }

        /// Returns the value, for the writer.
        #[cfg_attr(metrics_core_loom, allow(dead_code))]
        #[inline(always)]
        pub(crate) fn own(&self) -> u64 {
            // Ordering: relaxed, the only writer reads its own last stores.
            u64::from(self.low.load(Ordering::Relaxed))
                | u64::from(self.high_first.load(Ordering::Relaxed)) << 32
        }

        #[inline(always)]
        pub(crate) fn store_release(&self, value: u64) {
            let high = (value >> 32) as u32;
            // Ordering: relaxed, the only writer reads its own last store.
            if self.high_first.load(Ordering::Relaxed) == high {
                // Ordering: release, pairs with the acquire of `low` in `load_acquire`.
                self.low.store(value as u32, Ordering::Release);
            } else {
                // Ordering: each release orders the store before it; `load_acquire` loads in the opposite order.
                self.high_first.store(high, Ordering::Release);
                self.low.store(value as u32, Ordering::Release);
                self.high_last.store(high, Ordering::Release);
            }
        }

        #[cfg(all(
            any(target_has_atomic = "ptr", feature = "require-cas"),
            not(metrics_core_loom)
        ))]
        /// Returns the low 32 bits, which are one load on every target.
        #[inline(always)]
        pub(crate) fn low_acquire(&self) -> u32 {
            // Ordering: acquire, as in `load_acquire`.
            self.low.load(Ordering::Acquire)
        }

        /// Returns the value, or only its high word if that was changing: the value then moves to one with that high
        /// word.
        #[inline(always)]
        pub(crate) fn load_acquire(&self) -> Result<u64, u32> {
            // Ordering: each acquire pairs with a release in `store_release`, in the opposite order.
            let high = self.high_last.load(Ordering::Acquire);
            let low = self.low.load(Ordering::Acquire);
            let first = self.high_first.load(Ordering::Acquire);
            if first == high {
                Ok(u64::from(low) | u64::from(high) << 32)
            } else {
                Err(first)
            }
        }
    }
}

pub(crate) use imp::WholeU64;
