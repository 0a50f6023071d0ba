//! The accept loop over real sockets: HTTP/1, HTTP/2, graceful shutdown.
#![allow(missing_docs)]

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use core::future::{Future, IntoFuture};
use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, HeaderValue, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use metrics_std::RuntimeMetrics;
use metrics_std::axum::serve;
use metrics_std::tokio::{MeasuredRuntime, Spawner, TokioAdapter};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Server {
    runtime: Runtime,
    metrics: RuntimeMetrics,
    spawner: Spawner,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<std::io::Result<()>>,
}

fn start(router: Router) -> Server {
    start_with(|_| router)
}

fn start_with(router: impl FnOnce(&Spawner) -> Router) -> Server {
    let mut builder = Builder::new_multi_thread();
    let MeasuredRuntime {
        runtime,
        metrics,
        spawner,
    } = TokioAdapter::builder()
        .build(builder.worker_threads(2).enable_all())
        .unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let server = serve(listener, router(&spawner), &spawner);
    let server = server.with_graceful_shutdown(async { stopped.await.unwrap_or(()) });
    let ended = runtime.spawn(server.into_future());
    Server {
        runtime,
        metrics,
        spawner,
        address,
        stop,
        ended,
    }
}

fn request(path: &str) -> Request<Empty<Bytes>> {
    let uri = format!("http://localhost{path}");
    Request::get(uri)
        .header("host", "localhost")
        .body(Empty::new())
        .unwrap()
}

