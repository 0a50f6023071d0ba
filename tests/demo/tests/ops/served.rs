//! What Prometheus scrapes: the demo, and a runtime of this test that is in trouble.

use metrics_std::Runtimes;
use metrics_std::prometheus::{Format, RuntimeCollector};
use metrics_std::tokio::{MeasuredRuntime, Spawner, TokioAdapter};
use metrics_std::watchdog::{Watchdog, watch_stalls};
use outside::Killed;
use prometheus_client::registry::Registry;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;
use tokio::runtime::Runtime;

pub(crate) const OPS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../metrics-std/ops");

pub(crate) fn read(file: &str) -> String {
    fs::read_to_string(format!("{OPS}/{file}")).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Starts the demo at this address.
pub(crate) fn demo(address: &str) -> Killed {
    let (_, port) = address.rsplit_once(':').expect("it has a port");
    let child = Command::new(env!("CARGO_BIN_EXE_demo"))
        .args(["--port", port, "--rate", "500", "--workers", "2"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn();
    Killed(child.expect("the demo does not start"))
}

/// A runtime with few threads, which the test brings into trouble.
pub(crate) struct Victim {
    pub(crate) spawner: Spawner,
    _runtime: Runtime,
    _watchdog: Watchdog,
    list: Runtimes,
    name: &'static str,
}

impl Victim {
    pub(crate) fn start(list: &Runtimes, name: &'static str) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).max_blocking_threads(1).enable_all();
        let built = TokioAdapter::builder().name(name).build(&mut builder);
        let MeasuredRuntime {
            runtime,
            metrics,
            spawner,
            ..
        } = built.expect("the runtime starts");
        list.add(&metrics).expect("the name is free");
        Self {
            spawner,
            _watchdog: watch_stalls(&metrics, Duration::from_millis(20), |_| {}).expect("there are threads"),
            _runtime: runtime,
            list: list.clone(),
            name,
        }
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.list.remove(self.name);
    }
}

/// Serves the metrics of each worker of the listed runtimes, from a thread that is no part of them. Returns the address.
pub(crate) fn serve(list: &Runtimes) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(RuntimeCollector::new(list).each_worker(true)));
    let listener = TcpListener::bind("127.0.0.1:0").expect("no free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    // It ends with the process.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut page = String::new();
            Format::Text
                .write(&mut page, &registry)
                .expect("a String takes everything");
            let head = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
                Format::Text.content_type(),
                page.len()
            );
            // Prometheus sends its request at once, and may give up before the answer.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all((head + &page).as_bytes());
        }
    });
    address
}

/// A configuration that scrapes these jobs each second.
pub(crate) fn settings(jobs: &[(&str, &str)], rules: &str) -> String {
    let jobs = jobs.iter().map(|(job, address)| {
        format!("- {{job_name: {job}, static_configs: [{{targets: ['{address}']}}]}}\n")
    });
    format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{rules}]\nscrape_configs:\n{}",
        jobs.collect::<String>()
    )
}
