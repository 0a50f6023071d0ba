//! [`PeriodicExporter`] sends requests from a thread of its own.

use super::transport::{HttpTransport, SendError, Transport};
use super::{OtlpExporter, Settings};
use core::fmt;
use core::hash::{BuildHasher as _, Hasher as _};
use core::time::Duration;
use metrics_core::RECORDING;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message as _;
use std::hash::RandomState;
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Instant;

/// The wait before the second attempt. It doubles with each attempt.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);
/// How long a drop waits for the last request.
const DROP_PATIENCE: Duration = Duration::from_secs(2);

/// Sends the metrics of an [`OtlpExporter`] at an interval, from a thread of its own, until it is dropped.
///
/// No worker waits for it. A request that fails is kept and sent again, after one second, two, four and so on up to 30, each multiplied by
/// a random factor from 0.5 to 1.5. When the interval has passed, newer values replace it: all values are cumulative, so the newer ones
/// contain it.
///
/// The resource has the attributes of the exporter and of the settings. If neither has them, `service.name` is `unknown_service`, and
/// `service.instance.id` is random, so that the values of two processes are not taken for those of one.
///
/// Dropping it sends the last values and waits at most two seconds for that. [`shutdown`](Self::shutdown) returns whether it succeeded.
#[derive(Debug)]
pub struct PeriodicExporter {
    /// `None` if the exporter is disabled.
    thread: Option<Thread>,
}

#[derive(Debug)]
struct Thread {
    flushes: Sender<Flush>,
    handle: JoinHandle<()>,
}

/// A request to send the current values.
#[derive(Debug)]
struct Flush {
    /// When the thread gives up.
    deadline: Instant,
    /// Whether this is the last one.
    is_last: bool,
    result: Sender<Result<(), SendError>>,
}

/// The error of [`PeriodicExporter::start`].
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The endpoint is not an `http://` address.
    Endpoint(String),
    /// The operating system refused a thread.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
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
            Self::Endpoint(_) => None,
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
    /// The timeout passed before an attempt ended.
    Timeout,
    /// The thread has ended: its error callback has panicked.
    Ended,
}

impl fmt::Display for FlushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(error) => error.fmt(f),
            Self::Timeout => f.write_str("the metrics were not sent in time"),
            Self::Ended => f.write_str("the thread of the exporter has panicked"),
        }
    }
}

impl core::error::Error for FlushError {}

impl PeriodicExporter {
    /// Starts to post requests to the `http://` endpoint of the settings. `on_error` is called for each attempt that failed, on the
    /// exporter's thread.
    ///
    /// # Errors
    /// Returns a [`StartError`] if the endpoint is not an `http://` address, or if the operating system refuses a thread.
    pub fn start(
        exporter: OtlpExporter,
        settings: &Settings,
        on_error: impl FnMut(&SendError) + Send + 'static,
    ) -> Result<Self, StartError> {
        let scheme = settings.endpoint.get(..7).unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("http://") {
            return Err(StartError::Endpoint(settings.endpoint.clone()));
        }
        Self::start_with(exporter, settings, HttpTransport::new(settings), on_error)
    }

    /// Starts to send requests through a transport of your own. The transport itself must then apply the endpoint, headers and timeout of
    /// the settings.
    ///
    /// # Errors
    /// Returns [`StartError::Thread`] if the operating system refuses a thread.
    pub fn start_with(
        mut exporter: OtlpExporter,
        settings: &Settings,
        transport: impl Transport + 'static,
        on_error: impl FnMut(&SendError) + Send + 'static,
    ) -> Result<Self, StartError> {
        if settings.disabled || !RECORDING {
            return Ok(Self { thread: None });
        }
        let own = [
            ("service.name".to_owned(), "unknown_service".to_owned()),
            (
                "service.instance.id".to_owned(),
                format!("{:016x}{:016x}", random(), random()),
            ),
        ];
        for (key, value) in settings.resource.iter().chain(&own) {
            if !exporter.has_resource(key) {
                exporter = exporter.resource(key, value);
            }
        }
        let (flushes, requests) = mpsc::channel();
        let mut sending = Sending {
            exporter,
            transport,
            on_error,
            interval: settings.interval,
            kept: None,
        };
        let handle = std::thread::Builder::new()
            .name("otlp-exporter".to_owned())
            .spawn(move || sending.run(&requests))
            .map_err(StartError::Thread)?;
        let thread = Some(Thread { flushes, handle });
        Ok(Self { thread })
    }

    /// Sends the current values, and waits until the receiver has accepted them.
    ///
    /// # Errors
    /// Returns a [`FlushError`] if it did not accept them within `timeout`. Attempts are repeated until then.
    pub fn flush(&self, timeout: Duration) -> Result<(), FlushError> {
        self.thread
            .as_ref()
            .map_or(Ok(()), |thread| thread.flush(timeout, false))
    }

    /// Sends the last values, waits until the receiver has accepted them, and ends the thread.
    ///
    /// # Errors
    /// Returns a [`FlushError`] if it did not accept them within `timeout`. Attempts are repeated until then.
    pub fn shutdown(mut self, timeout: Duration) -> Result<(), FlushError> {
        self.end(timeout)
    }

