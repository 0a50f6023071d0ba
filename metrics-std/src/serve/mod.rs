//! Serves a runtime's metrics over HTTP: `/metrics` for Prometheus, `/snapshot` as JSON, and a dashboard at `/`.
//!
//! With a flight recorder ([`Builder::flight_recorder`](crate::Builder::flight_recorder)), `/trace` responds with the last events of each
//! worker in Chrome's trace format, which <https://ui.perfetto.dev> opens: one trace at a time and at most one per second. The snapshot then
//! has a field `blame`: which tasks waited for which polls ([`BlameReport`](metrics_core::BlameReport)), computed at most once per second.
//!
//! ```
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let metrics = metrics_std::tokio::attach_current()?.metrics;
//!     let server = metrics_std::serve::start(&metrics, "127.0.0.1:0")?;
//!     println!("the dashboard is at http://{}", server.local_addr());
//! #   std::io::Write::flush(&mut std::io::stdout())?;
//!     Ok(())
//! }
//! ```
//!
//! # On a thread of its own
//!
//! [`start`] and [`Pages::start`] serve from a thread named `metrics-server`, on a runtime of its own. So the pages are served even if a
//! worker is stuck, and requests are not measured tasks. [`Pages::router`] returns the same pages as an axum router, to mount inside a
//! service; the workers of that service then serve them.
//!
//! # Access
//!
//! The caller names the address. Everyone who can connect to it can read the metrics, which include the file names and lines at which
//! tasks are spawned. Listen on 127.0.0.1 unless a network is trusted, or add a layer that authenticates requests:
//!
//! ```
//! use axum::extract::Request;
//! use axum::http::{StatusCode, header::AUTHORIZATION};
//! use axum::middleware::{Next, from_fn};
//! use axum::response::{IntoResponse, Response};
//! use metrics_std::serve::Pages;
//!
//! async fn authenticate(request: Request, next: Next) -> Response {
//!     match request.headers().get(AUTHORIZATION) {
//!         Some(token) if token == "Bearer secret" => next.run(request).await,
//!         _ => StatusCode::UNAUTHORIZED.into_response(),
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let metrics = metrics_std::build_wrapped(metrics_std::Builder::new(), metrics_std::Clock::new())?;
//! let pages = Pages::new(&metrics).map_router(|router| router.layer(from_fn(authenticate)));
//! let server = pages.start("127.0.0.1:0")?;
//! # Ok(())
//! # }
//! ```
//!
//! The server answers `GET` and `HEAD` only. It refuses a request whose `Host` is neither an IP address, nor `localhost`, nor a name that
//! [`Pages::allow_host`] allows, so that a web page can't read the metrics through a name that it makes resolve to this machine. At most 64
//! connections are open at a time; further ones wait. A connection carries one request, and the server closes it if it has not sent the
//! headers within 10 seconds, and 60 seconds after it was accepted even if its response is not complete. The responses have no CORS header
//! unless [`Pages::allow_origin`] sets one, and a Content Security Policy under which the dashboard sends no request to another host.

mod dashboard;
mod host;
mod recorder;
mod server;

use core::fmt;
use core::time::Duration;
use std::io;
use std::net::ToSocketAddrs;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use prometheus_client::registry::Registry;

use crate::RuntimeMetrics;
use crate::export::ReaderPool;
use crate::prometheus::{RuntimeCollector, endpoint};

use self::recorder::Recorder;
pub use self::server::Server;

/// The dashboard's scripts, styles and requests are those of its own server.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Serves the pages of a runtime at `address`, from a thread of its own, until the returned server is dropped.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let metrics = metrics_std::build_wrapped(metrics_std::Builder::new(), metrics_std::Clock::new())?;
/// let server = metrics_std::serve::start(&metrics, "127.0.0.1:0")?;
/// server.shutdown(core::time::Duration::from_secs(1))?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Returns the errors of [`Pages::start`].
pub fn start(metrics: &RuntimeMetrics, address: impl ToSocketAddrs) -> io::Result<Server> {
    Pages::new(metrics).start(address)
}

/// The pages of one runtime and how they are served. The [module](self) describes them.
#[must_use = "pages are served by `start`, or by the server that mounts `router`"]
pub struct Pages {
    router: Router,
    hosts: Vec<Box<str>>,
    origin: Option<HeaderValue>,
    header_timeout: Duration,
}

/// The default of [`Pages::header_timeout`].
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

