//! The `/metrics` handler.
#![allow(missing_docs)]

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, header};
use metrics_std::prometheus::endpoint;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use tower_service::Service as _;

fn content_type(accept: &[&'static str]) -> HeaderValue {
    let mut router: Router = Router::new().route("/metrics", endpoint(Arc::new(Registry::default())));
    let mut request = Request::get("/metrics").body(Body::empty()).unwrap();
    *request.headers_mut() = accept
        .iter()
        .map(|value| (header::ACCEPT, HeaderValue::from_static(value)))
        .collect::<HeaderMap>();
    let response = futures::executor::block_on(router.call(request)).unwrap();
    response.headers()[header::CONTENT_TYPE].clone()
}

#[test]
fn several_accept_lines_mean_the_same_as_one_with_commas() {
    let open_metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let text = "text/plain; version=0.0.4; charset=utf-8";
    let (prefers_open_metrics, prefers_text) = (
        ["text/plain;q=0.5", "application/openmetrics-text;version=1.0.0"],
        ["application/openmetrics-text;q=0.1", "text/plain;q=0.5"],
    );
    assert_eq!(content_type(&prefers_open_metrics), open_metrics);
    assert_eq!(
        content_type(&["text/plain;q=0.5, application/openmetrics-text;version=1.0.0"]),
        open_metrics
    );
    assert_eq!(content_type(&prefers_text), text);
    assert_eq!(content_type(&[]), text);
}

#[test]
fn an_accept_line_that_is_not_text_is_passed_over() {
    let mut router: Router = Router::new().route("/metrics", endpoint(Arc::new(Registry::default())));
    let request = Request::get("/metrics")
        .header(header::ACCEPT, HeaderValue::from_bytes(b"\xff").unwrap())
        .header(header::ACCEPT, "application/openmetrics-text")
        .body(Body::empty())
        .unwrap();
    let response = futures::executor::block_on(router.call(request)).unwrap();
    let content_type = &response.headers()[header::CONTENT_TYPE];
    assert!(
        content_type
            .to_str()
            .unwrap()
            .starts_with("application/openmetrics-text")
    );
}