    fn end(&mut self, timeout: Duration) -> Result<(), FlushError> {
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        let result = thread.flush(timeout, true);
        if result != Err(FlushError::Timeout) {
            // The thread has answered, so it ends. If the callback panicked, the panic hook has printed it.
            let _ = thread.handle.join();
        }
        result
    }
}

impl Drop for PeriodicExporter {
    fn drop(&mut self) {
        // The callback has received the error.
        let _ = self.end(DROP_PATIENCE);
    }
}

impl Thread {
    fn flush(&self, timeout: Duration, is_last: bool) -> Result<(), FlushError> {
        let (result, answer) = mpsc::channel();
        let now = Instant::now();
        let deadline = now
            .checked_add(timeout)
            .unwrap_or(now + Duration::from_secs(86_400));
        let flush = Flush {
            deadline,
            is_last,
            result,
        };
        self.flushes.send(flush).map_err(|_| FlushError::Ended)?;
        match answer.recv_timeout(deadline.saturating_duration_since(now)) {
            Ok(result) => result.map_err(FlushError::Send),
            Err(RecvTimeoutError::Timeout) => Err(FlushError::Timeout),
            Err(RecvTimeoutError::Disconnected) => Err(FlushError::Ended),
        }
    }
}

/// The state of the thread.
struct Sending<T, E> {
    exporter: OtlpExporter,
    transport: T,
    on_error: E,
    interval: Duration,
    /// The request that failed last, until it is accepted or replaced.
    kept: Option<Kept>,
}

struct Kept {
    request: Vec<u8>,
    attempts: u32,
    /// When it is sent again.
    due: Instant,
}

impl<T: Transport, E: FnMut(&SendError)> Sending<T, E> {
    /// Sends until the last flush, or until the other end is dropped.
    fn run(&mut self, requests: &Receiver<Flush>) {
        let mut next = Instant::now() + self.interval;
        loop {
            let due = self.kept.as_ref().map_or(next, |kept| kept.due.min(next));
            match requests.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(flush) => {
                    let result = self.flush(flush.deadline);
                    // The caller may have stopped waiting.
                    let _ = flush.result.send(result);
                    if flush.is_last {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) if Instant::now() >= next => {
                    // Intervals that passed during a slow attempt are left out.
                    next = (next + self.interval).max(Instant::now());
                    // The error was passed to the callback, and the request is kept.
                    let _ = self.attempt(self.exporter.to_bytes(), 0);
                }
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(kept) = self.kept.take() {
                        let _ = self.attempt(kept.request, kept.attempts);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn flush(&mut self, deadline: Instant) -> Result<(), SendError> {
        let mut result = self.attempt(self.exporter.to_bytes(), 0);
        while result.is_err()
            && let Some(kept) = self.kept.take_if(|kept| kept.due < deadline)
        {
            std::thread::sleep(kept.due.saturating_duration_since(Instant::now()));
            result = self.attempt(kept.request, kept.attempts);
        }
        result
    }

    /// Sends a request. Keeps it if it failed and may be sent again.
    fn attempt(&mut self, request: Vec<u8>, attempts: u32) -> Result<(), SendError> {
        self.kept = None;
        if request.is_empty() {
            return Ok(());
        }
        let result = self
            .transport
            .send(&request)
            .and_then(|response| accepted(&response));
        if let Err(error) = &result {
            if let Some(at_least) = error.retry_after() {
                self.kept = Some(Kept {
                    request,
                    attempts: attempts.saturating_add(1),
                    due: Instant::now() + backoff(attempts, jitter()).max(at_least),
                });
            }
            (self.on_error)(error);
        }
        result
    }
}

/// Returns an error if the receiver refused a part.
fn accepted(response: &[u8]) -> Result<(), SendError> {
    let response = ExportMetricsServiceResponse::decode(response);
    // The status is that of a success, even if the response does not follow the protocol.
    match response.ok().and_then(|response| response.partial_success) {
        Some(partial) if partial.rejected_data_points > 0 => Err(SendError::permanent(format!(
            "{} data points were rejected: {}",
            partial.rejected_data_points, partial.error_message
        ))),
        _ => Ok(()),
    }
}

/// The wait after `attempts` earlier failures. `jitter` is from 0 to 1.
fn backoff(attempts: u32, jitter: f64) -> Duration {
    let doubled = FIRST_BACKOFF.saturating_mul(2_u32.saturating_pow(attempts));
    doubled.min(LONGEST_BACKOFF).mul_f64(0.5 + jitter)
}

/// A random number from 0 to 1.
fn jitter() -> f64 {
    (random() >> 11) as f64 / (1_u64 << 53) as f64
}

/// The standard library seeds each `RandomState` differently.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_half_a_minute_and_is_spread() {
        let middle: Vec<u64> = (0..8).map(|attempts| backoff(attempts, 0.5).as_secs()).collect();
        assert_eq!(middle, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(backoff(0, 0.0), Duration::from_millis(500));
        assert_eq!(backoff(u32::MAX, 1.0), Duration::from_secs(45));
        let drawn: Vec<f64> = (0..100).map(|_| jitter()).collect();
        assert!(
            drawn.iter().all(|jitter| (0.0..1.0).contains(jitter)),
            "{drawn:?}"
        );
        assert!(drawn.iter().any(|jitter| *jitter < 0.5) && drawn.iter().any(|jitter| *jitter > 0.5));
    }
}
