//! [`Server`]: an HTTP server on a thread of its own.

use core::convert::Infallible;
use core::fmt;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::io;
use std::net::{TcpListener, ToSocketAddrs};
use std::sync::{Arc, mpsc};
use std::thread;

use axum::Router;
use axum::serve::Listener;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use metrics_core::RECORDING;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, oneshot};
use tower_service::Service as _;

use crate::background::{Background, DROP_TIMEOUT, ShutdownTimeout, Threads};

/// How long the end of a server waits for responses that are being sent. Shorter than a drop waits for the thread.
const LAST_RESPONSES: Duration = Duration::from_millis(50);

/// Maximum number of open connections. The operating system queues further ones.
const CONNECTIONS: usize = 64;

/// How long a connection stays open. A client that doesn't read its response would otherwise keep it open without end.
pub(super) const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);

/// Serves metrics until it is dropped. Returned by [`start`](super::start) and [`Pages::start`](super::Pages::start).
///
/// Dropping it closes the socket and waits up to 100 ms for its thread; [`shutdown`](Self::shutdown) waits for a timeout of your choice.
/// Both may be called inside a runtime. A handler of the server may call both, and does not wait for its own thread. In a forked child,
/// which does not have its parent's threads, both do nothing.
#[must_use = "dropping it stops the server"]
pub struct Server {
    address: SocketAddr,
    /// The thread ends when the sender is dropped.
    thread: Background<oneshot::Sender<Infallible>>,
}

impl Server {
    pub(super) fn start(
        router: Router,
        address: impl ToSocketAddrs,
        header_timeout: Duration,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        if !RECORDING {
            return Ok(Self {
                address,
                thread: Background::NONE,
            });
        }
        let (stop, stopped) = oneshot::channel();
        let (mut threads, running) = Threads::new();
        let (opened, is_open) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("metrics-server".into())
            .spawn(move || {
                // Dropped last, after the runtime.
                let _running = running;
                // Built on this thread: the caller may be inside a runtime, and Tokio panics if another is dropped there.
                match open(listener) {
                    Ok((runtime, listener)) => {
                        let _ = opened.send(Ok(()));
                        runtime.block_on(serve(listener, router, header_timeout, stopped));
                    }
                    Err(error) => {
                        let _ = opened.send(Err(error));
                    }
                }
            })?;
        is_open
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("the server's thread has panicked")))?;
        // A handler may drop the server.
        threads.set_callback(thread.thread().id());
        Ok(Self {
            address,
            thread: Background::new(stop, threads),
        })
    }

    /// Returns the address at which the server listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Closes the socket and waits up to `timeout` until the server's thread has ended.
    ///
    /// # Errors
    /// Returns [`ShutdownTimeout`] if a request is still being handled. The thread ends when its handler returns.
    pub fn shutdown(mut self, timeout: Duration) -> Result<(), ShutdownTimeout> {
        self.thread.end(timeout)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.thread.end(DROP_TIMEOUT);
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Creates the runtime of the server, and registers the socket with it.
fn open(listener: TcpListener) -> io::Result<(Runtime, tokio::net::TcpListener)> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let inside = runtime.enter();
    let listener = tokio::net::TcpListener::from_std(listener)?;
    drop(inside);
    Ok((runtime, listener))
}

/// Serves connections until the sender of `stopped` is dropped.
async fn serve(
    mut listener: tokio::net::TcpListener,
    router: Router,
    header_timeout: Duration,
    mut stopped: oneshot::Receiver<Infallible>,
) {
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        // An idle connection would keep a new one waiting.
        .keep_alive(false)
        .header_read_timeout(header_timeout);
    let graceful = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = {
            let mut accept = pin!(async {
                // The semaphore is never closed.
                let permit = Arc::clone(&permits).acquire_owned().await;
                (Listener::accept(&mut listener).await, permit)
            });
            poll_fn(|cx| match pin!(&mut stopped).poll(cx) {
                Poll::Ready(_) => Poll::Ready(None),
                Poll::Pending => accept.as_mut().poll(cx).map(Some),
            })
            .await
        };
        let Some(((connection, _), permit)) = accepted else {
            break;
        };
        let router = router.clone();
        let service = service_fn(move |request: Request<Incoming>| router.clone().call(request));
        let connection = builder
            .serve_connection(TokioIo::new(connection), service)
            .into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // An error of one connection, such as a disconnect or the timeout, ends only its own task.
            let _ = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await;
            drop(permit);
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(LAST_RESPONSES, graceful.shutdown()).await;
}
