//! Whether a runtime is overloaded, as a watch of its queues finds it.

use crate::cell::SharedU32;

/// The load of a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LoadState {
    /// The runtime is not overloaded.
    Normal,
    /// The runtime is overloaded, but its queues are short at the moment.
    Accepting,
    /// The runtime is overloaded, and new requests should be rejected.
    Shedding,
}

impl LoadState {
    /// Returns `true` if the runtime is overloaded, whether new requests should be rejected at the moment or not.
    pub const fn is_overloaded(self) -> bool {
        !matches!(self, Self::Normal)
    }

    /// A word that is not zero.
    const fn word(self) -> u32 {
        self as u32 + 1
    }
}

/// The state that one watch sets: zero if there is no watch.
#[derive(Debug)]
pub(crate) struct LoadCell(SharedU32);

impl LoadCell {
    crate::sync::const_unless_loom! {
        #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
        pub(crate) const fn new() -> Self {
            Self(SharedU32::new(0))
        }
    }

    /// Returns `false` if there is another watch.
    pub(crate) fn begin_watch(&self) -> bool {
        self.0.claim(0, LoadState::Normal.word())
    }

    /// Only the watch calls this.
    pub(crate) fn set(&self, state: LoadState) {
        self.0.store_release(state.word());
    }

    /// Only the watch calls this.
    pub(crate) fn end_watch(&self) {
        self.0.store_release(0);
    }

    pub(crate) fn get(&self) -> Option<LoadState> {
        let word = self.0.load_acquire();
        [LoadState::Normal, LoadState::Accepting, LoadState::Shedding]
            .into_iter()
            .find(|state| state.word() == word)
    }
}
