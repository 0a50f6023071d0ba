//! A complete axum service on Tokio with metrics. The lines marked `+` are the ones that metrics add or change.

use core::time::Duration;
use std::sync::Arc;

use axum::{Router, routing::get};
use metrics_std::prometheus::{RuntimeCollector, endpoint}; // +
use metrics_std::tokio::{MeasuredRuntime, TokioAdapter}; // +
use metrics_std::watchdog::watch_stalls; // +
use prometheus_client::registry::Registry; // +
use tokio::{net::TcpListener, runtime::Builder};

fn main() -> Result<(), Box<dyn core::error::Error>> {
    // + Builds the runtime, in place of `#[tokio::main]` or `Builder::build`.
    let MeasuredRuntime {
        runtime,
        metrics,
        spawner,
    } = TokioAdapter::builder()
        .name("api")
        .build(Builder::new_multi_thread().enable_all())?;

    // + Reports every poll that blocks its worker for 50 ms or more, while it does.
    let _watchdog = watch_stalls(&metrics, Duration::from_millis(50), |stall| eprintln!("{stall}"))?;

    let mut registry = Registry::default(); // +
    registry.register_collector(Box::new(RuntimeCollector::new(metrics))); // +

    let app = Router::new()
        .route("/", get(async || "hello\n"))
        .route("/metrics", endpoint(Arc::new(registry))); // +

    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await?;
        println!("listening on http://{}", listener.local_addr()?);
        // + Each connection is a measured task, in place of `axum::serve(listener, app)`.
        metrics_std::axum::serve(listener, app, &spawner).await?;
        Ok(())
    })
}
