//! The accept loop: what it spawns is measured, and can be wrapped.

#![cfg(feature = "axum")]
#![allow(clippy::std_instead_of_core, reason = "tests are programs with std")]

use axum::Router;
use axum::routing::get;
use metrics_std::tokio::{MeasuredRuntime, TokioAdapter};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

#[test]
fn every_connection_is_a_task_that_can_be_wrapped() {
    let mut builder = Builder::new_multi_thread();
    let built = TokioAdapter::builder().build(builder.worker_threads(1).enable_all());
    let MeasuredRuntime {
        runtime,
        metrics,
        spawner,
    } = built.expect("the defaults work");
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .expect("no free port");
    let address = listener.local_addr().expect("it is bound");
    let (end, ended) = oneshot::channel::<()>();

    let wrapped = Arc::new(AtomicUsize::new(0));
    let server = metrics_std::axum::serve(
        listener,
        Router::new().route("/", get(async || "hello")),
        &spawner,
    )
    .wrap_tasks({
        let wrapped = Arc::clone(&wrapped);
        move |task| {
            // Ordering: a count; the join of the server below is what orders it.
            wrapped.fetch_add(1, Ordering::Relaxed);
            task
        }
    })
    .with_graceful_shutdown(async { drop(ended.await) });
    let server = runtime.spawn(server.into_future());

    for _ in 0..3 {
        let mut stream = TcpStream::connect(address).expect("the server listens");
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nhello"),
            "{answer}"
        );
    }
    end.send(()).expect("the server runs");
    runtime
        .block_on(server)
        .expect("it was not cancelled")
        .expect("it never fails");
    assert_eq!(wrapped.load(Ordering::Relaxed), 3);
    assert_eq!(metrics.completed_tasks_count(), Some(3));
}
