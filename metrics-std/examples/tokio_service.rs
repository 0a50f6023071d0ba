//! A complete axum service on Tokio with metrics. The lines marked `+` are the ones that metrics add or change.

use core::time::Duration;

use axum::{Router, routing::get};
use metrics_std::{serve, tokio::attach_current, watchdog::log_stalls}; // +
use tokio::{net::TcpListener, time::sleep};

#[tokio::main]
async fn main() -> Result<(), Box<dyn core::error::Error>> {
    let measured = attach_current()?; // +
    let _pages = serve::start(&measured.metrics, address("METRICS", "127.0.0.1:9000"))?; // +
    let _stalls = log_stalls(&measured.metrics, Duration::from_millis(50))?; // +

    let app = Router::new().route("/", get(hello));
    let listener = TcpListener::bind(address("SERVICE", "127.0.0.1:3000")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    metrics_std::axum::serve(listener, app, &measured.spawner).await?; // + was: axum::serve(listener, app).await?;
    Ok(())
}

async fn hello() -> &'static str {
    sleep(Duration::from_millis(1)).await;
    "hello\n"
}

fn address(variable: &str, default: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| default.to_owned())
}
