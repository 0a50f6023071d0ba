//! The load: HTTP requests over loopback at a fixed rate, from a thread with its own runtime.
//!
//! The load is open-loop: request `n` is due at `n / rate` whether or not the service keeps up, and its latency is measured
//! from that time. A stall therefore increases the latency of every request that it delays.

use bytes::Bytes;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Uri, header};
use hyper_util::rt::TokioIo;
use portable_atomic::{AtomicBool, AtomicU64, Ordering};
use serde::Serialize;
use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// The number of keep-alive connections.
const CONNECTIONS: usize = 32;

/// The handlers of the service and how often each is requested. The handler of request `n` depends only on `n`, so every run
/// sends the same requests in the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Quick,
    Cpu,
    Disk,
    Block,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Quick, Self::Cpu, Self::Disk, Self::Block];

    /// Of 2,000 requests, 1,940 (97 %) are quick, 54 use the CPU, 5 use the blocking pool and 1 blocks its worker.
    pub(crate) fn of(n: u64) -> Self {
        match n % 2000 {
            999 => Self::Block,
            place if place % 400 == 200 => Self::Disk,
            place if place % 37 == 17 => Self::Cpu,
            _ => Self::Quick,
        }
    }

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Quick => "/quick",
            Self::Cpu => "/cpu",
            Self::Disk => "/disk",
            Self::Block => "/block",
        }
    }
}

/// A running load.
pub(crate) struct Load {
    shared: Arc<Shared>,
    thread: JoinHandle<io::Result<Histogram<u64>>>,
    rate: u32,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    due: AtomicU64,
    sent: AtomicU64,
    answered: [AtomicU64; Kind::ALL.len()],
    failed: AtomicU64,
}

impl Shared {
    fn stopped(&self) -> bool {
        // Ordering: see `Load::finish`.
        self.stop.load(Ordering::Relaxed)
    }
}

/// The results of the load, measured by the client.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Requests {
    /// The configured number of requests per second.
    pub(crate) rate: u32,
    /// The requests that were due before the end.
    pub(crate) due: u64,
    /// The requests that were sent: all that were due, except those that still waited for a free connection at the end.
    pub(crate) sent: u64,
    /// The requests that were answered with 200, per handler and in total.
    pub(crate) quick: u64,
    pub(crate) cpu: u64,
    pub(crate) disk: u64,
    pub(crate) block: u64,
    pub(crate) ok: u64,
    /// The requests that were answered with another status or not at all.
    pub(crate) failed: u64,
    /// The time from when a request is due to the last byte of its answer.
    pub(crate) latency_nanos: Latency,
}

/// Quantiles of the latency measured by the client, in nanoseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) max: u64,
}

impl Load {
    /// Starts sending `rate` requests per second to `service`.
    pub(crate) fn start(service: SocketAddr, rate: u32) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let thread = std::thread::Builder::new().name("load".into()).spawn({
            let shared = Arc::clone(&shared);
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?;
                LocalSet::new().block_on(&runtime, send_all(service, rate, shared))
            }
        })?;
        Ok(Self { shared, thread, rate })
    }

    /// Returns the number of requests answered so far.
    pub(crate) fn answered(&self) -> u64 {
        // Ordering: relaxed: no other data depends on the count.
        let answered = self
            .shared
            .answered
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        answered.sum()
    }

    /// Stops sending, waits for the answers to the sent requests, and closes the connections.
    pub(crate) fn finish(self) -> io::Result<Requests> {
        // Ordering: relaxed: it only ends loops. The join below orders the results.
        self.shared.stop.store(true, Ordering::Relaxed);
        let latency = self
            .thread
            .join()
            .map_err(|_| io::Error::other("the load generator panicked"))??;
        let count = |kind: Kind| self.shared.answered[kind as usize].load(Ordering::Relaxed);
        Ok(Requests {
            rate: self.rate,
            due: self.shared.due.load(Ordering::Relaxed),
            sent: self.shared.sent.load(Ordering::Relaxed),
            quick: count(Kind::Quick),
            cpu: count(Kind::Cpu),
            disk: count(Kind::Disk),
            block: count(Kind::Block),
            ok: Kind::ALL.into_iter().map(count).sum(),
            failed: self.shared.failed.load(Ordering::Relaxed),
            latency_nanos: Latency {
                p50: latency.value_at_quantile(0.5),
                p99: latency.value_at_quantile(0.99),
                max: latency.max(),
            },
        })
    }
}

