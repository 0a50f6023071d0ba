//! The errors of the periodic exporter.

use super::{SendError, SettingsError};
use core::fmt;
use std::io;

/// The error of a [`PeriodicExporter`](super::PeriodicExporter) that can't be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// An environment variable of OpenTelemetry is invalid.
    Settings(SettingsError),
    /// The endpoint is not an `http://` address.
    Endpoint(String),
    /// The operating system refused a thread.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(error) => error.fmt(f),
            Self::Endpoint(endpoint) => write!(
                f,
                "the endpoint {endpoint:?} is not an http:// address: for TLS or another protocol, pass a transport to start_with"
            ),
            Self::Thread(_) => f.write_str("the thread of the exporter could not be started"),
        }
    }
}

impl core::error::Error for StartError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Settings(_) | Self::Endpoint(_) => None,
            Self::Thread(error) => Some(error),
        }
    }
}

/// The error of a flush.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlushError {
    /// The receiver did not accept the values. This is the error of the last attempt.
    Send(SendError),
    /// The timeout passed before an attempt ended, or the call came from the exporter's own thread (from the transport or the error
    /// callback), which can't wait for itself.
    Timeout,
    /// The transport, a probe or the error callback has panicked.
    Panicked,
    /// The exporter has no thread in this process, which is a forked child.
    Ended,
}

impl fmt::Display for FlushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(error) => error.fmt(f),
            Self::Timeout => f.write_str("the metrics were not sent in time"),
            Self::Panicked => f.write_str("the transport, a probe or the error callback has panicked"),
            Self::Ended => {
                f.write_str("a forked child does not have the exporter's thread: start an exporter in it")
            }
        }
    }
}

impl core::error::Error for FlushError {}

#[cfg(test)]
mod tests {
    use super::*;
    use core::error::Error as _;

    #[test]
    fn an_error_says_what_failed_and_prints_its_source_once() {
        let error = StartError::Thread(io::Error::other("no more threads"));
        assert_eq!(
            error.to_string(),
            "the thread of the exporter could not be started"
        );
        let source = error.source().map(ToString::to_string);
        assert_eq!(source.as_deref(), Some("no more threads"));
        let error = StartError::Endpoint("https://collector".to_owned());
        assert!(error.to_string().contains("\"https://collector\""), "{error}");
        assert!(error.source().is_none());
        let error = FlushError::Send(SendError::permanent("wrong password"));
        assert_eq!(error.to_string(), "metrics were not sent: wrong password");
        for error in [FlushError::Timeout, FlushError::Panicked, FlushError::Ended] {
            assert!(error.to_string().contains(' '), "{error}");
        }
    }
}
