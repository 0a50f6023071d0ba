//! [`PeriodicExporter`] sends requests from a thread of its own.

use super::transport::{HttpTransport, LONGEST_WAIT, SendError, Transport};
use super::{FlushError, OtlpExporter, Settings, StartError};
use crate::background::Threads;
use crate::export::ExportedRuntimes;
use core::hash::{BuildHasher as _, Hasher as _};
use core::panic::AssertUnwindSafe;
use core::time::Duration;
use metrics_core::RECORDING;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message as _;
use std::hash::RandomState;
use std::panic::catch_unwind;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
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
/// a random factor from 0.5 to 1.5, or later if the receiver requests it. When the interval has passed, newer values replace those of the
/// request, but not its wait: all values are cumulative, so the newer ones contain the older ones. No interval or wait is longer than a
/// day.
///
/// If the transport, a probe or the error callback panics, the panic hook reports the panic, and the next export is made as usual.
///
/// The resource has the attributes of the exporter and of the settings. If neither has them, `service.name` is `unknown_service`, and
/// `service.instance.id` is random, so that a receiver distinguishes the values of two processes.
///
/// Dropping it sends the last values and waits at most two seconds for that. [`shutdown`](Self::shutdown) returns whether it succeeded. In
/// a forked child, which does not have its parent's threads, dropping it does nothing. If the transport or the error callback drops it,
/// the thread ends without sending.
#[derive(Debug)]
pub struct PeriodicExporter {
    /// `None` if the exporter is disabled.
    thread: Option<Thread>,
}

