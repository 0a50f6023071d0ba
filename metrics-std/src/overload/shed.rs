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
/// The layer must be inside of those that do much work per request, such as authentication, only if these are to run for rejected requests
/// too: a rejected request should cost little.
#[derive(Clone)]
pub struct ShedLayer<R> {
    signal: OverloadSignal<R>,
    retry_after: HeaderValue,
}

/// A service with a [`ShedLayer`].
#[derive(Clone)]
pub struct Shed<S, R> {
    inner: S,
    layer: ShedLayer<R>,
}

impl<R> ShedLayer<R> {
    /// Creates a layer that asks clients to wait for one second.
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
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> ShedFuture<S::Future> {
        if self.layer.signal.is_shedding() {
            ShedFuture::Rejected {
                retry_after: Some(self.layer.retry_after.clone()),
            }
        } else {
            ShedFuture::Accepted {
                inner: self.inner.call(request),
            }
        }
    }
}

pin_project! {
    /// The response of a [`Shed`].
    #[project = Projected]
    pub enum ShedFuture<F> {
        #[doc(hidden)]
        Accepted { #[pin] inner: F },
        #[doc(hidden)]
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
        match self.project() {
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
    use core::future::{Ready, ready};
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

    #[test]
    fn requests_are_rejected_only_while_the_runtime_sheds_load() {
        let metrics = build_wrapped(Builder::new(), Clock::instant()).unwrap();
        let registry = metrics.registry().shared();
        let layer = ShedLayer::new(OverloadSignal::new(&metrics)).retry_after(Duration::from_millis(1_001));
        let mut service = layer.layer(Hello);
        let mut answer = || {
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
