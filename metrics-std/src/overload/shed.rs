//! A tower layer that rejects requests while the runtime is overloaded.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use http::{HeaderValue, Response, StatusCode, header};
use metrics_core::{HeapStorage, RegistryRef};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::OverloadSignal;

/// Answers requests with `503 Service Unavailable` and the header `Retry-After` while the runtime sheds load. Other requests pass.
///
/// ```
/// use core::time::Duration;
/// use axum::{Router, routing::get};
/// use metrics_std::overload::{ShedLayer, watch_overload};
///
/// # let measured = metrics_std::tokio::TokioAdapter::builder().build(&mut tokio::runtime::Builder::new_multi_thread())?;
/// let watch = watch_overload(&measured.metrics, Duration::from_millis(5), Duration::from_millis(100))?;
/// let router: Router = Router::new()
///     .route("/orders", get(async || "order"))
///     .layer(ShedLayer::new(watch.signal()))
///     // A route that is added later is not shed.
///     .route("/health", get(async || "alive"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Put this layer outside layers that do much work per request, such as authentication, and outside those that let requests wait, such as a
/// concurrency limit: a rejected request should cost little. In axum, the layer that is added last is the outermost.
#[derive(Clone)]
pub struct ShedLayer<R> {
    signal: OverloadSignal<R>,
    retry_after: HeaderValue,
}

/// A service with a [`ShedLayer`].
pub struct Shed<S, R> {
    inner: S,
    layer: ShedLayer<R>,
    /// The inner service is ready for one request.
    is_ready: bool,
}

impl<S: Clone, R: Clone> Clone for Shed<S, R> {
    fn clone(&self) -> Self {
        self.layer.layer(self.inner.clone())
    }
}

impl<R> ShedLayer<R> {
    /// Creates a layer whose responses have `Retry-After: 1`.
    pub fn new(signal: OverloadSignal<R>) -> Self {
        Self {
            signal,
            retry_after: HeaderValue::from_static("1"),
        }
    }

    /// Sets the time after which clients may try again, rounded up to seconds.
    #[must_use]
    pub fn retry_after(mut self, time: Duration) -> Self {
        let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
        self.retry_after = seconds.into();
        self
    }
}

impl<S, R: Clone> Layer<S> for ShedLayer<R> {
    type Service = Shed<S, R>;

    fn layer(&self, inner: S) -> Shed<S, R> {
        Shed {
            inner,
            layer: self.clone(),
            is_ready: false,
        }
    }
}

impl<S, R, Request, Body> Service<Request> for Shed<S, R>
where
    S: Service<Request, Response = Response<Body>>,
    R: RegistryRef<Storage = HeapStorage>,
    Body: Default,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = ShedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        if self.is_ready || self.layer.signal.is_shedding() {
            return Poll::Ready(Ok(()));
        }
        let ready = self.inner.poll_ready(cx);
        self.is_ready = matches!(ready, Poll::Ready(Ok(())));
        ready
    }

    fn call(&mut self, request: Request) -> ShedFuture<S::Future> {
        let state = if self.is_ready && !self.layer.signal.is_shedding() {
            self.is_ready = false;
            State::Accepted {
                inner: self.inner.call(request),
            }
        } else {
            State::Rejected {
                retry_after: Some(self.layer.retry_after.clone()),
            }
        };
        ShedFuture { state }
    }
}

pin_project! {
    /// The response of a [`Shed`].
    pub struct ShedFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = Projected]
    enum State<F> {
        Accepted { #[pin] inner: F },
        Rejected { retry_after: Option<HeaderValue> },
    }
}

impl<F, Body, E> Future for ShedFuture<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
    Body: Default,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            Projected::Accepted { inner } => inner.poll(cx),
            Projected::Rejected { retry_after } => {
                let mut response = Response::new(Body::default());
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                if let Some(seconds) = retry_after.take() {
                    response.headers_mut().insert(header::RETRY_AFTER, seconds);
                }
                Poll::Ready(Ok(response))
            }
        }
    }
}

