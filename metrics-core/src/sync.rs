//! The only file that names an atomic type: everything else takes them from here.
//!
//! Two sources, of which exactly one is compiled: the target's own atomics, or loom's for the models. Cells that
//! many writers share come from `portable-atomic` (see [`crate::cell`]); everything hot is single-writer and needs no
//! more than 32-bit loads and stores, which every target that Rust supports has.

#[cfg(not(metrics_core_loom))]
#[allow(clippy::disallowed_types, reason = "this is where they come from")]
mod imp {
    // Aliases, not imports: clippy sees through an import and would complain wherever one is used.
    #[cfg(all(target_has_atomic = "64", not(metrics_core_halves)))]
    pub(crate) type AtomicU64 = core::sync::atomic::AtomicU64;
    pub(crate) type AtomicU32 = core::sync::atomic::AtomicU32;
    pub(crate) use core::sync::atomic::{Ordering, fence};

    pub(crate) use core::hint::spin_loop;

    /// Many-writer cells. With compare-and-swap they are native or portable-atomic's fallback; without, they exist
    /// only under the feature `critical-section`, by whose word the final binary chooses an implementation.
    #[cfg(any(target_has_atomic = "ptr", feature = "critical-section"))]
    pub(crate) use portable_atomic::{AtomicU32 as SharedAtomicU32, AtomicU64 as SharedAtomicU64};
}

#[cfg(metrics_core_loom)]
#[allow(clippy::disallowed_types, reason = "this is where they come from")]
mod imp {
    /// What a writer knows without asking: no part of the model, and so no access that loom sees.
    pub(crate) type Remembered = core::sync::atomic::AtomicU64;

    #[cfg(not(metrics_core_halves))]
    pub(crate) use loom::sync::atomic::AtomicU64;
    pub(crate) use loom::sync::atomic::{
        AtomicU32, AtomicU32 as SharedAtomicU32, AtomicU64 as SharedAtomicU64, Ordering, fence,
    };

    /// A model makes progress on a retry only by letting another thread run.
    pub(crate) use loom::thread::yield_now as spin_loop;

    /// What models are made of.
    #[cfg(test)]
    pub(crate) use loom::{model::Builder as Model, thread};
}

pub(crate) use imp::*;

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
