//! Prometheus 3 converts the exported histograms to native histograms with custom buckets.

use crate::prometheus::{Prometheus, free_address, wait_for};
use crate::served::{demo, settings};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

const HISTOGRAM: &str = "async_runtime_poll_duration_seconds";

/// The directory into which `cargo xtask ops` unpacks one if that on the path is older.
const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tools/prometheus");

/// A Prometheus that can convert histograms.
fn prometheus_3() -> Option<PathBuf> {
    let unpacked = Path::new(TOOLS).join("usr/bin/prometheus");
    let found = [PathBuf::from("prometheus"), unpacked]
        .into_iter()
        .find(|program| {
            let output = Command::new(program).arg("--version").output();
            output.is_ok_and(|output| {
                String::from_utf8_lossy(&output.stdout).starts_with("prometheus, version 3.")
            })
        });
    if found.is_none() {
        eprintln!("skipped: Prometheus 3 is not installed, and `cargo xtask ops` could not unpack it");
    }
    found
}

fn number(text: &Value) -> f64 {
    let text = text.as_str().expect("numbers are text");
    text.parse().expect("it is a number")
}

/// The upper edges of the buckets of a native histogram that are not empty, and their counts.
fn buckets(native: &Value) -> Vec<(f64, f64)> {
    let buckets = native["histogram"][1]["buckets"].as_array().expect("a list");
    let buckets = buckets
        .iter()
        .map(|bucket| (number(&bucket[2]), number(&bucket[3])));
    buckets.collect()
}

#[test]
fn native_histograms_have_the_counts_of_the_classic_ones() {
    let Some(program) = prometheus_3() else {
        return;
    };
    let address = free_address();
    let _demo = demo(&address);
    let folder = tempfile::tempdir().expect("no temporary folder");
    let convert =
        "{convert_classic_histograms_to_nhcb: true, always_scrape_classic_histograms: true, job_name";
    let settings = settings(&[("demo", &address)], "").replace("{job_name", convert);
    let flags = ["--enable-feature=native-histograms"];
    let prometheus = Prometheus::start_with(&program, folder.path(), &settings, &flags);
    let rate = format!("histogram_count(rate({HISTOGRAM}[5s]))");
    wait_for("rate of a native histogram", || {
        prometheus.ask(&rate).filter(|rate| *rate > 0.0)
    });
    // One query, so that all values are of one scrape.
    let all = prometheus.results(&format!("{{__name__=~\"{HISTOGRAM}(_bucket|_count|_sum)?\"}}"));
    let named = |suffix: &str| {
        let name = format!("{HISTOGRAM}{suffix}");
        let is_named = move |series: &&Value| series["metric"]["__name__"] == name.as_str();
        all.iter().filter(is_named).collect::<Vec<_>>()
    };
    let (native, classic) = (named("")[0], named("_bucket"));
    assert_eq!(
        number(&native["histogram"][1]["count"]),
        number(&named("_count")[0]["value"][1])
    );
    assert_eq!(
        number(&native["histogram"][1]["sum"]),
        number(&named("_sum")[0]["value"][1])
    );
    let (native, mut compared) = (buckets(native), 0);
    for bucket in classic {
        let edge = bucket["metric"]["le"].as_str().expect("it has an edge");
        let edge: f64 = edge.parse().expect("an edge is a number");
        let below = native.iter().filter(|(upper, _)| *upper <= edge);
        let below: f64 = below.map(|(_, count)| count).sum();
        assert_eq!(below, number(&bucket["value"][1]), "up to {edge}");
        compared += 1;
    }
    assert!(compared > 10, "{compared} edges");
}