impl<R> fmt::Debug for ShedLayer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShedLayer")
            .field("retry_after", &self.retry_after)
            .finish_non_exhaustive()
    }
}

impl<S: fmt::Debug, R> fmt::Debug for Shed<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shed")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, Clock, build_wrapped};
    use core::convert::Infallible;
    use core::future::{Ready, poll_fn, ready};
    use futures::executor::block_on;
    use metrics_core::LoadState;

    struct Hello;

    impl Service<()> for Hello {
        type Response = Response<String>;
        type Error = Infallible;
        type Future = Ready<Result<Response<String>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, (): ()) -> Self::Future {
            ready(Ok(Response::new("hello".to_owned())))
        }
    }

    /// Is never ready, as a concurrency limit under overload.
    #[derive(Clone)]
    struct Full;

    impl Service<()> for Full {
        type Response = Response<String>;
        type Error = Infallible;
        type Future = Ready<Result<Response<String>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Pending
        }

        fn call(&mut self, (): ()) -> Self::Future {
            panic!("it is not ready")
        }
    }

    #[test]
    fn requests_do_not_wait_for_a_full_service_while_the_runtime_sheds_load() {
        let metrics = build_wrapped(Builder::new(), Clock::instant()).unwrap();
        let registry = metrics.registry().shared();
        let mut service = ShedLayer::new(OverloadSignal::new(&metrics)).layer(Full);
        let mut cx = Context::from_waker(core::task::Waker::noop());
        assert!(service.poll_ready(&mut cx).is_pending());
        assert!(registry.begin_load_watch());
        registry.set_load(LoadState::Shedding);
        assert!(service.poll_ready(&mut cx).is_ready());
        // The load falls between the two calls.
        registry.set_load(LoadState::Normal);
        let response = block_on(service.call(())).unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(service.poll_ready(&mut cx).is_pending());
    }

    #[test]
    fn the_time_to_try_again_is_rounded_up_to_seconds() {
        let metrics = build_wrapped(Builder::new(), Clock::instant()).unwrap();
        for (millis, seconds) in [(0, "0"), (1, "1"), (2_000, "2"), (2_001, "3")] {
            let layer = ShedLayer::new(OverloadSignal::new(&metrics));
            let layer = layer.retry_after(Duration::from_millis(millis));
            assert_eq!(layer.retry_after, seconds);
        }
    }

    #[test]
    fn requests_are_rejected_only_while_the_runtime_sheds_load() {
        let metrics = build_wrapped(Builder::new(), Clock::instant()).unwrap();
        let registry = metrics.registry().shared();
        let layer = ShedLayer::new(OverloadSignal::new(&metrics)).retry_after(Duration::from_millis(1_001));
        let mut service = layer.layer(Hello);
        let mut answer = || {
            block_on(poll_fn(|cx| service.poll_ready(cx))).unwrap();
            let response = block_on(service.call(())).unwrap();
            let retry = response.headers().get(header::RETRY_AFTER);
            let retry = retry.map(|seconds| seconds.to_str().unwrap().to_owned());
            (response.status().as_u16(), retry, response.into_body())
        };
        let served = (200, None, "hello".to_owned());
        assert_eq!(answer(), served, "nothing watches");
        assert!(registry.begin_load_watch());
        for (state, sheds) in [
            (LoadState::Normal, false),
            (LoadState::Shedding, true),
            (LoadState::Accepting, false),
        ] {
            registry.set_load(state);
            let expected = if sheds {
                (503, Some("2".to_owned()), String::new())
            } else {
                served.clone()
            };
            assert_eq!(answer(), expected, "{state:?}");
        }
        registry.set_load(LoadState::Shedding);
        registry.end_load_watch();
        assert_eq!(answer(), served, "the watch has ended");
    }
}
