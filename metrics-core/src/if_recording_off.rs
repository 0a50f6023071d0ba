//! Without the feature `record`: an empty replacement for a type that exists only in a build that records.

use core::marker::PhantomData;

/// A value that exists only in a build that records. Without the feature `record` it has no size and is never created.
///
/// Use it for data that a runtime keeps per task or per worker only to pass it to hooks. All code is compiled either
/// way. Without the feature, [`get`](Self::get) returns `None` and the compiler removes the code that depends on the
/// value.
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
// `PhantomData` gives it the same auto traits as with a value.
#[derive(Clone, Debug)]
pub struct IfRecording<V>(PhantomData<V>);

#[allow(clippy::unused_self, reason = "with the feature `record` the value is in it")]
impl<V> IfRecording<V> {
    /// Creates the value with `make`. Without the feature `record`, `make` is not called.
    #[inline(always)]
    pub fn new(_: impl FnOnce() -> V) -> Self {
        Self(PhantomData)
    }

    /// Maps the value with `make`, if there is one.
    #[inline(always)]
    pub fn map<U>(&self, _: impl FnOnce(&V) -> U) -> IfRecording<U> {
        IfRecording(PhantomData)
    }

    /// Returns the value, if there is one.
    #[inline(always)]
    pub fn get(&self) -> Option<&V> {
        None
    }

    /// Returns the value, if there is one.
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
    /// Returns the value of a result, or its error.
    ///
    /// # Errors
    /// Returns the error, if there is a value and it is an error.
    #[inline(always)]
    pub fn transpose(self) -> Result<IfRecording<V>, E> {
        Ok(IfRecording(PhantomData))
    }
}
