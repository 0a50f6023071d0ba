//! A 64-bit cell with one writer and any number of readers.

use super::{U32Cell, U64Cell};
use crate::sync::{AtomicU32, Ordering::Relaxed, const_unless_loom};

#[cfg(all(target_has_atomic = "64", not(metrics_core_halves)))]
mod repr {
    use super::{Relaxed, const_unless_loom};
    use crate::sync::AtomicU64;

    #[derive(Debug)]
    pub(super) struct Repr(AtomicU64);

    impl Repr {
        pub(super) const IS_WHOLE: bool = true;

        const_unless_loom! {
            pub(super) const fn new(value: u64) -> Self {
                Self(AtomicU64::new(value))
            }
        }

        #[inline(always)]
        pub(super) fn load(&self) -> u64 {
            self.0.load(Relaxed)
        }

        #[inline(always)]
        pub(super) fn low(&self) -> u32 {
            self.load() as u32
        }

        #[inline(always)]
        pub(super) fn store(&self, value: u64) {
            self.0.store(value, Relaxed);
        }
    }
}

#[cfg(not(all(target_has_atomic = "64", not(metrics_core_halves))))]
mod repr {
    use super::{Relaxed, const_unless_loom};
    use crate::sync::AtomicU32;

    /// The low word and the high word. A load may see words of two values; the sequence count around it detects that.
    #[derive(Debug)]
    pub(super) struct Repr(AtomicU32, AtomicU32);

    impl Repr {
        pub(super) const IS_WHOLE: bool = false;

        const_unless_loom! {
            pub(super) const fn new(value: u64) -> Self {
                Self(AtomicU32::new(value as u32), AtomicU32::new((value >> 32) as u32))
            }
        }

        #[inline(always)]
        pub(super) fn load(&self) -> u64 {
            u64::from(self.0.load(Relaxed)) | u64::from(self.1.load(Relaxed)) << 32
        }

        #[inline(always)]
        pub(super) fn low(&self) -> u32 {
            self.0.load(Relaxed)
        }

        #[inline(always)]
        pub(super) fn store(&self, value: u64) {
            self.0.store(value as u32, Relaxed);
            self.1.store((value >> 32) as u32, Relaxed);
        }
    }
}

/// A `u64` with one writer, guarded by its slot's sequence count.
///
/// It needs only loads and stores on every target: no compare-and-swap and no critical section. On a target without
/// 64-bit atomics it has two words, and a value is consistent only if the sequence count did not change around the
/// load.
#[derive(Debug)]
pub struct OwnedU64(repr::Repr);

impl OwnedU64 {
    /// Whether one load returns a value that was stored, without the sequence count.
    pub(crate) const IS_WHOLE: bool = repr::Repr::IS_WHOLE;

    const_unless_loom! {
        pub(crate) const fn new(value: u64) -> Self {
            Self(repr::Repr::new(value))
        }
    }
}

impl Default for OwnedU64 {
    fn default() -> Self {
        Self::new(0)
    }
}

// Ordering: relaxed on both sides. Every load and store of this cell lies between the fences of `SeqCount`, which
// order them.
impl U64Cell for OwnedU64 {
    type Narrow = OwnedU32;
    type Kept = super::Nothing;

    #[inline(always)]
    fn get(&self) -> u64 {
        self.0.load()
    }

    #[inline(always)]
    fn low(&self) -> u32 {
        self.0.low()
    }

    #[inline(always)]
    fn set(&self, value: u64) {
        self.0.store(value);
    }
}

/// The 32-bit form of [`OwnedU64`].
#[derive(Debug)]
pub struct OwnedU32(AtomicU32);

impl OwnedU32 {
    const_unless_loom! {
        pub(crate) const fn new(value: u32) -> Self {
            Self(AtomicU32::new(value))
        }
    }
}

impl Default for OwnedU32 {
    fn default() -> Self {
        Self::new(0)
    }
}

// Ordering: relaxed on both sides, as for `OwnedU64`.
impl U32Cell for OwnedU32 {
    #[inline(always)]
    fn get(&self) -> u32 {
        self.0.load(Relaxed)
    }

    #[inline(always)]
    fn set(&self, value: u32) {
        self.0.store(value, Relaxed);
    }
}
