//! Runs each example and checks what it prints.
//!
//! `cargo test` builds the examples before it runs this. With `--test examples` it doesn't: build them first, as the message says.

use core::time::Duration;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use outside::{Killed, silent_success};

/// An example, which is built into `examples` beside the `deps` of this test.
fn example(name: &str) -> Command {
    let test = std::env::current_exe().expect("this test has a path");
    let profile = test.ancestors().nth(2).expect("it is in `deps` of a profile");
    let file: PathBuf = ["examples", name].iter().collect();
    let path = profile.join(file).with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        path.is_file(),
        "{} is not built: run `cargo build --package metrics-std --all-features --examples` first",
        path.display()
    );
    Command::new(path)
}

fn output_of(name: &str) -> String {
    let output = example(name).output().expect("the example starts");
    silent_success(output)
}

/// The lines of `output`, each number replaced by `N`.
fn without_numbers(output: &str) -> Vec<String> {
    let line = |line: &str| {
        let mut text = String::new();
        for c in line.chars() {
            match c {
                '0'..='9' if text.ends_with('N') => {}
                '0'..='9' => text.push('N'),
                _ => text.push(c),
            }
        }
        text
    };
    output.lines().map(line).collect()
}

#[test]
fn any_executor_counts_tasks_and_polls() {
    let output = output_of("any_executor");
    assert!(output.starts_with("100 tasks completed\n200 polls\n"), "{output}");
    let last = without_numbers(&output).pop();
    assert_eq!(
        last.as_deref(),
        Some("N % of the wakes were followed by a poll within N ns")
    );
}

#[test]
fn own_runtime_measures_each_worker() {
    let output = output_of("own_runtime");
    for line in [
        "worker 0: 200 polls, busy for ",
        "worker 1: 200 polls, busy for ",
        "\n200 tasks completed\n",
    ] {
        assert!(output.contains(line), "{line:?} is not in\n{output}");
    }
    let last = without_numbers(&output).pop();
    assert_eq!(
        last.as_deref(),
        Some("N % of the wakes were followed by a poll within N ns")
    );
}

#[test]
fn stalls_are_reported_while_they_last_and_once_they_are_over() {
    let output = output_of("stalls");
    let reports: Vec<&str> = output.lines().collect();
    let [ongoing, over] = *reports else {
        panic!("not two reports:\n{output}");
    };
    assert!(ongoing.contains(" has been in one poll for "), "{ongoing}");
    assert!(over.contains(" was in one poll for "), "{over}");
    let line = include_str!("../examples/stalls.rs")
        .lines()
        .position(|line| line.contains("spawner.spawn("))
        .expect("it spawns a task");
    for report in [ongoing, over] {
        assert!(report.starts_with("runtime api: worker "), "{report}");
        let spawned_at = format!("examples/stalls.rs:{}", line + 1);
        assert!(report.replace('\\', "/").ends_with(&spawned_at), "{report}");
    }
}

#[test]
fn exporter_writes_both_runtimes() {
    let page = output_of("exporter");
    for sample in [
        "# TYPE async_runtime_tasks_spawned_total counter\n",
        "\nasync_runtime_tasks_spawned_total{runtime=\"api\"} 1\n",
        "\nasync_runtime_tasks_spawned_total{runtime=\"jobs\"} 1\n",
    ] {
        assert!(page.contains(sample), "{sample:?} is not in\n{page}");
    }
}

#[test]
fn own_exporter_writes_counters_gauges_and_histograms() {
    let output = output_of("own_exporter");
    for line in ["poll_count:1|g", "covered_tasks:0|g", "poll_time.count:1|g"] {
        assert!(
            output.lines().any(|found| found == line),
            "{line:?} is not in\n{output}"
        );
    }
}

#[test]
fn tokio_service_serves_its_metrics() {
    let pages = unused_address();
    let service = example("tokio_service")
        .env("SERVICE", "127.0.0.1:0")
        .env("METRICS", &pages)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the example starts");
    let mut service = Killed(service);
    let mut stdout = BufReader::new(service.0.stdout.take().expect("it is piped"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("it prints its address");
    let address = line
        .trim_end()
        .strip_prefix("listening on http://")
        .expect("it prints its address");

    assert!(get(address, "/").ends_with("\r\n\r\nhello\n"));
    // The client sees the end of its connection before the task of the connection has ended.
    let completed = "\nasync_runtime_tasks_completed_total{runtime=\"main\"} ";
    let mut page = get(&pages, "/metrics");
    for _ in 0..1_000 {
        if value(&page, completed) == Some(1) {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
        page = get(&pages, "/metrics");
    }
    assert_eq!(value(&page, completed), Some(1), "{page}");
    for sample in [
        "\nasync_runtime_worker_polls_total{runtime=\"main\"} ",
        "\nasync_runtime_poll_duration_seconds_count{runtime=\"main\"} ",
    ] {
        assert!(value(&page, sample) >= Some(2), "{sample:?} in\n{page}");
    }
    assert!(get(&pages, "/").contains("<script"));
    assert!(get(&pages, "/snapshot").contains("\"main\""));
}

/// An address at which no one listens now.
fn unused_address() -> String {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    socket.local_addr().expect("it is bound").to_string()
}

fn value(page: &str, sample: &str) -> Option<u64> {
    page.split_once(sample)?.1.lines().next()?.parse().ok()
}

/// The answer to a request on a connection of its own.
fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the service listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("the timeout is not zero");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

/// The READMEs show the example as it is.
#[test]
fn the_readmes_contain_the_service() {
    let example = include_str!("../examples/tokio_service.rs");
    let (_, code) = example
        .split_once("\n\n")
        .expect("the code follows the description");
    for (name, readme) in [
        ("README.md", include_str!("../../README.md")),
        ("metrics-std/README.md", include_str!("../README.md")),
    ] {
        let block = format!("```rust,no_run\n{code}```\n");
        let added = code.lines().filter(|line| line.contains("// +")).count();
        assert!(added <= 5, "{added} lines adopt the metrics");
        assert!(
            readme.contains(&block),
            "copy the example tokio_service into {name}:\n{block}"
        );
    }
}
