//! A `/metrics` endpoint for axum. This is metrics-std's own file: what others register is served as there.

use super::Format;
use alloc::string::String;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use prometheus_client::registry::Registry;
use std::sync::Arc;

/// Answers `GET` with the whole registry, in the format that [`Format::negotiate`] finds in the request.
///
/// The page is made anew for each request.
pub fn endpoint<S>(registry: Arc<Registry>) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    get(async move |headers: HeaderMap| page(&registry, &headers))
}

fn page(registry: &Registry, headers: &HeaderMap) -> Response {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    let format = Format::negotiate(accept);
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
