//! A tower layer that measures the requests of each route.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::rc::Rc;
use std::sync::Arc;

use axum::extract::MatchedPath;
use hyper::Request;
use metrics_core::{GroupId, RECORDING};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::RuntimeMetrics;
use crate::location;
use crate::record::lease::Lease;
use crate::record::runtime_leases::PolledBy;
use crate::record::target::RecordingTarget;
use crate::record::thread_leases;

/// Measures the requests of each route: how many there are, their polls, their poll time and their stalls.
///
/// The requests of one route are a group: a row of [`Snapshot::locations`](metrics_core::Snapshot::locations) whose name is the
/// template of the route, such as `/orders/{id}`. Requests that match no route are the group `unmatched`. The address of a request is
/// never used, so the number of groups is bounded by the program.
///
/// ```
/// use axum::{Router, routing::get};
/// use metrics_std::axum::RouteGroups;
/// use metrics_std::tokio::TokioAdapter;
///
/// let adapter = TokioAdapter::builder().configure(|builder| builder.locations(1_000));
/// let measured = adapter.build(&mut tokio::runtime::Builder::new_multi_thread())?;
/// let router: Router = Router::new()
///     .route("/orders/{id}", get(async || "order"))
///     .layer(RouteGroups::new(&measured.metrics));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What counts
///
/// - A group counts the polls of the request's future, from the call of the inner service until its response begins. The polls that
///   send the body of the response are not part of it.
/// - The polls of a group are parts of polls of the connection's task, which the row of the task's spawn location counts too. A group has
///   no schedule latency.
/// - Without [`Builder::locations`](crate::Builder::locations), only stalls name the route.
/// - During the poll, the live record shows the group: a stall of a handler names its route, even if the connection's task is not
///   measured, such as that of a stock `axum::serve`. The runtime must then be [attached](crate::tokio::attach()) or built by the adapter.
/// - Use [`Router::layer`](axum::Router::layer), which runs after the router has found the route, and add the layer once. Around the
///   whole router, every request is `unmatched`.
///
/// Each poll of a request takes two readings of the clock, and each request one short read lock.
#[derive(Clone)]
pub struct RouteGroups {
    target: Arc<RecordingTarget>,
}

impl RouteGroups {
    /// Creates a layer that records in the metrics of this runtime.
    pub fn new(metrics: &RuntimeMetrics) -> Self {
        Self {
            target: Arc::clone(metrics.probe().target()),
        }
    }
}

impl<S> Layer<S> for RouteGroups {
    type Service = RouteGroup<S>;

    fn layer(&self, inner: S) -> RouteGroup<S> {
        RouteGroup {
            inner,
            layer: self.clone(),
        }
    }
}

/// A service with [`RouteGroups`].
#[derive(Clone)]
pub struct RouteGroup<S> {
    inner: S,
    layer: RouteGroups,
}

const UNMATCHED: &str = "unmatched";

impl<S, B> Service<Request<B>> for RouteGroup<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = RouteGroupFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> RouteGroupFuture<S::Future> {
        let route = request.extensions().get::<MatchedPath>();
        let group = location::intern_group(route.map_or(UNMATCHED, MatchedPath::as_str));
        let request_in_progress = RECORDING.then(|| InProgress::start(&self.layer.target, group));
        RouteGroupFuture {
            inner: self.inner.call(request),
            request: request_in_progress,
        }
    }
}

pin_project! {
    /// The response of a [`RouteGroup`].
    pub struct RouteGroupFuture<F> {
        #[pin]
        inner: F,
        // Dropped after the future, so that the end is counted after all parts of the future are dropped.
        request: Option<InProgress>,
    }
}

impl<F: Future> Future for RouteGroupFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let lease = this.request.as_ref().and_then(InProgress::lease);
        // In this order: the poll of the group ends before the submit, even if the poll panics.
        let _submit = lease.as_deref().map(SubmitOutsidePolls);
        let _poll = this
            .request
            .as_ref()
            .zip(lease.as_deref())
            .map(|(request, lease)| {
                let open = lease.enter_group(request.group);
                (lease.worker.start_group_poll(request.group), open)
            });
        this.inner.poll(cx)
    }
}

/// A request that was started. Dropping it counts its end.
struct InProgress {
    target: Arc<RecordingTarget>,
    group: GroupId,
}

impl InProgress {
    fn start(target: &Arc<RecordingTarget>, group: GroupId) -> Self {
        let target = thread_leases::thread_local_handle(target);
        match thread_leases::find(&target.registry) {
            Some(lease) => lease.worker.group_started(group),
            None => target.registry.shared().group_started(group),
        }
        Self { target, group }
    }

    /// Returns `None` on a thread that can't lease a slot: such a thread is ending, or no slot is left.
    fn lease(&self) -> Option<Rc<Lease>> {
        thread_leases::lease_for_poll(&self.target, PolledBy::Unknown)
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        match thread_leases::find(&self.target.registry) {
            Some(lease) => lease.worker.group_ended(self.group),
            None => self.target.registry.shared().group_ended(self.group),
        }
    }
}

/// Submits when it is dropped, unless the thread is in the poll of a task.
struct SubmitOutsidePolls<'a>(&'a Lease);

impl Drop for SubmitOutsidePolls<'_> {
    fn drop(&mut self) {
        if !self.0.worker.is_polling() {
            self.0.worker.submit();
        }
    }
}

impl fmt::Debug for RouteGroups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteGroups").finish_non_exhaustive()
    }
}

impl<S: fmt::Debug> fmt::Debug for RouteGroup<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteGroup")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for RouteGroupFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteGroupFuture").finish_non_exhaustive()
    }
}
