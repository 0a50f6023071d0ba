//! The exporter's thread: what it sends, when it tries again, and how it ends.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use metrics_core::{NoClock, Probe, RuntimeNumber};
use metrics_std::otlp::{
    ExportMetricsServiceRequest, FlushError, OtlpExporter, PeriodicExporter, SendError, Settings, StartError,
    Transport,
};
use metrics_std::{Builder, Clock, RuntimeMetrics, build_wrapped};
use prost::Message as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// More than any wait takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn runtime() -> RuntimeMetrics {
    build_wrapped(Builder::new().name("main"), Clock::instant()).expect("the defaults work")
}

fn settings(interval: Duration) -> Settings {
    let mut settings = Settings::default();
    settings.interval = interval;
    settings
}

/// The number of spawned tasks in a request.
fn spawned(request: &[u8]) -> i64 {
    use opentelemetry_proto::tonic::metrics::v1::{metric::Data, number_data_point::Value};
    let request = ExportMetricsServiceRequest::decode(request).expect("it is a request");
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    let metric = metrics
        .iter()
        .find(|metric| metric.name == "async_runtime.tasks_spawned");
    match metric.and_then(|metric| metric.data.as_ref()) {
        Some(Data::Sum(sum)) => match sum.data_points[0].value {
            Some(Value::AsInt(spawned)) => spawned,
            ref other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// Passes requests to the test, which answers each.
struct Scripted {
    requests: Sender<Vec<u8>>,
    answers: Receiver<Result<Vec<u8>, SendError>>,
}

impl Transport for Scripted {
    fn send(&mut self, request: &[u8]) -> Result<Vec<u8>, SendError> {
        let gone = |_| SendError::permanent("the test has ended");
        self.requests
            .send(request.to_vec())
            .map_err(|_| SendError::permanent("the test has ended"))?;
        self.answers.recv().map_err(gone)?
    }
}

struct Script {
    requests: Receiver<Vec<u8>>,
    answers: Sender<Result<Vec<u8>, SendError>>,
    errors: Receiver<String>,
}

impl Script {
    fn start(runtime: &RuntimeMetrics, interval: Duration) -> (Self, PeriodicExporter) {
        Self::start_exporter(OtlpExporter::new(runtime.clone()), interval)
    }

    fn start_exporter(exporter: OtlpExporter, interval: Duration) -> (Self, PeriodicExporter) {
        let (sender, requests) = mpsc::channel();
        let (answers, receiver) = mpsc::channel();
        let (failed, errors) = mpsc::channel();
        let transport = Scripted {
            requests: sender,
            answers: receiver,
        };
        let exporter = PeriodicExporter::start_with(exporter, &settings(interval), transport, move |error| {
            drop(failed.send(error.to_string()));
        });
        let script = Self {
            requests,
            answers,
            errors,
        };
        (script, exporter.expect("there are threads"))
    }

    fn next(&self) -> Vec<u8> {
        self.requests.recv_timeout(PATIENCE).expect("it sends")
    }

    fn answer(&self, answer: Result<Vec<u8>, SendError>) {
        self.answers.send(answer).expect("it waits");
    }
}

const NEVER: Duration = Duration::from_secs(86_400);

#[test]
fn each_interval_sends_the_values_of_its_time() {
    let runtime = runtime();
    let (script, exporter) = Script::start(&runtime, Duration::from_millis(1));
    for tasks in 0..3 {
        // The first requests after the answer may have been made before the task was counted.
        while spawned(&script.next()) != tasks {
            script.answer(Ok(Vec::new()));
        }
        runtime.registry().shared().task_spawned();
        script.answer(Ok(Vec::new()));
    }
    drop(script);
    drop(exporter);
}

#[test]
fn a_failed_request_is_kept_and_sent_again_as_it_was() {
    let runtime = runtime();
    let (script, exporter) = Script::start(&runtime, NEVER);
    thread::scope(|scope| {
        let flushed = scope.spawn(|| exporter.flush(PATIENCE));
        let first = script.next();
        runtime.registry().shared().task_spawned();
        script.answer(Err(SendError::temporary("try later")));
        assert_eq!(script.next(), first);
        script.answer(Ok(Vec::new()));
        assert_eq!(flushed.join().expect("no panic"), Ok(()));
    });
    assert_eq!(
        script.errors.recv_timeout(PATIENCE).as_deref(),
        Ok("metrics were not sent: try later")
    );
}

#[test]
fn newer_values_replace_a_request_that_waits_for_its_next_attempt() {
    let runtime = runtime();
    let (script, exporter) = Script::start(&runtime, Duration::from_millis(1));
    assert_eq!(spawned(&script.next()), 0);
    runtime.registry().shared().task_spawned();
    // The interval passes before the wait, which takes at least 500 ms.
    script.answer(Err(SendError::temporary("full")));
    assert_eq!(spawned(&script.next()), 1);
    script.answer(Ok(Vec::new()));
    drop(script);
    drop(exporter);
}

/// Reports each time it is read.
#[derive(Clone)]
struct Reported(Sender<()>);

impl Probe for Reported {
    fn runtime(&self, number: RuntimeNumber) -> Option<u64> {
        if number == RuntimeNumber::GlobalQueueDepth {
            // The test may have ended.
            let _ = self.0.send(());
        }
        None
    }
}

#[test]
fn nothing_is_sent_before_the_time_that_the_receiver_requested() {
    let (sender, reads) = mpsc::channel();
    let registry = metrics_core::Builder::new().name("main").build(NoClock);
    let runtime =
        metrics_core::RuntimeMetrics::with_probe(registry.expect("the defaults work"), Reported(sender));
    let (script, exporter) = Script::start_exporter(OtlpExporter::new(runtime), Duration::from_millis(1));
    script.next();
    script.answer(Err(SendError::temporary("full").not_before(NEVER)));
    // Several intervals pass.
    for _ in 0..4 {
        reads.recv_timeout(PATIENCE).expect("the values are still read");
    }
    assert!(script.requests.try_recv().is_err());
    drop(script);
    drop(exporter);
}

#[test]
fn durations_that_are_too_long_for_an_instant_do_not_end_the_thread() {
    let (script, exporter) = Script::start(&runtime(), Duration::MAX);
    let full = SendError::temporary("full").not_before(Duration::MAX);
    script.answer(Err(full.clone()));
    assert_eq!(exporter.flush(PATIENCE), Err(FlushError::Send(full)));
    script.answer(Ok(Vec::new()));
    assert_eq!(exporter.flush(PATIENCE), Ok(()));
}

/// Panics once, in the place with this name.
#[derive(Clone)]
struct PanicsOnce {
    place: &'static str,
    will_panic: Arc<AtomicBool>,
}

impl PanicsOnce {
    fn at(&self, place: &str) {
        assert!(
            self.place != place || !self.will_panic.swap(false, Ordering::Relaxed),
            "the test panics in the {place}"
        );
    }
}

impl Probe for PanicsOnce {
    fn runtime(&self, _: RuntimeNumber) -> Option<u64> {
        self.at("probe");
        None
    }
}

impl Transport for PanicsOnce {
    fn send(&mut self, _: &[u8]) -> Result<Vec<u8>, SendError> {
        self.at("transport");
        if self.place == "callback" && self.will_panic.load(Ordering::Relaxed) {
            return Err(SendError::permanent("refused"));
        }
        Ok(Vec::new())
    }
}

#[test]
fn a_panic_fails_one_export_and_not_the_next() {
    for place in ["probe", "transport", "callback"] {
        let panics = PanicsOnce {
            place,
            will_panic: Arc::new(AtomicBool::new(true)),
        };
        let registry = metrics_core::Builder::new().name("main").build(NoClock);
        let runtime =
            metrics_core::RuntimeMetrics::with_probe(registry.expect("the defaults work"), panics.clone());
        let callback = panics.clone();
        let exporter =
            PeriodicExporter::start_with(OtlpExporter::new(runtime), &settings(NEVER), panics, move |_| {
                callback.at("callback");
            });
        let exporter = exporter.expect("there are threads");
        assert!(exporter.flush(PATIENCE).is_err(), "{place}");
        assert_eq!(exporter.flush(PATIENCE), Ok(()), "{place}");
        assert_eq!(exporter.shutdown(PATIENCE), Ok(()), "{place}");
    }
}

#[test]
fn a_permanent_error_is_not_repeated_and_a_flush_returns_it() {
    let runtime = runtime();
    let (script, exporter) = Script::start(&runtime, NEVER);
    let refused = SendError::permanent("wrong password");
    script.answer(Err(refused.clone()));
    assert_eq!(exporter.flush(PATIENCE), Err(FlushError::Send(refused)));
    script.next();
    script.answer(Ok(Vec::new()));
    assert_eq!(exporter.flush(PATIENCE), Ok(()));
    script.next();
    assert!(script.requests.try_recv().is_err());
}

#[test]
fn rejected_points_are_an_error_with_the_receivers_message() {
    use opentelemetry_proto::tonic::collector::metrics::v1::{
        ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
    };
    let (script, exporter) = Script::start(&runtime(), NEVER);
    let response = ExportMetricsServiceResponse {
        partial_success: Some(ExportMetricsPartialSuccess {
            rejected_data_points: 3,
            error_message: "too old".to_owned(),
        }),
    };
    script.answer(Ok(response.encode_to_vec()));
    let error = exporter.flush(PATIENCE).expect_err("it was rejected").to_string();
    assert_eq!(
        error,
        "metrics were not sent: 3 data points were rejected: too old"
    );
}

#[test]
fn a_shutdown_sends_the_last_values_and_ends_the_thread() {
    let runtime = runtime();
    let (script, exporter) = Script::start(&runtime, NEVER);
    runtime.registry().shared().task_spawned();
    script.answer(Ok(Vec::new()));
    assert_eq!(exporter.shutdown(PATIENCE), Ok(()));
    assert_eq!(spawned(&script.next()), 1);
    // The thread has dropped the transport.
    assert!(script.requests.recv().is_err());
}

#[test]
fn a_drop_sends_the_last_values() {
    let runtime = runtime();
    let (script, exporter) = Script::start(&runtime, NEVER);
    runtime.registry().shared().task_spawned();
    script.answer(Ok(Vec::new()));
    drop(exporter);
    assert_eq!(spawned(&script.next()), 1);
}

#[test]
fn no_request_is_sent_before_its_interval_has_passed() {
    let interval = Duration::from_millis(50);
    let began = Instant::now();
    let (script, exporter) = Script::start(&runtime(), interval);
    for intervals in 1..=3 {
        script.next();
        assert!(began.elapsed() >= intervals * interval);
        script.answer(Ok(Vec::new()));
    }
    drop(script);
    drop(exporter);
}

#[test]
fn a_shutdown_gives_up_when_its_time_is_over() {
    let (script, exporter) = Script::start(&runtime(), NEVER);
    // The transport never gets an answer.
    assert_eq!(
        exporter.shutdown(Duration::from_millis(1)),
        Err(FlushError::Timeout)
    );
    script.next();
}

#[test]
fn a_disabled_exporter_starts_no_thread_and_sends_nothing() {
    let mut settings = settings(Duration::from_millis(1));
    settings.disabled = true;
    settings.endpoint = "https://collector:4318/v1/metrics".to_owned();
    let exporter = OtlpExporter::new(runtime());
    let exporter = PeriodicExporter::start(exporter, &settings, |_| {}).expect("it does nothing");
    assert_eq!(format!("{exporter:?}"), "PeriodicExporter { thread: None }");
    assert_eq!(exporter.flush(Duration::ZERO), Ok(()));
}

#[test]
fn an_endpoint_with_tls_needs_a_transport() {
    let mut settings = settings(NEVER);
    settings.endpoint = "https://collector:4318/v1/metrics".to_owned();
    let started = PeriodicExporter::start(OtlpExporter::new(runtime()), &settings, |_| {});
    assert!(matches!(started, Err(StartError::Endpoint(endpoint)) if endpoint == settings.endpoint));
}

/// The head and the body of a request.
type Received = (String, Vec<u8>);

/// An HTTP server that gives these answers in turn, and returns the requests.
fn receiver(answers: &'static [&'static str]) -> (String, JoinHandle<Vec<Received>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("no free port");
    let endpoint = format!(
        "http://{}/v1/metrics",
        listener.local_addr().expect("it is bound")
    );
    let serve = move || {
        let mut received = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                reader.read_line(&mut head).expect("it sends");
            }
            let length = head.to_lowercase();
            let length = length.split("content-length: ").nth(1).expect("it has a length");
            let mut body = vec![
                0;
                length
                    .split("\r\n")
                    .next()
                    .expect("a line")
                    .parse()
                    .expect("a number")
            ];
            reader.read_exact(&mut body).expect("it sends");
            write!(
                stream,
                "HTTP/1.1 {answer}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            )
            .expect("it reads");
            received.push((head, body));
        }
        received
    };
    (endpoint, thread::spawn(serve))
}

#[test]
fn requests_are_posted_with_headers_and_again_if_the_receiver_is_unavailable() {
    let (endpoint, received) = receiver(&["503 Unavailable", "200 OK"]);
    let mut settings = settings(NEVER);
    settings.endpoint = endpoint;
    settings.headers = vec![("api-key".to_owned(), "secret".to_owned())];
    settings.resource = vec![("service.name".to_owned(), "shop".to_owned())];
    let exporter =
        PeriodicExporter::start(OtlpExporter::new(runtime()), &settings, |_| {}).expect("it starts");
    assert_eq!(exporter.shutdown(PATIENCE), Ok(()));
    let received = received.join().expect("no panic");
    for (head, body) in &received {
        let head = head.to_lowercase();
        assert!(head.starts_with("post /v1/metrics http/1.1\r\n"), "{head}");
        assert!(
            head.contains("\r\ncontent-type: application/x-protobuf\r\n"),
            "{head}"
        );
        assert!(head.contains("\r\napi-key: secret\r\n"), "{head}");
        let request = ExportMetricsServiceRequest::decode(body.as_slice()).expect("it is a request");
        let resource = request.resource_metrics[0]
            .resource
            .as_ref()
            .expect("it has a resource");
        let keys: Vec<&str> = resource.attributes.iter().map(|pair| pair.key.as_str()).collect();
        assert_eq!(keys, ["service.name", "service.instance.id"]);
    }
    assert_eq!(received.len(), 2);
}

#[test]
fn other_statuses_are_permanent_errors() {
    let (endpoint, received) = receiver(&["400 Bad Request"]);
    let mut settings = settings(NEVER);
    settings.endpoint = endpoint;
    let exporter =
        PeriodicExporter::start(OtlpExporter::new(runtime()), &settings, |_| {}).expect("it starts");
    let error = exporter.flush(PATIENCE).expect_err("it was refused").to_string();
    assert_eq!(error, "metrics were not sent: the response is 400 Bad Request");
    received.join().expect("no panic");
}

#[test]
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "x86")),
    ignore = "under an emulator a program can't start itself"
)]
fn the_environment_sets_the_endpoint() {
    // The variables are those of a process, so the exporter runs in a process of its own.
    const STEP: &str = "METRICS_STD_EXPORTS";
    match std::env::var(STEP).as_deref() {
        Ok("sends") => {
            let exporter = PeriodicExporter::from_env(runtime(), |error| panic!("{error}"));
            let exporter = exporter.expect("the variables are valid");
            return assert_eq!(exporter.shutdown(PATIENCE), Ok(()));
        }
        Ok("refuses") => {
            let error = PeriodicExporter::from_env(runtime(), |_| {}).expect_err("grpc is not supported");
            assert!(matches!(&error, StartError::Settings(error) if error.value.as_deref() == Some("grpc")));
            let shown = error.to_string();
            assert!(
                shown.starts_with("OTEL_EXPORTER_OTLP_PROTOCOL=\"grpc\" is not"),
                "{shown}"
            );
            return assert!(core::error::Error::source(&error).is_none(), "it is printed once");
        }
        _ => {}
    }
    let (endpoint, received) = receiver(&["200 OK"]);
    let child = |step, variable, value: &str| {
        let this = std::env::current_exe().expect("this test has a path");
        let output = std::process::Command::new(this)
            .args([
                "--exact",
                "--nocapture",
                "periodic::the_environment_sets_the_endpoint",
            ])
            .env_clear()
            .env(STEP, step)
            .env("OTEL_SERVICE_NAME", "thumbnails")
            .env(variable, value)
            .output();
        let output = output.expect("it starts");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{step}: {text}"
        );
    };
    child("refuses", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    child("sends", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", &endpoint);
    let received = received.join().expect("it received");
    let request = ExportMetricsServiceRequest::decode(&*received[0].1).expect("it is a request");
    let resource = request.resource_metrics[0]
        .resource
        .as_ref()
        .expect("it has attributes");
    assert!(format!("{resource:?}").contains("thumbnails"), "{resource:?}");
}
