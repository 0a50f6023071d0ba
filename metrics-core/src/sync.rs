//! The only file that names an atomic type. All other files import atomics from here.
//!
//! Exactly one of three sources is compiled: the target's own atomics, loom's for the models, or, without the feature
//! `record`, cells that store nothing. Many-writer cells come from `portable-atomic` (see [`crate::cell`]). Everything
//! on a hot path is single-writer and needs only 32-bit atomic loads and stores: no compare-and-swap.

#[cfg(all(feature = "record", not(metrics_core_loom)))]
#[allow(clippy::disallowed_types, reason = "this is where they come from")]
mod imp {
    // Aliases, not imports: clippy sees through an import and reports each use.
    #[cfg(all(target_has_atomic = "64", not(metrics_core_halves)))]
    pub(crate) type AtomicU64 = core::sync::atomic::AtomicU64;
    pub(crate) type AtomicU32 = core::sync::atomic::AtomicU32;
    pub(crate) use core::cell::Cell;
    pub(crate) use core::sync::atomic::{Ordering, fence};

    pub(crate) use core::hint::spin_loop;

    /// Many-writer cells. With compare-and-swap, they are native. Without it, they exist only with the feature
    /// `require-cas`, and the final binary chooses portable-atomic's implementation.
    #[cfg(any(target_has_atomic = "ptr", feature = "require-cas"))]
    pub(crate) use portable_atomic::AtomicU32 as SharedAtomicU32;
}

#[cfg(metrics_core_loom)]
#[allow(clippy::disallowed_types, reason = "this is where they come from")]
mod imp {
    pub(crate) use core::cell::Cell;

    /// State that only the writer uses. It is not part of the model, so loom does not see its accesses.
    pub(crate) type Remembered = core::sync::atomic::AtomicU64;

    #[cfg(not(metrics_core_halves))]
    pub(crate) use loom::sync::atomic::AtomicU64;
    pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU32 as SharedAtomicU32, Ordering, fence};

    /// In a model, a retry makes progress only if another thread runs.
    pub(crate) use loom::thread::yield_now as spin_loop;

    /// The types that models use.
    #[cfg(test)]
    pub(crate) use loom::{model::Builder as Model, thread};
}

/// The cells without the feature `record`: they have no size, drop stores and read zero, so that code over them
/// compiles to nothing.
///
/// A compare-and-swap succeeds, so no loop may wait for a cell to change.
#[cfg(not(any(feature = "record", metrics_core_loom)))]
#[allow(
    dead_code,
    clippy::unused_self,
    reason = "the same methods as the target's, whichever features use them"
)]
mod imp {
    use core::marker::PhantomData;

    pub(crate) use core::hint::spin_loop;
    pub(crate) use core::sync::atomic::Ordering;

    #[inline(always)]
    pub(crate) const fn fence(_: Ordering) {}

    #[derive(Debug, Default)]
    pub(crate) struct Cell<V>(PhantomData<core::cell::Cell<V>>);

    impl<V: Default> Cell<V> {
        pub(crate) const fn new(_: V) -> Self
        where
            V: Copy,
        {
            Self(PhantomData)
        }

        #[inline(always)]
        pub(crate) fn get(&self) -> V {
            V::default()
        }

        #[inline(always)]
        pub(crate) fn set(&self, _: V) {}

        #[inline(always)]
        pub(crate) fn take(&self) -> V {
            V::default()
        }
    }

    macro_rules! atomics {
        ($($name:ident($word:ty);)*) => {$(
            #[derive(Debug)]
            pub(crate) struct $name;

            #[allow(clippy::unnecessary_wraps, reason = "as the target's")]
            impl $name {
                pub(crate) const fn new(_: $word) -> Self {
                    Self
                }

                #[inline(always)]
                pub(crate) fn load(&self, _: Ordering) -> $word {
                    0
                }

                #[inline(always)]
                pub(crate) fn store(&self, _: $word, _: Ordering) {}

                #[inline(always)]
                pub(crate) fn swap(&self, _: $word, _: Ordering) -> $word {
                    0
                }

                #[inline(always)]
                pub(crate) fn fetch_add(&self, _: $word, _: Ordering) -> $word {
                    0
                }

                #[inline(always)]
                pub(crate) fn fetch_max(&self, _: $word, _: Ordering) -> $word {
                    0
                }

                #[inline(always)]
                pub(crate) fn fetch_min(&self, _: $word, _: Ordering) -> $word {
                    0
                }

                #[inline(always)]
                pub(crate) fn fetch_update(
                    &self,
                    _: Ordering,
                    _: Ordering,
                    _: impl FnMut($word) -> Option<$word>,
                ) -> Result<$word, $word> {
                    Ok(0)
                }

                #[inline(always)]
                pub(crate) fn compare_exchange(
                    &self,
                    current: $word,
                    _: $word,
                    _: Ordering,
                    _: Ordering,
                ) -> Result<$word, $word> {
                    Ok(current)
                }
            }
        )*};
    }

    atomics! {
        AtomicU64(u64);
        AtomicU32(u32);
        SharedAtomicU32(u32);
    }
}

pub(crate) use imp::*;

#[cfg(not(any(target_has_atomic = "ptr", feature = "require-cas", metrics_core_loom)))]
#[cfg(feature = "embassy-time")]
compile_error!(
    "this target has no compare-and-swap, which the embassy hooks need: enable the feature `critical-section` of \
     metrics-core, or, if the HAL enables the feature `unsafe-assume-single-core` of portable-atomic, the feature \
     `require-cas` of metrics-core"
);

#[cfg(feature = "require-cas")]
portable_atomic::cfg_no_atomic_cas! {
    compile_error!(
        "the feature `require-cas` of metrics-core selects no implementation of compare-and-swap, and this target has \
         none: enable the feature `critical-section` of metrics-core, or, on a chip with one core whose HAL allows it, \
         the feature `unsafe-assume-single-core` of portable-atomic"
    );
}

/// Whether the hooks record: `true` with the feature `record`, which is enabled by default.
///
/// Without the feature, the same types and methods compile to nothing: a hook adds no instruction, a measured future
/// is as large as the future alone, no thread is started, no clock is read, and every getter of a metric returns
/// `None`. Configurations are still checked, and a registry still has its name and its number of workers.
///
/// The binary decides. Features are additive: if one crate of a build enables `record`, all of them record. A library
/// therefore depends on this crate with `default-features = false` and never enables `record`. Assert the setting to
/// make a build fail if it differs from what you expect:
///
/// ```
/// const _: () = assert!(metrics_core::RECORDING, "the dashboards of this service need metrics");
/// ```
///
/// `cargo tree --edges features --invert metrics-core` shows the crate that enabled it.
pub const RECORDING: bool = cfg!(any(feature = "record", metrics_core_loom));

/// A `const fn`, except in models: loom's atomics have no const constructors.
macro_rules! const_unless_loom {
    ($(#[$attr:meta])* $vis:vis const fn $($rest:tt)*) => {
        #[cfg(not(metrics_core_loom))]
        $(#[$attr])* $vis const fn $($rest)*
        #[cfg(metrics_core_loom)]
        $(#[$attr])* $vis fn $($rest)*
    };
}
pub(crate) use const_unless_loom;
