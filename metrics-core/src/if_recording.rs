//! Data of a runtime or an adapter that only its hooks need, with the feature `record`: the value.

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
#[derive(Clone, Debug)]
pub struct IfRecording<V>(V);

#[allow(
    clippy::unnecessary_wraps,
    reason = "without the feature `record` there is no value"
)]
impl<V> IfRecording<V> {
    /// The value that `make` returns. Without the feature `record`, `make` is not called.
    #[inline(always)]
    pub fn new(make: impl FnOnce() -> V) -> Self {
        Self(make())
    }

    /// What `make` returns for the value, if there is one.
    #[inline(always)]
    pub fn map<U>(&self, make: impl FnOnce(&V) -> U) -> IfRecording<U> {
        IfRecording(make(&self.0))
    }

    /// The value, if there is one.
    #[inline(always)]
    pub fn get(&self) -> Option<&V> {
        Some(&self.0)
    }

    /// The value, if there is one.
    #[inline(always)]
    pub fn get_mut(&mut self) -> Option<&mut V> {
        Some(&mut self.0)
    }
}

impl<V, E> IfRecording<Result<V, E>> {
    /// The value of a result, or its error.
    ///
    /// # Errors
    /// The error, if there is a value and it is one.
    #[inline(always)]
    pub fn transpose(self) -> Result<IfRecording<V>, E> {
        self.0.map(IfRecording)
    }
}
