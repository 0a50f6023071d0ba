//! The program `metrics-top` on a service that serves its snapshots.
#![allow(missing_docs)]

use core::net::SocketAddr;
use core::time::Duration;
use metrics_std::metrics_core::NoClock;
use metrics_std::serve::start;
use metrics_std::{Builder, Clock, build_wrapped};
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;

const PROGRAM: &str = env!("CARGO_BIN_EXE_metrics-top");

#[test]
fn without_a_terminal_it_prints_a_line_per_second() {
    // The name has the control character with which a terminal's commands begin.
    let metrics = build_wrapped(Builder::new().name("po\u{1b}[31mol"), Clock::new()).unwrap();
    let server = start(&metrics, "127.0.0.1:0").unwrap();
    let url = format!("http://{}/", server.local_addr());
    let mut child = Command::new(PROGRAM)
        .arg(&url)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.starts_with("po\u{fffd}[31mol  busy "), "{line:?}");
    assert!(line.contains("  poll time p50 - p99 -"), "{line}");
}

/// Returns the exit code and the error of the program with these arguments.
fn error(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(PROGRAM).args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_service_that_is_not_there_is_an_error() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for path in ["", "/", "/snapshot", "/snapshot/"] {
        let (code, text) = error(&[&format!("{address}{path}")]);
        assert_eq!(code, Some(1), "{text}");
        let expected = format!("error: can't get http://{address}/snapshot: ");
        assert!(text.starts_with(&expected), "{path}: {text}");
    }
}

#[test]
fn a_runtime_without_a_clock_is_an_error() {
    let metrics = build_wrapped(Builder::new(), Clock::custom(NoClock)).unwrap();
    let body = serde_json::to_string(&metrics.snapshot()).unwrap();
    let (address, server) = answer("200 OK", body);
    let (code, text) = error(&[&address.to_string()]);
    server.join().unwrap();
    assert_eq!(code, Some(1), "{text}");
    assert_eq!(
        text.trim_end(),
        "error: the runtime has no clock, so there are no rates to show"
    );
}

/// Answers one request with this head and body. Its thread returns the request.
fn answer(head: &'static str, body: impl Into<String>) -> (SocketAddr, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let body = body.into();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            match stream.read(&mut byte) {
                Ok(1) => request.push(byte[0]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => break,
            }
        }
        let length = body.len();
        let answer =
            format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        stream.write_all(answer.as_bytes()).unwrap();
        request
    });
    (address, server)
}

#[test]
fn a_redirect_is_an_error() {
    let elsewhere = "302 Found\r\nLocation: http://127.0.0.1:1/snapshot";
    let (address, server) = answer(elsewhere, "");
    let (code, text) = error(&[&address.to_string()]);
    server.join().unwrap();
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(": the service redirects"), "{text}");
}

#[test]
fn an_error_contains_no_control_characters_of_the_service() {
    let (address, server) = answer("200 OK", r#"{"locations": [{"kind": "\u001b[2J"}]}"#);
    let (code, text) = error(&[&address.to_string()]);
    server.join().unwrap();
    assert_eq!(code, Some(1), "{text:?}");
    assert!(
        text.contains("\u{fffd}[2J") && !text.trim_end().contains(char::is_control),
        "{text:?}"
    );
}

#[test]
fn a_page_that_is_not_a_snapshot_is_an_error() {
    let (address, server) = answer("200 OK", "[]");
    let (code, text) = error(&[&format!("http://{address}/snapshot")]);
    let request = server.join().unwrap();
    assert!(request.starts_with(b"GET /snapshot HTTP/1.1\r\n"));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("/snapshot is not a snapshot: "), "{text}");
}

#[test]
fn help_is_no_mistake() {
    for flag in ["-h", "--help"] {
        let output = Command::new(PROGRAM).arg(flag).output().unwrap();
        assert!(output.status.success(), "{flag}");
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(printed.starts_with("usage: metrics-top URL"), "{printed}");
    }
}

#[test]
fn a_wrong_command_line_prints_the_usage() {
    for arguments in [&[][..], &["a", "b"], &["--wrong"]] {
        let (code, text) = error(arguments);
        assert_eq!(code, Some(2), "{arguments:?}");
        assert!(text.starts_with("usage: metrics-top URL"), "{text}");
    }
}
