//! Cells that many threads, cores or interrupts write. Nothing on a worker's hot path uses them.

#[cfg(any(target_has_atomic = "ptr", feature = "critical-section", metrics_core_loom))]
mod imp {
    use crate::sync::{Ordering, SharedAtomicU32, SharedAtomicU64, const_unless_loom};

    /// A `u64` with many writers.
    #[derive(Debug)]
    pub struct SharedU64(SharedAtomicU64);

    impl SharedU64 {
        const_unless_loom! {
            #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
            pub(crate) const fn new(value: u64) -> Self {
                Self(SharedAtomicU64::new(value))
            }
        }

        pub(crate) fn add_release(&self, n: u64) {
            // Ordering: release, pairs with `load_acquire`: who sees this count sees what went before it.
            self.0.fetch_add(n, Ordering::Release);
        }

        pub(crate) fn add_relaxed(&self, n: u64) {
            self.0.fetch_add(n, Ordering::Relaxed);
        }

        pub(crate) fn add_saturating_relaxed(&self, n: u64) {
            let add = |value: u64| Some(value.saturating_add(n));
            // It never fails: the closure never gives `None`.
            let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        }

        #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
        pub(crate) fn load_relaxed(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }

        pub(crate) fn max_relaxed(&self, value: u64) {
            self.0.fetch_max(value, Ordering::Relaxed);
        }

        pub(crate) fn min_relaxed(&self, value: u64) {
            self.0.fetch_min(value, Ordering::Relaxed);
        }

        #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
        #[inline]
        pub(crate) fn load_acquire(&self) -> u64 {
            // Ordering: acquire, pairs with `add_release`.
            self.0.load(Ordering::Acquire)
        }
    }

    /// A `u32` with many writers: who holds a slot.
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

        /// Adds `n`, wrapping, and returns the sum.
        #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
        pub(crate) fn add(&self, n: u32) -> u32 {
            // Ordering: release and acquire, as in `claim`.
            self.0.fetch_add(n, Ordering::AcqRel).wrapping_add(n)
        }

        /// Whether `from` was replaced by `to`, by this call.
        pub(crate) fn claim(&self, from: u32, to: u32) -> bool {
            // Ordering: acquire, pairs with `store_release`: the new holder sees all that the last one wrote. Release,
            // for a reader that finds the slot through the new value.
            self.0
                .compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        }
    }
}

/// Without compare-and-swap and without a critical section there are no many-writer cells: they read `None` and
/// a claim never succeeds. Nothing pretends to count.
#[cfg(not(any(target_has_atomic = "ptr", feature = "critical-section", metrics_core_loom)))]
mod imp {
    use crate::sync::{AtomicU32, Ordering};

    /// A `u64` that nobody can write here.
    #[derive(Debug)]
    pub struct SharedU64(());

    impl SharedU64 {
        #[allow(clippy::unused_self)]
        pub(crate) fn add_release(&self, _: u64) {}

        #[allow(clippy::unused_self)]
        pub(crate) fn add_relaxed(&self, _: u64) {}

        #[allow(clippy::unused_self)]
        pub(crate) fn add_saturating_relaxed(&self, _: u64) {}

        #[allow(clippy::unused_self)]
        pub(crate) fn max_relaxed(&self, _: u64) {}

        #[allow(clippy::unused_self)]
        pub(crate) fn min_relaxed(&self, _: u64) {}
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
        pub(crate) fn claim(&self, _: u32, _: u32) -> bool {
            false
        }
    }
}

pub(crate) use imp::{SharedU32, SharedU64};
