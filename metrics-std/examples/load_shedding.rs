//! Shows what load shedding does under overload: an axum service receives twice the requests that it can serve, first without and then
//! with a `ShedLayer`. Prints the latency of the requests that it served, from the time at which each was due.
//!
//! Run it in a release build: `cargo run --release -p metrics-std --features axum,tower --example load_shedding`.

use core::error::Error;
use core::net::SocketAddr;
use core::time::Duration;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Instant;

use axum::{Router, routing::get};
use metrics_std::overload::{ShedLayer, watch_overload};
use metrics_std::tokio::{DEFAULT_LAG_PERIOD, TokioAdapter, watch_loop_lag};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::time::{Instant as Due, sleep_until};

/// The CPU time that a request takes, on one worker.
const WORK: Duration = Duration::from_millis(2);
const TARGET: Duration = Duration::from_millis(10);
const INTERVAL: Duration = Duration::from_millis(100);
/// How long requests arrive. Those of the first two seconds are not counted.
const LOAD: Duration = Duration::from_secs(12);
const WARM_UP: Duration = Duration::from_secs(2);

fn main() -> Result<(), Box<dyn Error>> {
    // Twice what one worker can serve.
    let every = WORK / 2;
    println!("one worker, {WORK:?} per request, a request every {every:?} for {LOAD:?}, target {TARGET:?}");
    for sheds in [false, true] {
        let address = serve(sheds)?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let results = runtime.block_on(load(address, every));
        report(if sheds { "with ShedLayer" } else { "without" }, results);
    }
    Ok(())
}

/// Starts the service on a thread of its own, which ends with the process.
fn serve(sheds: bool) -> Result<SocketAddr, Box<dyn Error>> {
    let (listening, address) = mpsc::channel();
    thread::spawn(move || {
        let measured = TokioAdapter::builder()
            .build(Builder::new_multi_thread().worker_threads(1).enable_all())
            .expect("the defaults are valid");
        let _lag = watch_loop_lag(&measured.spawner, DEFAULT_LAG_PERIOD);
        let watch = watch_overload(&measured.metrics, TARGET, INTERVAL).expect("the system has threads");
        let mut router = Router::new().route("/", get(work));
        if sheds {
            router = router.layer(ShedLayer::new(watch.signal()));
        }
        measured.runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback is there");
            listening
                .send(listener.local_addr().expect("it is bound"))
                .expect("the main thread waits");
            let served = metrics_std::axum::serve(listener, router, &measured.spawner);
            served.await.expect("it never returns an error");
        });
    });
    Ok(address.recv()?)
}

async fn work() -> &'static str {
    let start = Instant::now();
    while start.elapsed() < WORK {
        core::hint::spin_loop();
    }
    "done"
}

/// The due time of a request since the start, its latency, and whether it was served. `None` if the connection failed.
type Outcome = Option<(Duration, Duration, bool)>;

/// Sends requests at fixed times, however long the answers take.
async fn load(address: SocketAddr, every: Duration) -> Vec<Outcome> {
    let idle = Arc::new(Mutex::new(Vec::new()));
    let start = Due::now();
    let mut requests = Vec::new();
    for number in 0..(LOAD.as_micros() / every.as_micros()) as u32 {
        let since = every * number;
        sleep_until(start + since).await;
        let idle = Arc::clone(&idle);
        requests.push(tokio::spawn(async move {
            let free = idle.lock().ok()?.pop();
            let mut stream = match free {
                Some(stream) => stream,
                None => TcpStream::connect(address).await.ok()?,
            };
            let served = request(&mut stream).await?;
            let latency = start.elapsed().saturating_sub(since);
            idle.lock().ok()?.push(stream);
            Some((since, latency, served))
        }));
    }
    let mut outcomes = Vec::new();
    for request in requests {
        outcomes.push(request.await.ok().flatten());
    }
    outcomes
}

/// Sends a request and reads the answer. Returns whether it was served.
async fn request(stream: &mut TcpStream) -> Option<bool> {
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .ok()?;
    let mut answer = Vec::new();
    loop {
        if stream.read_buf(&mut answer).await.ok()? == 0 {
            return None;
        }
        let text = core::str::from_utf8(&answer).ok()?;
        // An answer is served and has this body, or is rejected and has none.
        let is_whole = if text.starts_with("HTTP/1.1 200") {
            text.ends_with("done")
        } else {
            text.ends_with("\r\n\r\n")
        };
        if is_whole {
            return Some(text.starts_with("HTTP/1.1 200"));
        }
    }
}

fn report(name: &str, outcomes: Vec<Outcome>) {
    let failed = outcomes.iter().filter(|outcome| outcome.is_none()).count();
    let counted = outcomes
        .into_iter()
        .flatten()
        .filter(|&(since, ..)| since >= WARM_UP);
    let (mut served, mut rejected) = (Vec::new(), Vec::new());
    for (_, latency, is_served) in counted {
        if is_served { &mut served } else { &mut rejected }.push(latency);
    }
    let percentile = |latencies: &mut Vec<Duration>, percent: usize| {
        latencies.sort_unstable();
        latencies.get(latencies.len() * percent / 100).copied()
    };
    let seconds = LOAD.saturating_sub(WARM_UP).as_secs_f64();
    println!(
        "{name}: of the requests per second, {:.0} served, p50 {:.1?}, p99 {:.1?}; {:.0} rejected, p99 {:.1?}; {failed} failed",
        served.len() as f64 / seconds,
        percentile(&mut served, 50).unwrap_or_default(),
        percentile(&mut served, 99).unwrap_or_default(),
        rejected.len() as f64 / seconds,
        percentile(&mut rejected, 99).unwrap_or_default(),
    );
}
