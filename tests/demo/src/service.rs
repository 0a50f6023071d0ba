//! The measured service: four handlers with four kinds of work, and the pages with its metrics.

use crate::load::Kind;
use crate::witness::Witness;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use metrics_std::RuntimeMetrics;
use metrics_std::axum::RouteGroups;
use metrics_std::prometheus::RuntimeCollector;
use metrics_std::serve::Pages;
use metrics_std::tokio::Spawner;
use std::hint::black_box;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{RwLock, oneshot};
use tokio::task::{JoinHandle, yield_now};

/// The CPU time of the CPU handler: noticeable, but far below the stall threshold.
const CPU_WORK: Duration = Duration::from_millis(2);
/// How long the faulty handler blocks its worker.
const BLOCKED: Duration = Duration::from_millis(60);

/// The number of spawn locations with metrics of their own.
pub(crate) const LOCATIONS: usize = 256;

/// The state that the handlers share.
#[derive(Clone)]
struct Service {
    spawner: Spawner,
    witness: Witness,
    stock: Arc<RwLock<u64>>,
}

/// Serves `listener` with tasks that `spawner` measures until `stop` is sent or dropped. Then every connection ends after it has
/// answered. `witness` counts each task too.
pub(crate) fn start(
    listener: TcpListener,
    metrics: &RuntimeMetrics,
    spawner: &Spawner,
    witness: &Witness,
    stop: oneshot::Receiver<()>,
) -> io::Result<JoinHandle<io::Result<()>>> {
    listener.set_nonblocking(true)?;
    let _runtime = spawner.handle().enter();
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let watch = witness.clone();
    let server = metrics_std::axum::serve(listener, router(metrics, spawner, witness), spawner)
        .wrap_tasks(move |task| Box::pin(watch.watch(task)))
        .with_graceful_shutdown(async { drop(stop.await) });
    Ok(spawner.spawn(witness.watch(server.into_future())))
}

fn router(metrics: &RuntimeMetrics, spawner: &Spawner, witness: &Witness) -> Router {
    let service = Service {
        spawner: spawner.clone(),
        witness: witness.clone(),
        stock: Arc::default(),
    };
    let collector = RuntimeCollector::new(metrics.clone()).locations(LOCATIONS);
    Router::new()
        .route(Kind::Quick.path(), get(quick))
        .route(Kind::Cpu.path(), get(cpu))
        .route(Kind::Disk.path(), get(disk))
        .route(Kind::Block.path(), get(block))
        .with_state(service)
        .layer(RouteGroups::new(metrics))
        .merge(Pages::with_collector(metrics, collector).router())
}

/// Awaits a lock and a spawned task, and yields once.
async fn quick(State(service): State<Service>) -> String {
    let stock = *service.stock.read().await;
    let price = service.spawner.spawn(service.witness.watch(async move {
        yield_now().await;
        stock + 1
    }));
    yield_now().await;
    match price.await {
        Ok(price) => price.to_string(),
        Err(error) => error.to_string(),
    }
}

/// CPU work that is short enough for a handler.
async fn cpu() -> String {
    let started = Instant::now();
    let mut hash = 0_u64;
    while started.elapsed() < CPU_WORK {
        for _ in 0..100 {
            hash = black_box(hash.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23) + 1);
        }
    }
    hash.to_string()
}

/// Blocking work, on the blocking pool.
async fn disk(State(service): State<Service>) -> String {
    let size = service
        .spawner
        .spawn_blocking(|| std::fs::read("/etc/hostname").map_or(0, |file| file.len()));
    match size.await {
        Ok(size) => size.to_string(),
        Err(error) => error.to_string(),
    }
}

/// The fault that the watchdog detects: it blocks its worker's thread, in a task of its own.
async fn block(State(service): State<Service>) -> &'static str {
    let witness = service.witness.clone();
    let work = service
        .witness
        .watch(async move { witness.blocking(|| std::thread::sleep(BLOCKED)) });
    match service.spawner.spawn(work).await {
        Ok(()) => "blocked",
        Err(_) => "cancelled",
    }
}
