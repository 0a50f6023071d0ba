//! The pages that the demo serves: metrics in the requested format, and the dashboard.

use crate::child::{Demo, alone, workspace};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Far longer than it takes until the demo blocks a worker.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns the content type and body of an answer.
fn get(demo: &str, path: &str, accept: Option<&str>) -> (String, String) {
    let mut request = ureq::get(format!("http://{demo}{path}"));
    if let Some(accept) = accept {
        request = request.header("Accept", accept);
    }
    let mut answer = request.call().unwrap_or_else(|error| panic!("{path}: {error}"));
    let kind = answer
        .headers()
        .get("Content-Type")
        .expect("it says what it is")
        .to_str();
    let kind = kind.expect("it is text").to_owned();
    (kind, answer.body_mut().read_to_string().expect("it is text"))
}

#[test]
fn metrics_and_dashboard_are_served() {
    let _alone = alone();
    let mut demo = Demo::start();
    let address = demo.address.clone();
    // A full pipe would block it.
    let lines = thread::spawn(move || demo.lines.by_ref().for_each(drop));
    the_format_is_negotiated(&address);
    every_file_of_the_dashboard_is_there(&address);
    the_longest_poll_of_the_trace_is_the_stall(&address);
    drop(demo.child);
    lines.join().expect("reading lines does not panic");
}

/// The demo blocks a worker for 60 ms again and again. A poll that the operating system interrupted may be longer once, so several traces
/// are tried.
fn the_longest_poll_of_the_trace_is_the_stall(address: &str) {
    let service = fs::read_to_string(workspace().join("tests/demo/src/service.rs")).expect("it is text");
    let line = service.lines().position(|line| line.contains(".spawn(work)"));
    let stall = format!("src/service.rs:{}", line.expect("it spawns what blocks") + 1);
    let began = Instant::now();
    let mut longest = None;
    while began.elapsed() < PATIENCE {
        let request = ureq::get(format!("http://{address}/trace")).call();
        // At most one trace per second.
        let Ok(mut trace) = request else {
            thread::sleep(Duration::from_millis(100));
            continue;
        };
        let trace: Value = trace.body_mut().read_json().expect("it is JSON");
        let events = trace["traceEvents"].as_array().expect("it has events");
        let polls = events
            .iter()
            .filter(|event| event["ph"] == "X" && event["name"] != "parked");
        let polls = polls.filter_map(|poll| Some((poll["dur"].as_f64()?, poll["name"].as_str()?.to_owned())));
        longest = polls.max_by(|one, other| one.0.total_cmp(&other.0));
        if let Some((micros, name)) = &longest
            && name.ends_with(&stall)
            && *micros >= 60_000.0
        {
            return;
        }
    }
    panic!("not {stall}, but {longest:?}");
}

fn the_format_is_negotiated(address: &str) {
    let (kind, text) = get(address, "/metrics", None);
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    if let Some(promtool) = outside::program("promtool") {
        let mut child = Command::new(promtool)
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("promtool does not start");
        let mut stdin = child.stdin.take().expect("it was piped");
        stdin.write_all(text.as_bytes()).expect("promtool does not read");
        drop(stdin);
        assert_eq!(
            outside::silent_success(child.wait_with_output().expect("promtool does not end")),
            ""
        );
    }
    let (kind, open_metrics) = get(
        address,
        "/metrics",
        Some("application/openmetrics-text;version=1.0.0"),
    );
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(open_metrics.ends_with("\n# EOF\n"));
}

fn every_file_of_the_dashboard_is_there(address: &str) {
    let folder = fs::read_dir(workspace().join("metrics-wasm/dashboard")).expect("the dashboard is there");
    let names = folder.map(|file| {
        file.expect("it can be listed")
            .file_name()
            .into_string()
            .expect("UTF-8")
    });
    // The server replaces the page's own workload. The other two are not for browsers.
    let files: BTreeSet<String> = names
        .filter(|name| name != "workload.js" && name != "README.md")
        .collect();
    assert!(files.contains("index.html") && files.contains("dashboard.js"));
    for name in files {
        let kind = match name.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            other => panic!("{name}: who serves {other:?}?"),
        };
        let path = if name == "index.html" {
            "/".to_owned()
        } else {
            format!("/{name}")
        };
        let text =
            fs::read_to_string(workspace().join("metrics-wasm/dashboard").join(&name)).expect("it is text");
        assert_eq!(get(address, &path, None), (kind.to_owned(), text));
    }
}
