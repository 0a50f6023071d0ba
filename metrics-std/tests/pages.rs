//! The pages with a runtime's metrics, over real connections.
#![allow(missing_docs)]

use axum::Router;
use axum::http::HeaderValue;
use axum::routing::get;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use metrics_mock::ManualClock;
use metrics_std::location::intern_name;
use metrics_std::serve::{Pages, Server, start};
use metrics_std::tokio::{MeasuredRuntime, attach};
use metrics_std::{
    Builder, Clock, HistogramConfig, MetricSet, NoProbe, PollStart, RuntimeMetrics, build_wrapped,
};
use serde_json::{Value, json};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Instant;

const LOCAL: &str = "127.0.0.1:0";
/// Far longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn metrics() -> RuntimeMetrics {
    build_wrapped(Builder::new().name("pool"), Clock::instant()).unwrap()
}

struct Answer {
    status: u16,
    /// In lower case.
    headers: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.headers.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

fn send(address: SocketAddr, method: &str, path: &str, host: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\n{host}Connection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let (status, headers) = head.split_once("\r\n").unwrap();
    Answer {
        status: status.split(' ').nth(1).unwrap().parse().unwrap(),
        headers: headers.replace("\r\n", "\n").to_lowercase(),
        body: body.to_owned(),
    }
}

fn ask(server: &Server, method: &str, path: &str) -> Answer {
    let address = server.local_addr();
    send(address, method, path, &format!("Host: {address}\r\n"))
}

#[test]
fn a_flight_recorder_adds_a_trace_and_the_blame() {
    let clock = Arc::new(ManualClock::new());
    let builder = Builder::new()
        .name("pool")
        .measures(MetricSet::ALL)
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT)
        .flight_recorder(64);
    let built = metrics_std::build(builder, Clock::custom(Arc::clone(&clock)), NoProbe).unwrap();
    let (metrics, worker) = (built.metrics, &built.workers[0]);
    let woken = worker.now();
    for (name, scheduled_at, millis) in [("hog", None, 40), ("quick", Some(woken), 1)] {
        worker.start_poll(PollStart {
            scheduled_at,
            spawn_location: intern_name(name),
        });
        clock.advance(Duration::from_millis(millis));
        worker.end_poll();
    }
    let server = start(&metrics, LOCAL).unwrap();
    let snapshot: Value = serde_json::from_str(&ask(&server, "GET", "/snapshot").body).unwrap();
    assert_eq!(
        snapshot["blame"],
        json!({
            "span": "41000000",
            "is_sampled": false,
            "rows": [{ "victim": "quick", "culprit": { "polls": "hog" }, "waited": "40000000" }],
        })
    );
    let decoded: metrics_std::Snapshot = serde_json::from_value(snapshot).unwrap();
    assert_eq!(decoded.name(), "pool");

    let trace = ask(&server, "GET", "/trace");
    assert_eq!(
        (trace.status, trace.header("content-type")),
        (200, Some("application/json"))
    );
    let trace: Value = serde_json::from_str(&trace.body).unwrap();
    let slices = trace["traceEvents"].as_array().unwrap().iter();
    let micros = |event: &Value| event["dur"].as_f64().unwrap_or_default();
    let longest = slices.max_by(|one, other| micros(one).total_cmp(&micros(other)));
    assert_eq!(longest.unwrap()["name"], "hog");
    let end = Instant::now() + PATIENCE;
    let refused = loop {
        // A machine that stands still for a second permits another trace.
        let answer = ask(&server, "GET", "/trace");
        if answer.status != 200 {
            break answer;
        }
        assert!(Instant::now() < end, "every trace was permitted");
    };
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
}

#[test]
fn a_runtime_without_a_flight_recorder_has_no_trace() {
    let server = start(&metrics(), LOCAL).unwrap();
    assert_eq!(ask(&server, "GET", "/trace").status, 404);
    let snapshot: Value = serde_json::from_str(&ask(&server, "GET", "/snapshot").body).unwrap();
    assert_eq!(snapshot.get("blame"), Some(&Value::Null));
}

#[test]
fn each_page_is_served_under_a_policy_and_without_cors() {
    let server = start(&metrics(), LOCAL).unwrap();
    for (path, kind, part) in [
        ("/", "text/html", "<script"),
        ("/dashboard.js", "text/javascript", "import"),
        ("/style.css", "text/css", "{"),
        ("/icon.svg", "image/svg+xml", "<svg"),
        ("/metrics", "text/plain", "runtime=\"pool\""),
        ("/snapshot", "application/json", "\"pool\""),
    ] {
        let page = ask(&server, "GET", path);
        assert_eq!(page.status, 200, "{path}");
        assert!(page.header("content-type").unwrap().starts_with(kind), "{path}");
        assert!(page.body.contains(part), "{path}: {}", page.body);
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'self';"), "{policy}");
        assert_eq!(page.header("access-control-allow-origin"), None);

        let head = ask(&server, "HEAD", path);
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        assert_eq!(ask(&server, "POST", path).status, 405, "{path}");
        assert_eq!(ask(&server, "DELETE", path).status, 405, "{path}");
    }
    assert_eq!(ask(&server, "GET", "/other").status, 404);
}

