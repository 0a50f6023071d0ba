//! Sends a request to its receiver.

use super::Settings;
use super::settings::HeaderNames;
use core::error::Error as _;
use core::fmt;
use core::time::Duration;
use ureq::Agent;
use ureq::http::header;

/// The longest timeout, interval and wait. An instant that is later by [`Duration::MAX`] does not exist.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

/// Sends requests of a [`PeriodicExporter`](super::PeriodicExporter). Implement it to send them with TLS, or over gRPC.
pub trait Transport: Send {
    /// Sends one `ExportMetricsServiceRequest` in protobuf, and returns the body of the response.
    ///
    /// # Errors
    /// Returns a [`SendError`] if the receiver did not accept the request. Give up after a timeout: no other request is sent meanwhile.
    fn send(&mut self, request: &[u8]) -> Result<Vec<u8>, SendError>;
}

/// The error of a request that was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendError {
    message: String,
    /// `None` if sending it again is useless.
    retry_after: Option<Duration>,
}

impl SendError {
    /// Creates an error after which a later attempt may succeed, such as a refused connection.
    pub fn temporary(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            retry_after: Some(Duration::ZERO),
        }
    }

    /// Creates an error that every attempt would return, such as that of a wrong password.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            retry_after: None,
        }
    }

    /// Sets the least time until the next attempt, which receivers request with the header `Retry-After`.
    #[must_use]
    pub fn not_before(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Returns the least time until the next attempt. `None` if there is none.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "metrics were not sent: {}", self.message)
    }
}

impl core::error::Error for SendError {}

/// HTTP without TLS.
///
/// `Debug` prints the names of the headers without their values, which may be secret.
pub struct HttpTransport {
    agent: Agent,
    endpoint: String,
    headers: Vec<(String, String)>,
}

impl HttpTransport {
    pub(super) fn new(settings: &Settings) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(settings.timeout.min(LONGEST_WAIT)))
            .http_status_as_error(false)
            .max_redirects(0)
            // Otherwise a proxy would be taken from an environment variable that OpenTelemetry does not specify.
            .proxy(None)
            .build();
        Self {
            agent: config.into(),
            endpoint: settings.endpoint.clone(),
            headers: settings.headers.clone(),
        }
    }
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport")
            .field("endpoint", &self.endpoint)
            .field("headers", &HeaderNames(&self.headers))
            .finish_non_exhaustive()
    }
}

impl Transport for HttpTransport {
    fn send(&mut self, request: &[u8]) -> Result<Vec<u8>, SendError> {
        let mut post = self
            .agent
            .post(&self.endpoint)
            .header(header::CONTENT_TYPE, "application/x-protobuf");
        for (name, value) in &self.headers {
            post = post.header(name, value);
        }
        let mut response = post.send(request).map_err(|error| match error {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => SendError::permanent(with_source(&error)),
            error => SendError::temporary(with_source(&error)),
        })?;
        let status = response.status();
        if status.is_success() {
            let body = response.body_mut().read_to_vec();
            return body.map_err(|error| SendError::temporary(with_source(&error)));
        }
        let message = format!("the response is {status}");
        let wait = response.headers().get(header::RETRY_AFTER);
        let wait = wait.and_then(|wait| wait.to_str().ok()?.trim().parse().ok());
        // The statuses that the specification of OTLP lists as retryable.
        Err(match status.as_u16() {
            429 | 502 | 503 | 504 => {
                let error = SendError::temporary(message);
                match wait {
                    Some(seconds) => error.not_before(Duration::from_secs(seconds)),
                    None => error,
                }
            }
            _ => SendError::permanent(message),
        })
    }
}

fn with_source(error: &ureq::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_connection_is_a_temporary_error_with_its_cause() {
        // No service uses port 1, and no test is given it.
        let settings = Settings {
            endpoint: "http://127.0.0.1:1/v1/metrics".to_owned(),
            ..Settings::default()
        };
        let error = HttpTransport::new(&settings)
            .send(b"request")
            .expect_err("nothing listens");
        assert_eq!(error.retry_after(), Some(Duration::ZERO));
        assert!(error.to_string().to_lowercase().contains("refused"), "{error}");
    }
}
