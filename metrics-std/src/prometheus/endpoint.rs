//! A `/metrics` endpoint for axum.

use super::Format;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use prometheus_client::registry::Registry;
use std::sync::Arc;

/// Answers `GET` with the whole registry, in the format that [`Format::negotiate`] finds in the request.
///
/// The page is made anew for each request, from snapshots taken then: two scrapers never see or disturb each
/// other's numbers. The work happens in the handler's poll and so on a worker of the runtime that serves it; it
/// shows in that runtime's own poll times.
///
/// ```
/// use metrics_std::prometheus::endpoint;
/// use std::sync::Arc;
///
/// let registry = Arc::new(prometheus_client::registry::Registry::default());
/// let router: axum::Router = axum::Router::new().route("/metrics", endpoint(registry));
/// ```
pub fn endpoint<S>(registry: Arc<Registry>) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    get(async move |headers: HeaderMap| page(&registry, &headers))
}

fn page(registry: &Registry, headers: &HeaderMap) -> Response {
    // Several lines of one header mean the same as one line with commas (RFC 9110, 5.3).
    let lines = headers.get_all(header::ACCEPT).iter();
    let accept: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
    let format = Format::negotiate(Some(&accept.join(",")));
    let mut body = String::new();
    match format.write(&mut body, registry) {
        Ok(()) => (
            [
                (header::CONTENT_TYPE, format.content_type()),
                // One address answers in two formats: a cache between us must not mix them up.
                (header::VARY, "accept"),
            ],
            Body::from(body),
        )
            .into_response(),
        // A collector in the registry failed. Half a page would look like counters that vanished.
        Err(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "a metric could not be encoded\n",
        )
            .into_response(),
    }
}