async fn text(response: Response<Incoming>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[test]
fn connections_of_http1_are_measured_tasks() {
    let server = start(Router::new().route("/", get(async || "hello")));
    server.runtime.block_on(async {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        for _ in 0..3 {
            client.ready().await.unwrap();
            let response = client.send_request(request("/")).await.unwrap();
            assert_eq!(response.version(), Version::HTTP_11);
            assert_eq!(text(response).await, "hello");
        }
    });
    assert_eq!(
        server.metrics.tasks().unwrap().spawned,
        1,
        "one connection, one task"
    );
    server.stop.send(()).unwrap();
    server.runtime.block_on(server.ended).unwrap().unwrap();
    assert!(server.metrics.poll_count().unwrap().unwrap() > 0);
}

#[test]
fn streams_of_http2_are_measured_tasks_too() {
    let server = start(Router::new().route("/", get(async || "hello")));
    server.runtime.block_on(async {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let handshake = hyper::client::conn::http2::handshake(server.spawner.clone(), TokioIo::new(stream));
        let (mut client, connection) = handshake.await.unwrap();
        tokio::spawn(connection);
        let before = server.metrics.tasks().unwrap().spawned;
        for _ in 0..3 {
            let response = client.send_request(request("/")).await.unwrap();
            assert_eq!(response.version(), Version::HTTP_2);
            assert_eq!(text(response).await, "hello");
        }
        let after = server.metrics.tasks().unwrap().spawned;
        assert!(
            after >= before + 3,
            "a task for each stream: {before} then {after}"
        );
    });
}

/// A client that gives up resets its stream.
#[test]
fn streams_that_are_reset_leave_no_task() {
    let (asked, mut was_asked) = tokio::sync::mpsc::channel::<()>(1);
    let never = async move || {
        asked.send(()).await.unwrap();
        core::future::pending::<&str>().await
    };
    let router = Router::new()
        .route("/never", get(never))
        .route("/", get(async || "hello"));
    let server = start(router);
    server.runtime.block_on(async {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (mut client, connection) = handshake.await.unwrap();
        tokio::spawn(connection);
        for _ in 0..100 {
            let response = tokio::spawn(client.send_request(request("/never")));
            was_asked.recv().await.unwrap();
            response.abort();
        }
        let response = client.send_request(request("/")).await.unwrap();
        assert_eq!(text(response).await, "hello");
        // The connection stays.
        while server.metrics.tasks().unwrap().alive() > 1 {
            tokio::task::yield_now().await;
        }
    });
    assert!(server.metrics.tasks().unwrap().spawned > 100);
}

/// Lets this process open so many descriptors, and returns whether it may. `std` has no call for it.
fn raise_descriptors(needed: usize) -> bool {
    let most = || -> Option<usize> {
        let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
        let line = limits.lines().find(|line| line.starts_with("Max open files"))?;
        line.split_whitespace().nth(3)?.parse().ok()
    };
    // The soft limit, and as root the hard limit too.
    for limits in [format!("--nofile={needed}:"), format!("--nofile={needed}")] {
        if most().is_none_or(|most| most >= needed) {
            return true;
        }
        let pid = std::process::id().to_string();
        let _ = std::process::Command::new("prlimit")
            .args(["--pid", &pid, &limits])
            .status();
    }
    most().is_some_and(|most| most >= needed)
}

#[test]
fn idle_connections_are_alive_until_they_close() {
    // The row `idle-connections` of the test matrix sets another number.
    let connections = std::env::var("IDLE_CONNECTIONS").map_or(100, |number| number.parse().unwrap());
    let needed = 2 * connections + 100;
    if !raise_descriptors(needed) {
        eprintln!(
            "skipped: {connections} connections have {needed} descriptors; raise the limit by `ulimit -n`"
        );
        return;
    }
    let server = start(Router::new().route("/", get(async || "hello")));
    server.runtime.block_on(async {
        let mut idle = Vec::new();
        for _ in 0..connections {
            idle.push(TcpStream::connect(server.address).await.unwrap());
        }
        let alive = || server.metrics.tasks().unwrap().alive();
        while alive() < connections as u64 {
            tokio::task::yield_now().await;
        }
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("hello"), "{answer}");
        drop((idle, stream));
        while alive() > 0 {
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(server.metrics.tasks().unwrap().spawned, connections as u64 + 1);
}

#[test]
fn an_upgraded_connection_is_the_handlers_own() {
    let server = start_with(|spawner| {
        let spawner = spawner.clone();
        let upgrade = async move |mut request: axum::extract::Request| {
            let upgraded = hyper::upgrade::on(&mut request);
            drop(spawner.spawn(async move {
                let mut io = TokioIo::new(upgraded.await.unwrap());
                let mut word = [0; 4];
                while io.read_exact(&mut word).await.is_ok() {
                    word.reverse();
                    io.write_all(&word).await.unwrap();
                }
            }));
            let headers = [(CONNECTION, "upgrade"), (UPGRADE, "backwards")];
            (StatusCode::SWITCHING_PROTOCOLS, headers)
        };
        Router::new().route("/", get(upgrade))
    });
    server.runtime.block_on(async {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection.with_upgrades());
        let mut request = request("/");
        let headers = request.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("backwards"));
        let response = client.send_request(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        let mut io = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
        for (sent, answered) in [(b"ping", b"gnip"), (b"pong", b"gnop")] {
            io.write_all(sent).await.unwrap();
            let mut word = [0; 4];
            io.read_exact(&mut word).await.unwrap();
            assert_eq!(&word, answered);
        }
    });
    // The connection's task ended when it handed its socket over, the handler's when the client had left.
    server.stop.send(()).unwrap();
    server.runtime.block_on(server.ended).unwrap().unwrap();
    let began = Instant::now();
    while server.metrics.completed_tasks_count() != Some(2) {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{:?}",
            server.metrics.tasks()
        );
        std::thread::yield_now();
    }
    assert_eq!(server.metrics.tasks().unwrap().spawned, 2);
}

/// Spawns as `WebSocketUpgrade::on_upgrade` does: not through a spawner.
fn on_upgrade<F>(
    mut request: axum::extract::Request,
    callback: impl FnOnce(TokioIo<Upgraded>) -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move { callback(TokioIo::new(upgraded.await.unwrap())).await });
}

#[test]
fn what_a_library_spawns_for_an_upgrade_is_measured_by_its_callback() {
    let server = start_with(|spawner| {
        let spawner = spawner.clone();
        let upgrade = async move |request: axum::extract::Request| {
            on_upgrade(request, move |mut io| {
                spawner.measure(async move {
                    let mut byte = [0];
                    while io.read_exact(&mut byte).await.is_ok() {
                        io.write_all(&byte).await.unwrap();
                    }
                })
            });
            let headers = [(CONNECTION, "upgrade"), (UPGRADE, "echo")];
            (StatusCode::SWITCHING_PROTOCOLS, headers)
        };
        Router::new().route("/", get(upgrade))
    });
    server.runtime.block_on(async {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection.with_upgrades());
        let mut request = request("/");
        let headers = request.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("echo"));
        let response = client.send_request(request).await.unwrap();
        let mut io = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
        let mut byte = [0];
        io.write_all(&[1]).await.unwrap();
        io.read_exact(&mut byte).await.unwrap();
        metrics_std::flush(&server.metrics, Duration::from_secs(20)).unwrap();
        let before = server.metrics.poll_count().unwrap().unwrap();
        for _ in 0..5 {
            io.write_all(&[2]).await.unwrap();
            io.read_exact(&mut byte).await.unwrap();
        }
        metrics_std::flush(&server.metrics, Duration::from_secs(20)).unwrap();
        let polls = server.metrics.poll_count().unwrap().unwrap() - before;
        assert!(polls >= 5, "a poll for each message: {polls}");
    });
    // One connection and one upgrade.
    assert_eq!(server.metrics.tasks().unwrap().spawned, 2);
}