#[derive(Debug)]
struct Thread {
    /// The thread ends when this is dropped.
    flushes: Sender<Flush>,
    threads: Threads,
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

impl PeriodicExporter {
    /// Starts to post the metrics of one runtime, or of the runtimes in a list, to the endpoint that the
    /// [environment variables](Settings::from_env) of OpenTelemetry set: `http://localhost:4318/v1/metrics` without any. If
    /// `OTEL_SDK_DISABLED` is `true`, it starts no thread and sends nothing. `on_error` is called for each attempt that failed, on the
    /// exporter's thread.
    ///
    /// # Errors
    /// Returns a [`StartError`] if a variable is invalid, if the endpoint is not an `http://` address, or if the operating system refuses a
    /// thread.
    pub fn from_env(
        runtimes: impl Into<ExportedRuntimes>,
        on_error: impl FnMut(&SendError) + Send + 'static,
    ) -> Result<Self, StartError> {
        let settings = Settings::from_env().map_err(StartError::Settings)?;
        Self::start(OtlpExporter::new(runtimes), &settings, on_error)
    }

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
        if !settings.disabled && !scheme.eq_ignore_ascii_case("http://") {
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
        let (mut threads, running) = Threads::new();
        let sending = Sending {
            exporter,
            transport,
            on_error,
            interval: settings.interval.min(LONGEST_WAIT),
            kept: None,
        };
        let handle = std::thread::Builder::new()
            .name("otlp-exporter".to_owned())
            .spawn(move || {
                // Locals are dropped in reverse order: the transport is dropped before `Threads` sees the end.
                let _running = running;
                let mut sending = sending;
                sending.run(&requests);
            })
            .map_err(StartError::Thread)?;
        threads.set_callback(handle.thread().id());
        let thread = Some(Thread { flushes, threads });
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
        let began = Instant::now();
        let result = thread.flush(timeout, true);
        // The values have been sent or not, even if the transport's own drop takes longer.
        let left = timeout.saturating_sub(began.elapsed());
        let _ = thread.threads.end(thread.flushes, left);
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
        if self.threads.are_of_parent() {
            return Err(FlushError::Ended);
        }
        // The thread can't wait for itself.
        if self.threads.is_callback() {
            return Err(FlushError::Timeout);
        }
        let (result, answer) = mpsc::channel();
        let now = Instant::now();
        let deadline = now + timeout.min(LONGEST_WAIT);
        let flush = Flush {
            deadline,
            is_last,
            result,
        };
        self.flushes.send(flush).map_err(|_| FlushError::Ended)?;
        match answer.recv_timeout(deadline.saturating_duration_since(now)) {
            Ok(result) => result.map_err(FlushError::Send),
            Err(RecvTimeoutError::Timeout) => Err(FlushError::Timeout),
            Err(RecvTimeoutError::Disconnected) => Err(FlushError::Panicked),
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
                    if let Some(result) = caught(|| self.flush(flush.deadline)) {
                        // The caller may have stopped waiting.
                        let _ = flush.result.send(result);
                    }
                    if flush.is_last {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) if Instant::now() >= next => {
                    // Intervals that passed during a slow attempt are left out.
                    next = (next + self.interval).max(Instant::now());
                    caught(|| self.export());
                }
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(kept) = self.kept.take() {
                        caught(|| self.attempt(kept.request, kept.attempts));
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Sends the current values. If a request waits for its next attempt, they replace those of the request.
    fn export(&mut self) {
        let request = self.exporter.to_bytes();
        match &mut self.kept {
            Some(kept) if kept.due > Instant::now() => kept.request = request,
            kept => {
                let attempts = kept.as_ref().map_or(0, |kept| kept.attempts);
                // The error was passed to the callback, and the request is kept.
                let _ = self.attempt(request, attempts);
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
                let wait = backoff(attempts, jitter()).max(at_least);
                self.kept = Some(Kept {
                    request,
                    attempts: attempts.saturating_add(1),
                    due: Instant::now() + wait.min(LONGEST_WAIT),
                });
            }
            (self.on_error)(error);
        }
        result
    }
}

/// Runs `export`. Returns `None` if it panics, so that the thread goes on. The panic hook has already reported the panic.
fn caught<R>(export: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(export)).ok()
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

/// Returns the wait after `attempts` earlier failures. `jitter` is from 0 to 1.
fn backoff(attempts: u32, jitter: f64) -> Duration {
    let doubled = FIRST_BACKOFF.saturating_mul(2_u32.saturating_pow(attempts));
    doubled.min(LONGEST_BACKOFF).mul_f64(0.5 + jitter)
}

/// Returns a random number from 0 to 1.
fn jitter() -> f64 {
    (random() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Returns a random number: the standard library seeds each `RandomState` differently.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, Clock, build_wrapped};
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsPartialSuccess;

    /// Ends the exporter's loop with its first request.
    struct First {
        request: Vec<u8>,
        flushes: Option<Sender<Flush>>,
    }

    impl Transport for First {
        fn send(&mut self, request: &[u8]) -> Result<Vec<u8>, SendError> {
            self.request = request.to_vec();
            self.flushes = None;
            Ok(Vec::new())
        }
    }

    #[test]
    fn a_request_that_failed_is_sent_again_as_it_was_if_its_wait_is_over_before_the_interval() {
        let metrics = build_wrapped(Builder::new(), Clock::instant()).unwrap();
        let (flushes, requests) = mpsc::channel();
        let mut sending = Sending {
            exporter: OtlpExporter::new(metrics),
            transport: First {
                request: Vec::new(),
                flushes: Some(flushes),
            },
            on_error: |_: &SendError| {},
            interval: LONGEST_WAIT,
            kept: Some(Kept {
                request: b"kept".to_vec(),
                attempts: 1,
                due: Instant::now(),
            }),
        };
        sending.run(&requests);
        assert_eq!(sending.transport.request, b"kept");
    }

    #[test]
    fn a_warning_of_the_receiver_is_no_error() {
        let accepted = |rejected_data_points| {
            let response = ExportMetricsServiceResponse {
                partial_success: Some(ExportMetricsPartialSuccess {
                    rejected_data_points,
                    error_message: "use gzip".to_owned(),
                }),
            };
            accepted(&response.encode_to_vec())
        };
        assert_eq!(accepted(0), Ok(()));
        assert!(accepted(1).is_err());
    }

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
