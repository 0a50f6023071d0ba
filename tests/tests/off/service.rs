//! A service built as in the README of metrics-std: it serves as with recording, and exports only its own metrics.

use core::future::IntoFuture;
use core::net::SocketAddr;
use core::time::Duration;
use std::sync::Arc;
use std::sync::mpsc;

use axum::Router;
use axum::routing::get;
use metrics_std::prometheus::{RuntimeCollector, endpoint};
use metrics_std::tokio::{MeasuredRuntime, TokioAdapter};
use metrics_std::watchdog::watch_stalls;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;

type Result<T> = core::result::Result<T, Box<dyn core::error::Error>>;

async fn fetch(address: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: service\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[cfg_attr(not(feature = "record"), test)]
fn a_service_runs_and_exports_no_runtime_metric() -> Result<()> {
    let (started, starts) = mpsc::channel();
    let adapter = TokioAdapter::builder()
        .name("api")
        .on_thread_start(move || started.send(()).unwrap_or_default());
    let MeasuredRuntime {
        runtime,
        metrics,
        spawner,
    } = adapter.build(Builder::new_multi_thread().worker_threads(1).enable_all())?;
    let _watchdog = watch_stalls(&metrics, Duration::from_millis(20), |stall| eprintln!("{stall}"))?;

    let mut registry = Registry::default();
    let orders: Counter = Counter::default();
    registry.register("orders", "Orders taken", orders.clone());
    registry.register_collector(Box::new(RuntimeCollector::new(metrics.clone())));
    let app = Router::new()
        .route(
            "/",
            get(async move || {
                orders.inc();
                "hello"
            }),
        )
        .route("/metrics", endpoint(Arc::new(registry)));

    let (hello, page) = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = metrics_std::axum::serve(listener, app, &spawner)
            .with_graceful_shutdown(async move { drop(stopped.await) });
        let server = spawner.spawn(server.into_future());
        let answers = (fetch(address, "/").await?, fetch(address, "/metrics").await?);
        drop(stop);
        server.await??;
        Result::Ok(answers)
    })?;

    assert!(
        hello.starts_with("HTTP/1.1 200 OK") && hello.ends_with("hello"),
        "{hello}"
    );
    assert!(
        page.contains("orders_total 1") && !page.contains("async_runtime"),
        "{page}"
    );
    starts.recv()?;
    assert_eq!((metrics.name(), metrics.poll_count().unwrap()), ("api", None));
    assert_eq!(metrics.snapshot().total().poll_count(), None);
    assert_eq!(
        (metrics.num_alive_tasks(), metrics.global_queue_depth()),
        (None, None)
    );
    let json = serde_json::to_value(metrics.snapshot())?;
    assert!(json["num_alive_tasks"].is_null(), "{json}");
    Ok(())
}
