//! Checks the `Host` of a request, against DNS rebinding: a page from elsewhere whose name resolves to this machine.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// The names under which the server may be addressed, in addition to IP addresses and `localhost`.
#[derive(Clone)]
pub(super) struct Hosts(Arc<[Box<str>]>);

impl Hosts {
    pub(super) fn new(names: Vec<Box<str>>) -> Self {
        let without_port = |name: Box<str>| match name.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() => host.into(),
            _ => name,
        };
        Self(names.into_iter().map(without_port).collect())
    }

    /// Runs the handler if the request names an allowed host.
    pub(super) async fn check(&self, request: Request, next: Next) -> Response {
        let host = request.headers().get(header::HOST);
        if host
            .and_then(|host| host.to_str().ok())
            .is_some_and(|host| self.allow(host))
        {
            next.run(request).await
        } else {
            let text =
                "this server does not have the name in the Host header: use its address, or allow the name\n";
            (StatusCode::MISDIRECTED_REQUEST, text).into_response()
        }
    }

    fn allow(&self, host: &str) -> bool {
        if let Some(rest) = host.strip_prefix('[') {
            return rest
                .split_once(']')
                .is_some_and(|(address, port)| address.parse::<Ipv6Addr>().is_ok() && is_port(port));
        }
        let end = host.find(':').unwrap_or(host.len());
        let (name, port) = host.split_at(end);
        let is_known = name.eq_ignore_ascii_case("localhost")
            || name.parse::<Ipv4Addr>().is_ok()
            || self.0.iter().any(|allowed| allowed.eq_ignore_ascii_case(name));
        is_known && is_port(port)
    }
}

/// Returns whether the text is empty, or a colon and a number.
fn is_port(text: &str) -> bool {
    text.is_empty()
        || text
            .strip_prefix(':')
            .is_some_and(|port| port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_allowed_is_refused() {
        let hosts = Hosts::new(vec!["metrics.internal".into(), "with.port:9090".into()]);
        for host in [
            "with.port",
            "with.port:9090",
            "with.port:80",
            "127.0.0.1",
            "127.0.0.1:3000",
            "10.1.2.3:80",
            "[::1]",
            "[::1]:3000",
            "localhost",
            "LocalHost:3000",
            "metrics.internal",
            "Metrics.Internal:9090",
        ] {
            assert!(hosts.allow(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "127.0.0.1:x",
            "[::1",
            "[::1]x",
            "[example.com]",
            "::1",
            "evil@127.0.0.1",
            "metrics.internal.example",
        ] {
            assert!(!hosts.allow(host), "{host}");
        }
    }
}
