//! The program `metrics-top` on a service that serves its snapshots.
#![allow(missing_docs)]

use core::time::Duration;
use metrics_std::serve::start;
use metrics_std::{Builder, Clock, build_wrapped};
use std::io::{BufRead as _, BufReader, ErrorKind};
use std::net::TcpListener;
use std::process::{Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_metrics-top");

#[test]
fn without_a_terminal_it_prints_a_line_per_second() {
    let metrics = build_wrapped(Builder::new().name("pool"), Clock::new()).unwrap();
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
    assert!(line.starts_with("pool  busy "), "{line}");
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
    let (code, text) = error(&[&address.to_string()]);
    assert_eq!(code, Some(1), "{text}");
    let expected = format!("error: can't get http://{address}/snapshot: ");
    assert!(text.starts_with(&expected), "{text}");
}

#[test]
fn a_page_that_is_not_a_snapshot_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
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
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]";
        stream.write_all(answer).unwrap();
        request
    });
    let (code, text) = error(&[&format!("http://{address}/snapshot")]);
    let request = server.join().unwrap();
    assert!(request.starts_with(b"GET /snapshot HTTP/1.1\r\n"));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("/snapshot is not a snapshot: "), "{text}");
}

#[test]
fn a_wrong_command_line_prints_the_usage() {
    for arguments in [&[][..], &["a", "b"], &["--wrong"]] {
        let (code, text) = error(arguments);
        assert_eq!(code, Some(2), "{arguments:?}");
        assert!(text.starts_with("usage: metrics-top URL"), "{text}");
    }
}
