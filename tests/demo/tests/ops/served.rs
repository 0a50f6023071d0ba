//! What Prometheus scrapes: the demo, and a runtime of this test that is in trouble.

use metrics_std::overload::{OverloadWatch, watch_overload};
use metrics_std::prometheus::{Format, RuntimeCollector};
use metrics_std::tokio::{
    DEFAULT_LAG_PERIOD, LagProbe, MeasuredRuntime, Spawner, TokioAdapter, watch_loop_lag, watch_wake_latency,
};
use metrics_std::watchdog::{Watchdog, watch_stalls};
use metrics_std::{Registry as RuntimeRegistry, Runtimes};
use outside::Killed;
use prometheus_client::registry::Registry;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub(crate) const OPS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../metrics-std/ops");

pub(crate) fn read(file: &str) -> String {
    fs::read_to_string(format!("{OPS}/{file}")).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The number of spawn locations with metrics of their own.
const LOCATIONS: usize = 16;

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
    _watchdog: Watchdog,
    _lag: [LagProbe; 2],
    _overload: OverloadWatch<Arc<RuntimeRegistry>>,
    _runtime: Runtime,
    list: Runtimes,
    name: &'static str,
    cgroup: Cgroup,
}

impl Victim {
    pub(crate) fn start(list: &Runtimes, name: &'static str) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        // Of two workers, one may keep a single task, which is polled again at once: such a runtime is not overloaded.
        builder.worker_threads(1).max_blocking_threads(1).enable_all();
        let cgroup = Cgroup::new();
        let built = TokioAdapter::builder()
            .name(name)
            .os_root(cgroup.root.path())
            .configure(|builder| builder.locations(LOCATIONS).census())
            .build(&mut builder);
        let MeasuredRuntime {
            runtime,
            metrics,
            spawner,
            ..
        } = built.expect("the runtime starts");
        list.add(&metrics).expect("the name is free");
        let wake_latency = watch_wake_latency(&spawner, DEFAULT_LAG_PERIOD).expect("there are threads");
        let overload = watch_overload(&metrics, Duration::from_millis(50), Duration::from_millis(100));
        Self {
            _lag: [watch_loop_lag(&spawner, DEFAULT_LAG_PERIOD), wake_latency],
            _overload: overload.expect("there are threads"),
            spawner,
            _watchdog: watch_stalls(&metrics, Duration::from_millis(20), |_| {}).expect("there are threads"),
            _runtime: runtime,
            list: list.clone(),
            name,
            cgroup,
        }
    }

    /// Lets the cgroup of this runtime be throttled in some more periods.
    pub(crate) fn throttle(&mut self) {
        self.cgroup.periods += 20;
        self.cgroup.write();
    }
}

/// A root directory with the operating system's files about a cgroup with a CPU quota.
struct Cgroup {
    root: TempDir,
    /// In which it was throttled.
    periods: u64,
}

impl Cgroup {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("no temporary folder");
        for folder in ["proc/self", "sys/fs/cgroup"] {
            fs::create_dir_all(root.path().join(folder)).expect("it is writable");
        }
        fs::write(root.path().join("proc/self/cgroup"), "0::/\n").expect("it is writable");
        let cgroup = Self { root, periods: 0 };
        cgroup.write();
        cgroup
    }

    /// Replaces the file as a whole, so that no scrape reads a part of it.
    fn write(&self) {
        let text = format!("nr_throttled {0}\nthrottled_usec {0}0000\n", self.periods);
        let folder = self.root.path().join("sys/fs/cgroup");
        fs::write(folder.join("new"), text).expect("it is writable");
        fs::rename(folder.join("new"), folder.join("cpu.stat")).expect("it is writable");
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.list.remove(self.name);
    }
}

/// The metrics of each worker and of each spawn location.
fn exported(list: &Runtimes) -> RuntimeCollector {
    RuntimeCollector::new(list).each_worker(true).locations(LOCATIONS)
}

/// Serves the metrics of each worker of the listed runtimes, from a thread that is no part of them. Returns the address.
pub(crate) fn serve(list: &Runtimes) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(exported(list)));
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
