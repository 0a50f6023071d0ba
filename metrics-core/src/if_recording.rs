//! With the feature `record`: the value of a type that exists only in a build that records.

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
#[derive(Clone, Debug)]
pub struct IfRecording<V>(V);

#[allow(
    clippy::unnecessary_wraps,
    reason = "without the feature `record` there is no value"
)]
impl<V> IfRecording<V> {
    /// Creates the value with `make`. Without the feature `record`, `make` is not called.
    #[inline(always)]
    pub fn new(make: impl FnOnce() -> V) -> Self {
        Self(make())
    }

    /// Maps the value with `make`, if there is one.
    #[inline(always)]
    pub fn map<U>(&self, make: impl FnOnce(&V) -> U) -> IfRecording<U> {
        IfRecording(make(&self.0))
    }

    /// Returns the value, if there is one.
    #[inline(always)]
    pub fn get(&self) -> Option<&V> {
        Some(&self.0)
    }

    /// Returns the value, if there is one.
    #[inline(always)]
    pub fn get_mut(&mut self) -> Option<&mut V> {
        Some(&mut self.0)
    }
}

impl<V, E> IfRecording<Result<V, E>> {
    /// Returns the value of a result, or its error.
    ///
    /// # Errors
    /// Returns the error, if there is a value and it is an error.
    #[inline(always)]
    pub fn transpose(self) -> Result<IfRecording<V>, E> {
        self.0.map(IfRecording)
    }
}