/// A request and the time at which it is due.
struct Due {
    kind: Kind,
    at: Instant,
}

async fn send_all(service: SocketAddr, rate: u32, shared: Arc<Shared>) -> io::Result<Histogram<u64>> {
    // A resolution of three digits, up to ten minutes.
    let latency = Histogram::new_with_max(600_000_000_000, 3).map_err(io::Error::other)?;
    let latency = Rc::new(RefCell::new(latency));
    let (queue, requests) = mpsc::unbounded_channel();
    let requests = Rc::new(Mutex::new(requests));

    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let connection = Connection {
            service,
            requests: Rc::clone(&requests),
            latency: Rc::clone(&latency),
            shared: Arc::clone(&shared),
        };
        connections.spawn_local(connection.run());
    }

    let start = Instant::now();
    let mut clock = interval(Duration::from_millis(1));
    clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut due = 0_u64;
    while !shared.stopped() {
        let now = clock.tick().await;
        loop {
            let at = start + Duration::from_secs_f64(due as f64 / f64::from(rate));
            if at > now
                || queue
                    .send(Due {
                        kind: Kind::of(due),
                        at,
                    })
                    .is_err()
            {
                break;
            }
            due += 1;
            // Ordering: relaxed: no other data depends on the count. It is exact after the join in `Load::finish`.
            shared.due.store(due, Ordering::Relaxed);
        }
    }
    drop(queue);
    while connections.join_next().await.is_some() {}
    let latency = latency.borrow().clone();
    Ok(latency)
}

/// A keep-alive connection. It takes the next due request when it is free.
struct Connection {
    service: SocketAddr,
    requests: Rc<Mutex<mpsc::UnboundedReceiver<Due>>>,
    latency: Rc<RefCell<Histogram<u64>>>,
    shared: Arc<Shared>,
}

impl Connection {
    async fn run(self) {
        let mut open = None;
        loop {
            let next = self.requests.lock().await.recv().await;
            let Some(due) = next else { break };
            if self.shared.stopped() {
                break;
            }
            // Ordering: relaxed: no other data depends on the counts. They are exact after the join in `Load::finish`.
            self.shared.sent.fetch_add(1, Ordering::Relaxed);
            let sender = match open.take() {
                Some(sender) => Ok(sender),
                None => connect(self.service).await,
            };
            let answer = match sender {
                Ok(mut sender) => ask(&mut sender, due.kind).await.map(|()| sender),
                Err(error) => Err(error),
            };
            if let Ok(sender) = answer {
                let nanos = u64::try_from(due.at.elapsed().as_nanos()).unwrap_or(u64::MAX);
                self.latency.borrow_mut().saturating_record(nanos);
                self.shared.answered[due.kind as usize].fetch_add(1, Ordering::Relaxed);
                open = Some(sender);
            } else {
                self.shared.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

type Failure = Box<dyn std::error::Error>;

async fn connect(service: SocketAddr) -> Result<SendRequest<Empty<Bytes>>, Failure> {
    let stream = TcpStream::connect(service).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends when its sender is dropped, or with an error that the sender's next request also returns.
    tokio::task::spawn_local(connection);
    Ok(sender)
}

async fn ask(sender: &mut SendRequest<Empty<Bytes>>, kind: Kind) -> Result<(), Failure> {
    sender.ready().await?;
    let request = Request::get(Uri::from_static(kind.path())).header(header::HOST, "localhost");
    let response = sender.send_request(request.body(Empty::new())?).await?;
    let status = response.status();
    // A connection is free for the next request only after its answer is read to the end.
    response.into_body().collect().await?;
    if status.is_success() {
        Ok(())
    } else {
        Err(status.to_string().into())
    }
}
