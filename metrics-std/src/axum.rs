//! Serves axum routers and measures the tasks of the connections, and the requests of each route.
//!
//! `axum::serve` spawns its connections with `tokio::spawn`, whose tasks can't be measured on stable Rust. [`serve`] takes the same
//! listeners and routers, and spawns through a [`Spawner`].
//!
//! A connection is one task, whatever it serves. [`RouteGroups`] is a layer that measures the requests of each route.
//!
//! # `WebSockets` and other upgrades
//!
//! The task of a connection ends when the connection is upgraded. axum (in `WebSocketUpgrade::on_upgrade`) or the handler spawns the
//! task that uses the upgraded connection. To measure that task on stable Rust, wrap the callback's future with [`Spawner::measure`] in
//! the handler.
//!
//! ```ignore
//! async fn chat(upgrade: WebSocketUpgrade, State(spawner): State<Spawner>) -> Response {
//!     upgrade.on_upgrade(move |socket| spawner.measure(talk(socket)))
//! }
//! ```
//!
//! The wait for the upgrade, before the callback is called, is not measured, nor are tasks that a handler or a library spawns with
//! `tokio::spawn`. Under `--cfg tokio_unstable` all of them are measured.

mod route_groups;

pub use route_groups::{RouteGroup, RouteGroupFuture, RouteGroups};

use core::future::{Future, IntoFuture, poll_fn};
use core::panic::Location;
use core::pin::{Pin, pin};
use core::task::Poll;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::serve::Listener;
use hyper::Request;
use hyper::body::Incoming;
use hyper::rt::Executor as _;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tower_service::Service as _;

use crate::tokio::Spawner;

/// The boxed future of a server's task.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Serves `router` to every connection of `listener`, over HTTP/1 and HTTP/2. Connections can be upgraded; the
/// [module documentation](self) describes what is measured then.
///
/// Each connection and each stream of an HTTP/2 connection is one task spawned through `spawner`. Stall reports show the call of `serve`
/// as its spawn location. Handlers can extract the peer's address as [`ConnectInfo`], as with axum's
/// `into_make_service_with_connect_info`.
///
/// ```no_run
/// use axum::{Router, routing::get};
/// use metrics_std::tokio::{MeasuredRuntime, Spawner, TokioAdapter};
/// use tokio::{net::TcpListener, runtime::Builder};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let MeasuredRuntime { runtime, metrics, spawner } = TokioAdapter::builder().build(Builder::new_multi_thread().enable_all())?;
/// runtime.block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:3000").await?;
///     let app = Router::new().route("/", get(async || "hello"));
///     metrics_std::axum::serve(listener, app, &spawner).await?;
///     Ok(())
/// })
/// # }
/// ```
#[track_caller]
pub fn serve<L: Listener>(listener: L, router: Router, spawner: &Spawner) -> Serve<L> {
    let spawner = SpawnAt {
        spawner: spawner.clone(),
        spawn_location: Location::caller(),
        wrap: None,
    };
    Serve {
        listener,
        router,
        spawner,
        signal: Box::pin(core::future::pending()),
    }
}

/// A server that runs when it is awaited. Returned by [`serve`].
#[must_use = "a server does nothing unless it is awaited"]
pub struct Serve<L> {
    listener: L,
    router: Router,
    spawner: SpawnAt,
    signal: Task,
}

impl<L> Serve<L> {
    /// Passes the future of every task through `wrap`, for example to add a tracing span or a limit.
    ///
    /// `wrap` runs in the first poll of the new task: a panic in it ends only that task, and its time counts as poll time. This costs one
    /// allocation per task.
    pub fn wrap_tasks(mut self, wrap: impl Fn(Task) -> Task + Send + Sync + 'static) -> Self {
        self.spawner.wrap = Some(Arc::new(wrap));
        self
    }

    /// Stops accepting when `signal` completes, and ends when every connection has finished its requests in progress.
    pub fn with_graceful_shutdown(mut self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        self.signal = Box::pin(signal);
        self
    }
}

impl<L> Serve<L>
where
    L: Listener,
    L::Addr: Clone + Sync + 'static,
{
    async fn run(self) {
        let Self {
            mut listener,
            router,
            spawner,
            mut signal,
        } = self;
        let mut builder = auto::Builder::new(spawner.clone());
        // WebSockets over HTTP/2 need this.
        builder.http2().enable_connect_protocol();
        let graceful = GracefulShutdown::new();
        loop {
            let accepted = {
                let mut accept = pin!(listener.accept());
                poll_fn(|cx| match signal.as_mut().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(None),
                    Poll::Pending => accept.as_mut().poll(cx).map(Some),
                })
                .await
            };
            let Some((io, peer)) = accepted else { break };
            let router = router.clone();
            let service = service_fn(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(ConnectInfo(peer.clone()));
                router.clone().call(request)
            });
            let connection = builder
                .serve_connection_with_upgrades(TokioIo::new(io), service)
                .into_owned();
            let connection = graceful.watch(connection);
            spawner.execute(async move {
                // An error of one connection, such as a disconnect, ends only its own task.
                drop(connection.await);
            });
        }
        drop(listener);
        graceful.shutdown().await;
    }
}

impl<L> IntoFuture for Serve<L>
where
    L: Listener,
    L::Addr: Clone + Sync + 'static,
{
    type Output = io::Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

    /// Never returns an error: axum's [`Listener`] waits and retries when accepting fails. The output type is that of `axum::serve`, so
    /// that `serve` is a drop-in replacement.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            self.run().await;
            Ok(())
        })
    }
}

impl<L> core::fmt::Debug for Serve<L> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Serve")
            .field("spawn_location", self.spawner.spawn_location)
            .finish_non_exhaustive()
    }
}

/// A spawner whose tasks all have one spawn location. The location of hyper's call of `execute` would not help a user.
#[derive(Clone)]
struct SpawnAt {
    spawner: Spawner,
    spawn_location: &'static Location<'static>,
    /// The function that the user passed to [`Serve::wrap_tasks`].
    wrap: Option<Arc<dyn Fn(Task) -> Task + Send + Sync>>,
}

impl<F> hyper::rt::Executor<F> for SpawnAt
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        match &self.wrap {
            None => drop(self.spawner.spawn_at(future, self.spawn_location)),
            Some(wrap) => {
                let wrap = Arc::clone(wrap);
                let task: Task = Box::pin(async move { drop(future.await) });
                drop(
                    self.spawner
                        .spawn_at(async move { wrap(task).await }, self.spawn_location),
                );
            }
        }
    }
}
