//! A snapshot as Prometheus text, for a page that sends it to a server. A page can't answer a scrape itself.

use crate::event_loop::EventLoopSnapshot;
use crate::runtime::Snapshot;
use core::fmt::{self, Write};
use core::time::Duration;
use metrics_core::{EVENT_LOOP_METRICS, HistogramSnapshot, Metric, MetricKind, MetricUnit, SampleValue};

/// The maximum number of buckets of a histogram, including the one up to `+Inf`.
const MAX_BUCKETS: usize = 20;

type Value<'a> = SampleValue<'a, Vec<u64>>;

/// Returns a snapshot in Prometheus' text format 0.0.4, under the names that servers export. Metrics of the workers are sums over them.
pub(crate) fn text(
    snapshot: &Snapshot,
    event_loop: Option<&EventLoopSnapshot>,
    self_wakes: Option<u64>,
) -> String {
    let mut out = String::new();
    let labels = format!("runtime=\"{}\"", escaped(snapshot.name()));
    snapshot.visit(|sample| {
        if sample.worker.is_none() {
            // Writing to a string does not fail.
            let _ = write_metric(&mut out, sample.metric, &labels, &sample.value);
        }
    });
    for metric in EVENT_LOOP_METRICS {
        if let Some(value) = event_loop_value(metric.name, event_loop, self_wakes) {
            let _ = write_metric(&mut out, metric, &labels, &value);
        }
    }
    out
}

fn event_loop_value<'a>(
    metric: &str,
    event_loop: Option<&'a EventLoopSnapshot>,
    self_wakes: Option<u64>,
) -> Option<Value<'a>> {
    match metric {
        "long_task_time" => event_loop?.long_task_time.as_ref().map(Value::Histogram),
        "frame_delay" => event_loop?.frame_delay.as_ref().map(Value::Histogram),
        "loop_busy_duration_total" => {
            let nanos = event_loop?.loop_busy_duration_total?.as_nanos();
            Some(Value::Number(u64::try_from(nanos).unwrap_or(u64::MAX)))
        }
        "self_wake_count" => self_wakes.map(Value::Number),
        _ => None,
    }
}

fn write_metric(out: &mut String, metric: &Metric, labels: &str, value: &Value<'_>) -> fmt::Result {
    let Some(name) = metric.exported else {
        return Ok(());
    };
    let kind = match metric.kind {
        MetricKind::Counter => "counter",
        MetricKind::Histogram => "histogram",
        _ => "gauge",
    };
    writeln!(out, "# HELP {name} {}\n# TYPE {name} {kind}", metric.help)?;
    match value {
        Value::Number(nanos) if metric.unit == MetricUnit::Nanoseconds => {
            writeln!(out, "{name}{{{labels}}} {}", in_seconds(*nanos))
        }
        Value::Number(count) => writeln!(out, "{name}{{{labels}}} {count}"),
        Value::Histogram(histogram) => write_histogram(out, name, labels, histogram),
        // Only workers have these.
        _ => Ok(()),
    }
}

fn write_histogram(
    out: &mut String,
    name: &str,
    labels: &str,
    histogram: &HistogramSnapshot<Vec<u64>>,
) -> fmt::Result {
    // A limit of 0 is the only error.
    let Ok(buckets) = histogram.downsample(MAX_BUCKETS) else {
        return Ok(());
    };
    let mut count: u64 = 0;
    for (range, samples) in buckets.iter() {
        count = count.saturating_add(samples);
        // `le` includes its value: the largest that the bucket holds, not the start of the next.
        let le = range.end.map(|_| in_seconds(range.largest()).to_string());
        let le = le.as_deref().unwrap_or("+Inf");
        writeln!(out, "{name}_bucket{{{labels},le=\"{le}\"}} {count}")?;
    }
    writeln!(out, "{name}_sum{{{labels}}} {}", in_seconds(histogram.sum()))?;
    writeln!(out, "{name}_count{{{labels}}} {count}")
}

fn in_seconds(nanos: u64) -> f64 {
    Duration::from_nanos(nanos).as_secs_f64()
}

/// Returns a label's value with backslash, quote and newline escaped.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics_core::{Builder, HistogramConfig, NoClock, RuntimeMetrics};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_bucket_includes_its_edge_and_nothing_above() {
        let config = HistogramConfig::linear(10, 3).expect("three buckets of 10 ns");
        let mut histogram = HistogramSnapshot::<Vec<u64>>::new(config).expect("it fits");
        histogram.record(9);
        histogram.record(10);
        let mut out = String::new();
        write_histogram(&mut out, "h", "l=\"\"", &histogram).expect("a string takes any text");
        let buckets: Vec<&str> = out.lines().take(3).collect();
        assert_eq!(
            buckets,
            [
                "h_bucket{l=\"\",le=\"0.000000009\"} 1",
                "h_bucket{l=\"\",le=\"0.000000019\"} 2",
                "h_bucket{l=\"\",le=\"+Inf\"} 2",
            ]
        );
    }

    #[test]
    fn labels_are_escaped() {
        let registry = Builder::new().name("a \"b\" \\\n").build(NoClock);
        let metrics = RuntimeMetrics::new(registry.expect("no clock is no error"));
        let text = text(&metrics.snapshot(), None, None);
        assert!(
            text.contains("async_runtime_workers{runtime=\"a \\\"b\\\" \\\\\\n\"} 1\n"),
            "{text}"
        );
    }
}