impl Pages {
    /// Creates the pages of a runtime. They do not keep the runtime alive.
    pub fn new(metrics: &RuntimeMetrics) -> Self {
        Self::with_collector(metrics, RuntimeCollector::new(metrics.clone()))
    }

    /// Creates the pages of a runtime, whose page `/metrics` is that of `collector`: with the metrics of each worker or spawn location, with
    /// other edges, or of several runtimes.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let metrics = metrics_std::build_wrapped(metrics_std::Builder::new(), metrics_std::Clock::new())?;
    /// use metrics_std::prometheus::RuntimeCollector;
    /// use metrics_std::serve::Pages;
    ///
    /// let collector = RuntimeCollector::new(metrics.clone()).locations(64);
    /// let server = Pages::with_collector(&metrics, collector).start("127.0.0.1:0")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_collector(metrics: &RuntimeMetrics, collector: RuntimeCollector) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(collector));
        // The readers are reused, so that no counter decreases from one request to the next.
        let readers = Arc::new(ReaderPool::new(metrics.clone()));
        let recorder = Arc::new(Recorder::new(metrics.clone()));
        let blaming = Arc::clone(&recorder);
        let router = dashboard::router()
            .route("/metrics", endpoint(Arc::new(registry)))
            .route(
                "/snapshot",
                get(async move || Json(blaming.add_blame(readers.read_one()))),
            )
            .route("/trace", get(async move || recorder.trace()));
        Self {
            router,
            hosts: Vec::new(),
            origin: None,
            header_timeout: HEADER_TIMEOUT,
        }
    }

    /// Allows requests to this host name, in addition to IP addresses and `localhost`. It does not apply to [`router`](Self::router),
    /// whose server has names of its own. The port of a name such as `metrics.internal:9090` is ignored: every port is allowed.
    pub fn allow_host(mut self, name: impl Into<Box<str>>) -> Self {
        self.hosts.push(name.into());
        self
    }

    /// Allows scripts of this origin, such as `https://dashboard.example`, to read the responses: sets `Access-Control-Allow-Origin`.
    pub fn allow_origin(mut self, origin: HeaderValue) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Sets the time after which a connection that has not sent the headers of a request is closed. The default is 10 seconds, and
    /// a timeout of more than 60 seconds has the effect of 60 seconds, after which every connection is closed.
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        // hyper adds it to the current time, and panics if the sum overflows.
        self.header_timeout = timeout.min(server::CONNECTION_TIMEOUT);
        self
    }

    /// Changes the router, for example to add a route or a layer. See the [module](self) for a layer that authenticates requests.
    pub fn map_router(mut self, change: impl FnOnce(Router) -> Router) -> Self {
        self.router = change(self.router);
        self
    }

    /// Returns the pages as a router, to mount inside a service with `Router::nest_service` or `Router::merge`.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use metrics_std::serve::Pages;
    /// # let metrics = metrics_std::build_wrapped(metrics_std::Builder::new(), metrics_std::Clock::new())?;
    /// let service = axum::Router::<()>::new().nest_service("/internal", Pages::new(&metrics).router());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The dashboard is then at `/internal/`, and `/internal` redirects to it. `Router::nest` serves only one of these paths: pass it
    /// `/internal/`, with the slash.
    pub fn router(self) -> Router {
        let origin = self.origin;
        self.router.layer(from_fn(move |request: Request, next: Next| {
            let origin = origin.clone();
            async move {
                let mut response = next.run(request).await;
                set_headers(&mut response, origin);
                response
            }
        }))
    }

    /// Serves the pages at `address`, from a thread of its own, until the returned server is dropped. Without the feature `record` it
    /// starts no thread and closes the socket at once.
    ///
    /// # Errors
    /// Returns an error if the address can't be bound or the operating system refuses the thread or its driver.
    pub fn start(mut self, address: impl ToSocketAddrs) -> io::Result<Server> {
        let hosts = host::Hosts::new(core::mem::take(&mut self.hosts));
        let header_timeout = self.header_timeout;
        let router = self.router().layer(from_fn(move |request: Request, next: Next| {
            let hosts = hosts.clone();
            async move { hosts.check(request, next).await }
        }));
        Server::start(router, address, header_timeout)
    }
}

fn set_headers(response: &mut Response, origin: Option<HeaderValue>) {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages")
            .field("hosts", &self.hosts)
            .field("origin", &self.origin)
            .field("header_timeout", &self.header_timeout)
            .finish_non_exhaustive()
    }
}
