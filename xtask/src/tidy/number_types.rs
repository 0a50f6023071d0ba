//! Generates `metrics-wasm/src/js/numbers.ts`, the TypeScript types of the numbers in a snapshot, from the list of metrics.

use core::fmt::Write;

use metrics_core::{METRICS, Metric, MetricSource};

pub(super) fn text() -> String {
    let mut text = "// Made from `metrics_core::METRICS` by `cargo xtask tidy --fix`.\n".to_owned();
    interface(
        &mut text,
        "WorkerNumbers",
        "The numbers of a worker, or their sums over all workers.",
        |metric| matches!(metric.source, MetricSource::Worker(_)),
    );
    interface(
        &mut text,
        "RuntimeNumbers",
        "The numbers of a runtime as a whole.",
        |metric| matches!(metric.source, MetricSource::Runtime(_)),
    );
    text
}

fn interface(text: &mut String, name: &str, about: &str, has: fn(&Metric) -> bool) {
    // Writing to a string can't fail.
    let _ = writeln!(text, "\n/** {about} */\nexport interface {name} {{");
    for metric in METRICS.iter().filter(|metric| has(metric)) {
        let _ = writeln!(text, "  /** {} */\n  {}: Measured;", metric.help, metric.name);
    }
    text.push_str("}\n");
}
