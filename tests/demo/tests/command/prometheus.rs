//! A Prometheus server of one test.

use outside::Killed;
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// More than any wait takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < give_up, "no {what} in {PATIENCE:?}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// An address that was free a moment ago, for a program that can't choose one and report it.
pub(crate) fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("no free port");
    listener.local_addr().expect("it is bound").to_string()
}

pub(crate) struct Prometheus {
    address: String,
    _child: Killed,
}

impl Prometheus {
    /// Starts one with this configuration, which keeps everything in `folder`, and waits until it is ready.
    pub(crate) fn start(program: &Path, folder: &Path, settings: &str) -> Self {
        Self::start_with(program, folder, settings, &[])
    }

    /// As [`start`](Self::start), with more flags.
    pub(crate) fn start_with(program: &Path, folder: &Path, settings: &str, flags: &[&str]) -> Self {
        let config = folder.join("prometheus.yml");
        fs::write(&config, settings).expect("can't write the configuration");
        let address = free_address();
        let child = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .args(flags)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = Killed(child.expect("Prometheus does not start"));
        wait_for("answer of Prometheus", || {
            ureq::get(format!("http://{address}/-/ready")).call().ok()
        });
        Self {
            address,
            _child: child,
        }
    }

    /// The results of `query`.
    pub(crate) fn results(&self, query: &str) -> Vec<Value> {
        let url = format!("http://{}/api/v1/query", self.address);
        let answer = ureq::get(url)
            .query("query", query)
            .config()
            .http_status_as_error(false)
            .build()
            .call();
        let answer: Value = answer
            .and_then(|mut answer| answer.body_mut().read_json())
            .expect("Prometheus answers");
        let results = answer.pointer("/data/result").and_then(Value::as_array);
        results.unwrap_or_else(|| panic!("{query}: {answer}")).clone()
    }

    /// The first value that answers `query`.
    pub(crate) fn ask(&self, query: &str) -> Option<f64> {
        self.results(query)
            .first()?
            .pointer("/value/1")?
            .as_str()?
            .parse()
            .ok()
    }
}