#[test]
fn a_request_to_an_unknown_host_is_refused() {
    let pages = Pages::new(&metrics()).allow_host("metrics.internal");
    let server = pages.start(LOCAL).unwrap();
    let status = |host| send(server.local_addr(), "GET", "/snapshot", host).status;
    assert_eq!(status("Host: localhost\r\n"), 200);
    assert_eq!(status("Host: metrics.internal:80\r\n"), 200);
    assert_eq!(status("Host: rebound.example\r\n"), 421);
    assert_eq!(status(""), 421);
}

#[test]
fn an_origin_can_be_allowed() {
    let pages = Pages::new(&metrics()).allow_origin(HeaderValue::from_static("https://a.example"));
    let server = pages.start(LOCAL).unwrap();
    let page = ask(&server, "GET", "/snapshot");
    assert_eq!(
        page.header("access-control-allow-origin"),
        Some("https://a.example")
    );
}

#[test]
fn a_connection_without_headers_is_closed() {
    let pages = Pages::new(&metrics()).header_timeout(Duration::from_millis(20));
    let server = pages.start(LOCAL).unwrap();
    let mut stream = TcpStream::connect(server.local_addr()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /snapshot HTTP/1.1\r\n").unwrap();
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

#[test]
fn a_header_timeout_has_no_upper_limit() {
    let pages = Pages::new(&metrics()).header_timeout(Duration::MAX);
    let server = pages.start(LOCAL).unwrap();
    assert_eq!(ask(&server, "GET", "/snapshot").status, 200);
}

#[test]
fn further_connections_wait_until_one_of_64_ends() {
    const ALL: usize = 96;
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (begun, has_begun) = mpsc::channel();
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let waits = get({
        let (most, gate) = (Arc::clone(&most), Arc::clone(&gate));
        async move || {
            most.fetch_max(running.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            begun.send(()).unwrap();
            gate.acquire().await.unwrap().forget();
            running.fetch_sub(1, Ordering::Relaxed);
        }
    });
    let pages = Pages::new(&metrics()).map_router(|router| router.route("/waits", waits));
    let server = pages.start(LOCAL).unwrap();
    let connections: Vec<_> = (0..ALL)
        .map(|_| {
            let mut stream = TcpStream::connect(server.local_addr()).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream
                .write_all(b"GET /waits HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .unwrap();
            stream
        })
        .collect();
    for _ in 0..64 {
        has_begun.recv_timeout(PATIENCE).unwrap();
    }
    for _ in 64..ALL {
        gate.add_permits(1);
        has_begun.recv_timeout(PATIENCE).unwrap();
    }
    assert_eq!(most.load(Ordering::Relaxed), 64);
    gate.add_permits(64);
    for mut connection in connections {
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[test]
fn a_blocked_worker_does_not_block_the_pages_which_are_no_tasks() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let MeasuredRuntime { metrics, spawner, .. } = attach(runtime.handle()).unwrap();
    let (begun, has_begun) = mpsc::channel();
    let (end, may_end) = mpsc::channel::<()>();
    let task = spawner.spawn(async move {
        begun.send(()).unwrap();
        let _ = may_end.recv();
    });
    has_begun.recv().unwrap();
    let server = start(&metrics, LOCAL).unwrap();
    let page = ask(&server, "GET", "/snapshot").body;
    assert!(
        page.contains("\"polling\"") && page.contains("pages.rs"),
        "{page}"
    );
    drop(end);
    runtime.block_on(task).unwrap();
    assert_eq!(metrics.spawned_tasks_count(), Some(1));
    // Tokio counts the end of a task after it has woken the task that waits for it.
    let end = Instant::now() + PATIENCE;
    while metrics.num_alive_tasks() != Some(0) {
        assert!(Instant::now() < end, "{:?}", metrics.num_alive_tasks());
        std::thread::yield_now();
    }
}

#[test]
fn the_dashboard_of_a_mounted_router_loads_its_files() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let spawner = attach(runtime.handle()).unwrap().spawner;
    let app = Router::new()
        .nest_service("/ops/internal", Pages::new(&metrics()).router())
        .nest("/nested/", Pages::new(&metrics()).router());
    let _inside = runtime.enter();
    let listener = runtime.block_on(tokio::net::TcpListener::bind(LOCAL)).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(metrics_std::axum::serve(listener, app, &spawner).into_future());
    let get = |path: &str| send(address, "GET", path, "Host: service.example\r\n");

    let redirect = get("/ops/internal");
    assert_eq!(redirect.status, 307);
    // Relative to `/ops/`, which a proxy may have mounted elsewhere.
    assert_eq!(redirect.header("location"), Some("./internal/"));
    for mounted in ["/ops/internal/", "/nested/"] {
        let page = get(mounted);
        assert_eq!(page.status, 200, "{mounted}");
        assert!(page.body.contains("src=\"dashboard.js\""), "{}", page.body);
        let script = get(&format!("{mounted}dashboard.js"));
        assert_eq!(script.status, 200, "{mounted}");
        assert_eq!(
            script.header("content-type"),
            Some("text/javascript; charset=utf-8")
        );
    }
}

#[test]
fn the_pages_can_be_mounted_in_a_service() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let spawner = attach(runtime.handle()).unwrap().spawner;
    let app = Router::new()
        .route("/", get(async || "the service"))
        .nest("/internal", Pages::new(&metrics()).router());
    let listener = TcpListener::bind(LOCAL).unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let _inside = runtime.enter();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let serve = metrics_std::axum::serve(listener, app, &spawner);
    runtime.spawn(serve.into_future());
    let host = "Host: service.example\r\n";
    let page = send(address, "GET", "/internal/snapshot", host);
    assert_eq!(page.status, 200);
    assert!(page.header("content-security-policy").is_some());
    let own = send(address, "GET", "/", host);
    assert_eq!(own.body, "the service");
    assert_eq!(own.header("content-security-policy"), None);
}

#[test]
fn a_server_that_is_shut_down_answers_no_request() {
    const MARK: &str = "the server of this test";
    let pages = Pages::new(&metrics()).map_router(|router| router.route("/mark", get(|| async { MARK })));
    let server = pages.start(LOCAL).unwrap();
    let address = server.local_addr();
    assert_eq!(ask(&server, "GET", "/mark").body, MARK);
    server.shutdown(PATIENCE).unwrap();
    // Another test may listen on the same port by now.
    if let Ok(mut stream) = TcpStream::connect(address) {
        stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let request = format!("GET /mark HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        let _ = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!String::from_utf8_lossy(&answer).contains(MARK));
    }

    // Inside a runtime, where blocking on another would panic.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let server = start(&metrics(), LOCAL).unwrap();
        drop(server);
        start(&metrics(), LOCAL).unwrap().shutdown(PATIENCE).unwrap();
    });
}

#[test]
fn a_handler_that_blocks_does_not_block_the_shutdown() {
    let (begun, has_begun) = mpsc::channel();
    let (end, may_end) = mpsc::channel::<()>();
    let may_end = Arc::new(Mutex::new(may_end));
    let blocks = get(async move || {
        begun.send(()).unwrap();
        let _ = may_end.lock().unwrap().recv();
    });
    let pages = Pages::new(&metrics()).map_router(|router| router.route("/blocks", blocks));
    let server = pages.start(LOCAL).unwrap();
    let mut stream = TcpStream::connect(server.local_addr()).unwrap();
    stream
        .write_all(b"GET /blocks HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    has_begun.recv().unwrap();
    let timeout = Duration::ZERO;
    let error = server.shutdown(timeout).unwrap_err();
    assert_eq!(error.timeout, timeout);
    drop(end);
}

#[test]
fn a_handler_that_shuts_its_server_down_does_not_wait_for_itself() {
    let server = Arc::new(Mutex::new(None::<Server>));
    let (ended, has_ended) = mpsc::channel();
    let ends = get({
        let server = Arc::clone(&server);
        async move || {
            let server = server.lock().unwrap().take().unwrap();
            ended.send(server.shutdown(Duration::ZERO)).unwrap();
        }
    });
    let pages = Pages::new(&metrics()).map_router(|router| router.route("/ends", ends));
    let started = pages.start(LOCAL).unwrap();
    let address = started.local_addr();
    *server.lock().unwrap() = Some(started);
    let page = send(address, "GET", "/ends", "Host: localhost\r\n");
    assert_eq!(page.status, 200);
    assert_eq!(has_ended.recv().unwrap(), Ok(()));
}

/// Runs itself in a process that can't create threads: their stacks are too large.
#[cfg(target_os = "linux")]
#[test]
fn a_thread_that_the_system_refuses_is_an_error_inside_a_runtime_too() {
    const CHILD: &str = "PAGES_TEST_WITHOUT_THREADS";
    let name = "a_thread_that_the_system_refuses_is_an_error_inside_a_runtime_too";
    if std::env::var_os(CHILD).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let result = runtime.block_on(async { start(&metrics(), LOCAL) });
        assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
        return;
    }
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--test-threads=1"])
        .env(CHILD, "1")
        .env("RUST_MIN_STACK", (1_u64 << 60).to_string())
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{output}");
    assert!(output.contains("1 passed"), "{output}");
}

#[test]
fn an_address_in_use_is_an_error() {
    let first = start(&metrics(), LOCAL).unwrap();
    let error = start(&metrics(), first.local_addr()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}