#[test]
fn handlers_know_the_peer() {
    let peer = async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string();
    let server = start(Router::new().route("/", get(peer)));
    server.runtime.block_on(async {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let ours = stream.local_addr().unwrap();
        let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        let response = client.send_request(request("/")).await.unwrap();
        assert_eq!(text(response).await, ours.to_string());
    });
}

#[test]
fn a_graceful_shutdown_answers_what_was_asked_and_accepts_no_more() {
    let (asked, mut was_asked) = tokio::sync::mpsc::channel::<()>(1);
    let (answer, may_answer) = tokio::sync::watch::channel(false);
    let slow = async move || {
        asked.send(()).await.unwrap();
        may_answer.clone().wait_for(|&answer| answer).await.unwrap();
        "late"
    };
    let server = start(Router::new().route("/", get(slow)));
    server.runtime.block_on(async {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        let response =
            tokio::spawn(async move { text(client.send_request(request("/")).await.unwrap()).await });
        was_asked.recv().await.unwrap();
        server.stop.send(()).unwrap();
        // It waits for the answer that it owes.
        while TcpStream::connect(server.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(!server.ended.is_finished());
        answer.send(true).unwrap();
        assert_eq!(response.await.unwrap(), "late");
        tokio::time::timeout(Duration::from_secs(20), server.ended)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    });
    // The server may end before the wrapper has counted its last task.
    let began = Instant::now();
    while server.metrics.tasks().unwrap().alive() != 0 {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{:?}",
            server.metrics.tasks()
        );
        std::thread::yield_now();
    }
}

#[test]
fn the_spawn_site_is_the_call_of_serve() {
    let MeasuredRuntime {
        runtime,
        metrics,
        spawner,
    } = TokioAdapter::builder()
        .build(Builder::new_current_thread().enable_all())
        .unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let reader = metrics.clone();
        let spawn_location = async move || {
            reader
                .snapshot()
                .worker(0)
                .unwrap()
                .spawn_location_name()
                .to_owned()
        };
        let line = line!() + 1;
        let server = serve(listener, Router::new().route("/", get(spawn_location)), &spawner);
        tokio::spawn(server.into_future());
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        // The handler runs in the poll of the connection's task.
        tokio::spawn(connection);
        let response = client.send_request(request("/")).await.unwrap();
        assert_eq!(text(response).await, format!("{}:{line}", file!()));
    });
}

/// The status line and body of an answer over a connection of its own; empty if the server closed it without one.
fn answer(address: SocketAddr) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    // A reset is an answer too: it did not get any.
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[test]
fn a_panic_in_wrap_tasks_ends_one_connection_and_not_the_server() {
    let mut builder = Builder::new_multi_thread();
    let MeasuredRuntime {
        runtime,
        metrics,
        spawner,
    } = TokioAdapter::builder()
        .build(builder.worker_threads(2).enable_all())
        .unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let first = AtomicBool::new(true);
    let server = serve(
        listener,
        Router::new().route("/", get(async || "hello")),
        &spawner,
    )
    .wrap_tasks(move |task| {
        if first.swap(false, Ordering::Relaxed) {
            // Without the panic hook, which would print.
            std::panic::resume_unwind(Box::new("the user's own panic"));
        }
        task
    })
    .with_graceful_shutdown(async { stopped.await.unwrap_or(()) });
    let server = runtime.spawn(server.into_future());

    assert_eq!(answer(address), "");
    assert!(answer(address).ends_with("\r\n\r\nhello"), "the server goes on");
    stop.send(()).unwrap();
    runtime.block_on(server).unwrap().unwrap();
    assert_eq!(metrics.panicked_tasks_count(), Some(1));
}
