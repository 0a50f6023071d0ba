//! A `/metrics` endpoint for axum.

use super::Format;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use prometheus_client::registry::Registry;
use std::sync::Arc;

/// Returns a handler that answers `GET` with the whole registry, in the format that [`Format::negotiate`] chooses.
///
/// The handler takes new snapshots for each request, so several scrapers do not affect each other. It encodes within one poll on a
/// worker of the runtime that serves it, so the work appears in that runtime's poll times.
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
    // Several lines of one header are equivalent to one line with commas (RFC 9110, 5.3).
    let lines = headers.get_all(header::ACCEPT).iter();
    let accept: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
    let format = Format::negotiate(Some(&accept.join(",")));
    let mut body = String::new();
    match format.write(&mut body, registry) {
        Ok(()) => (
            [
                (header::CONTENT_TYPE, format.content_type()),
                // One address answers in two formats, and a cache must not confuse them.
                (header::VARY, "accept"),
            ],
            Body::from(body),
        )
            .into_response(),
        // A collector in the registry failed. In an incomplete response, counters would seem to have vanished.
        Err(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "a metric could not be encoded\n",
        )
            .into_response(),
    }
}
