//! The dashboard's static files, compiled into the program.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
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

/// The path, content type and text of each file. The page requests its snapshots at the relative path `snapshot`.
const FILES: [(&str, &str, &str); 8] = [
    ("/", HTML, file!("index.html")),
    ("/dashboard.js", JAVASCRIPT, file!("dashboard.js")),
    ("/histogram.js", JAVASCRIPT, file!("histogram.js")),
    ("/icon.svg", SVG, file!("icon.svg")),
    ("/interval.js", JAVASCRIPT, file!("interval.js")),
    ("/plots.js", JAVASCRIPT, file!("plots.js")),
    ("/sources.js", JAVASCRIPT, file!("sources.js")),
    ("/style.css", CSS, file!("style.css")),
];

/// Returns a router that serves the files.
pub(super) fn router() -> Router {
    FILES
        .into_iter()
        .fold(Router::new(), |router, (path, kind, text)| {
            router.route(path, get(async move || ([(CONTENT_TYPE, kind)], text)))
        })
}
