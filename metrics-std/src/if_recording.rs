//! What exists only where something is recorded, with the feature `record`: the value.

/// A value that hooks need and nothing else does. Without the feature `record` it has no size.
#[derive(Clone, Debug)]
pub(crate) struct IfRecording<V>(V);

impl<V> IfRecording<V> {
    #[inline(always)]
    pub(crate) fn new(make: impl FnOnce() -> V) -> Self {
        Self(make())
    }

    #[inline(always)]
    #[allow(
        clippy::unnecessary_wraps,
        reason = "without the feature `record` there is none"
    )]
    pub(crate) fn get(&self) -> Option<&V> {
        Some(&self.0)
    }

    #[inline(always)]
    #[allow(
        clippy::unnecessary_wraps,
        reason = "without the feature `record` there is none"
    )]
    pub(crate) fn get_mut(&mut self) -> Option<&mut V> {
        Some(&mut self.0)
    }
}
