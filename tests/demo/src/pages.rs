//! The dashboard's static files, compiled into the program.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;

const HTML: &str = "text/html; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! dashboard {
    ($file:literal) => {
        include_str!(concat!("../../../metrics-wasm/dashboard/", $file))
    };
}

/// The path, content type and text of each file. The page requests its snapshots at the relative path `snapshot`.
const FILES: [(&str, &str, &str); 8] = [
    ("/", HTML, dashboard!("index.html")),
    ("/dashboard.js", JAVASCRIPT, dashboard!("dashboard.js")),
    ("/histogram.js", JAVASCRIPT, dashboard!("histogram.js")),
    ("/icon.svg", SVG, dashboard!("icon.svg")),
    ("/interval.js", JAVASCRIPT, dashboard!("interval.js")),
    ("/plots.js", JAVASCRIPT, dashboard!("plots.js")),
    ("/sources.js", JAVASCRIPT, dashboard!("sources.js")),
    ("/style.css", CSS, dashboard!("style.css")),
];

/// Returns a router that serves the files.
pub(crate) fn router() -> Router {
    FILES
        .into_iter()
        .fold(Router::new(), |router, (path, kind, text)| {
            router.route(path, get(async move || ([(CONTENT_TYPE, kind)], text)))
        })
}
