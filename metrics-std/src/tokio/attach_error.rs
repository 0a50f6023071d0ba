//! The error of attaching to a runtime.

use core::fmt;

use metrics_core::ConfigError;

/// The error of [`attach()`](super::attach()), [`attach_current`](super::attach_current) and
/// [`TokioAdapter::attach`](super::TokioAdapter::attach).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttachError {
    /// The calling thread is not in a Tokio runtime.
    NoRuntime,
    /// The runtime has shut down.
    RuntimeEnded,
    /// The runtime is already measured with other options.
    OtherOptions {
        /// The name under which the runtime is measured.
        name: String,
    },
    /// The adapter has callbacks, which Tokio accepts only while a runtime is built.
    Callbacks,
    /// The configuration is invalid.
    Config(ConfigError),
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRuntime => {
                f.write_str("this thread is not in a Tokio runtime: attach inside it, or pass its handle to `attach`")
            }
            Self::RuntimeEnded => f.write_str("the runtime has shut down: attach while it runs"),
            Self::OtherOptions { name } => write!(
                f,
                "the runtime is already measured, as {name:?}, with other options: use the same options, or the reader that the first \
                 call returned"
            ),
            Self::Callbacks => f.write_str(
                "callbacks can't be added to a runtime that exists: pass them to Tokio's builder, or build the runtime with the adapter",
            ),
            Self::Config(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for AttachError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            // `Display` prints the inner error's text, so the source is that of the inner error.
            Self::Config(error) => error.source(),
            _ => None,
        }
    }
}

impl From<ConfigError> for AttachError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}
