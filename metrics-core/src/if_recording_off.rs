//! Data of a runtime or an adapter that only its hooks need, without the feature `record`: nothing.

use core::marker::PhantomData;

/// A value that exists only in a build that records: without the feature `record` it has no size and is never made.
///
/// For what a runtime keeps per task or per worker and passes to hooks. All code is compiled either way; without the feature
/// [`get`](Self::get) returns `None` and the compiler removes what would follow.
///
/// ```
/// use metrics_core::{IfRecording, RECORDING};
///
/// struct Task {
///     name: IfRecording<String>,
/// }
///
/// let task = Task { name: IfRecording::new(|| "an expensive name".to_owned()) };
/// assert_eq!(task.name.get().is_some(), RECORDING);
/// ```
// `PhantomData` gives it the auto traits that it has with a value.
#[derive(Clone, Debug)]
pub struct IfRecording<V>(PhantomData<V>);

#[allow(clippy::unused_self, reason = "with the feature `record` the value is in it")]
impl<V> IfRecording<V> {
    /// The value that `make` returns. Without the feature `record`, `make` is not called.
    #[inline(always)]
    pub fn new(_: impl FnOnce() -> V) -> Self {
        Self(PhantomData)
    }

    /// What `make` returns for the value, if there is one.
    #[inline(always)]
    pub fn map<U>(&self, _: impl FnOnce(&V) -> U) -> IfRecording<U> {
        IfRecording(PhantomData)
    }

    /// The value, if there is one.
    #[inline(always)]
    pub fn get(&self) -> Option<&V> {
        None
    }

    /// The value, if there is one.
    #[inline(always)]
    pub fn get_mut(&mut self) -> Option<&mut V> {
        None
    }
}

#[allow(
    clippy::unnecessary_wraps,
    reason = "with the feature `record` there may be an error"
)]
impl<V, E> IfRecording<Result<V, E>> {
    /// The value of a result, or its error.
    ///
    /// # Errors
    /// The error, if there is a value and it is one.
    #[inline(always)]
    pub fn transpose(self) -> Result<IfRecording<V>, E> {
        Ok(IfRecording(PhantomData))
    }
}
