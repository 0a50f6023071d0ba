//! What exists only where something is recorded, without the feature `record`: nothing.

use core::marker::PhantomData;

/// No value. `PhantomData` gives it the auto traits that it has with one.
#[derive(Clone, Debug)]
pub(crate) struct IfRecording<V>(PhantomData<V>);

impl<V> IfRecording<V> {
    #[inline(always)]
    pub(crate) fn new(_: impl FnOnce() -> V) -> Self {
        Self(PhantomData)
    }

    #[inline(always)]
    #[allow(clippy::unused_self, reason = "with the feature `record` the value is in it")]
    pub(crate) fn get(&self) -> Option<&V> {
        None
    }

    #[inline(always)]
    #[allow(clippy::unused_self, reason = "with the feature `record` the value is in it")]
    pub(crate) fn get_mut(&mut self) -> Option<&mut V> {
        None
    }
}
