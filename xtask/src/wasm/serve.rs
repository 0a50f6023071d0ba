//! Serves the demo's files on the loopback address.

use std::fs;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::{Component, Path, PathBuf};

use anyhow::{Result, anyhow};
use tiny_http::{HTTPVersion, Header, Response, Server, StatusCode};

use super::build::Module;
use crate::workspace;

/// Serves the dashboard with `module` as its `pkg/`, until the process ends.
pub(super) fn demo(module: &Module, port: u16) -> Result<()> {
    let server = Server::http((Ipv4Addr::LOCALHOST, port))
        .map_err(|error| anyhow!("can't listen on port {port}: {error}"))?;
    let address = server.server_addr();
    println!("the dashboard is at http://{address}/?source=wasm; press Ctrl-C to end it");
    io::stdout().flush()?;
    let page = workspace::root().join("metrics-wasm/dashboard");
    for request in server.incoming_requests() {
        let path = request.url().split('?').next().unwrap_or_default().to_owned();
        let response = match path.as_str() {
            // Without a query the page would request a server's snapshots.
            "/" if !request.url().contains('?') => redirect("/?source=wasm"),
            "/" => file(&page, "index.html"),
            path => match path.strip_prefix("/pkg/") {
                Some(path) => file(&module.dir, path),
                None => file(&page, path.trim_start_matches('/')),
            },
        };
        // In a cross-origin isolated page, the clock has steps of 5 us instead of 100 us.
        let response = response
            .with_header(header("Cross-Origin-Opener-Policy", "same-origin"))
            .with_header(header("Cross-Origin-Embedder-Policy", "require-corp"))
            // The README of metrics-wasm states that no more is needed.
            .with_header(header(
                "Content-Security-Policy",
                "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'",
            ))
            .with_header(header("Cache-Control", "no-store"));
        // In HTTP/1.0, a connection ends with its response. The threads of `tiny_http` wait for the next request of a connection that stays
        // open, and its pool sometimes leaves a new connection to a thread that waits.
        // The browser may have closed the connection.
        let _ = response.raw_print(request.into_writer(), HTTPVersion(1, 0), &[], false, None);
    }
    Ok(())
}

type Answer = Response<io::Cursor<Vec<u8>>>;

fn file(dir: &Path, path: &str) -> Answer {
    let inside = Path::new(path)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    match inside.then(|| fs::read(dir.join(path))) {
        Some(Ok(bytes)) => Response::from_data(bytes).with_header(header("Content-Type", media_type(path))),
        _ => Response::from_string("there is nothing here\n").with_status_code(404),
    }
}

fn redirect(to: &str) -> Answer {
    Response::from_data(Vec::new())
        .with_status_code(StatusCode(302))
        .with_header(header("Location", to))
}

fn media_type(path: &str) -> &'static str {
    match PathBuf::from(path)
        .extension()
        .and_then(|extension| extension.to_str())
    {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    }
}

#[allow(clippy::expect_used, reason = "every caller gives plain ASCII")]
fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("plain ASCII")
}
