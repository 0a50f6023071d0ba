//! The dashboard's static files, compiled into the program.

use axum::Router;
use axum::extract::OriginalUri;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;

const HTML: &str = "text/html; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! file {
    ($file:literal) => {
        include_str!(concat!("../../dashboard/", $file))
    };
}

const PAGE: &str = file!("index.html");

/// The path, content type and text of each file that the page loads.
const FILES: [(&str, &str, &str); 8] = [
    ("/dashboard.js", JAVASCRIPT, file!("dashboard.js")),
    ("/histogram.js", JAVASCRIPT, file!("histogram.js")),
    ("/icon.svg", SVG, file!("icon.svg")),
    ("/interval.js", JAVASCRIPT, file!("interval.js")),
    ("/plots.js", JAVASCRIPT, file!("plots.js")),
    ("/sources.js", JAVASCRIPT, file!("sources.js")),
    ("/tables.js", JAVASCRIPT, file!("tables.js")),
    ("/style.css", CSS, file!("style.css")),
];

/// Returns a router that serves the files.
pub(super) fn router() -> Router {
    FILES.into_iter().fold(
        Router::new().route("/", get(page)),
        |router, (path, kind, text)| router.route(path, get(async move || ([(CONTENT_TYPE, kind)], text))),
    )
}

/// Returns the page. It requests its files and snapshots at relative paths, so its own path must end in a slash: if the router is mounted
/// at `/internal`, a request of that path is redirected.
async fn page(OriginalUri(uri): OriginalUri) -> Response {
    match uri.path().rsplit_once('/') {
        Some((_, last)) if !last.is_empty() => Redirect::temporary(&format!("./{last}/")).into_response(),
        _ => ([(CONTENT_TYPE, HTML)], PAGE).into_response(),
    }
}
