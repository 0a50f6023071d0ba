//! `docs/METRICS.md`, from the list in the code.

use core::fmt::Write;

use metrics_core::{EVENT_LOOP_METRICS, METRICS, Metric, MetricKind, MetricScope, MetricUnit};

const HEAD: &str = "\
# The metrics: one list

<!-- Made from `metrics_core::METRICS` by `cargo xtask tidy --fix`. -->

Names follow Tokio's where Tokio has the thing. Where Tokio's behaviour is known to mislead, ours differs, and the last
column says how. What was not measured is `None`, never 0.

A counter is a `u64` that never decreases. A histogram has count, sum, minimum and maximum. Time is in nanoseconds inside and in
seconds in exporters. `async_runtime_` goes before a name that is exported, its unit and `_total` behind it, by the rules of
OpenMetrics.
";

const SECTIONS: &[(MetricScope, &str)] = &[
    (
        MetricScope::Worker,
        "Per worker (written by its worker, published by its submits)",
    ),
    (MetricScope::Runtime, "Per runtime (visible at once)"),
    (
        MetricScope::EventLoop,
        "Per event loop (a browser's thread, Node)",
    ),
];

const FOOT: &str = "
## When a worker's batch is published

At every park and unpark, at the end of a poll once an interval has passed since the last time (1 ms by default) or on the
runtime's tick, when a worker is dropped or asks, and at shutdown; after every poll where the host has no park hook. Never in the
middle of a poll: that is what the live record (`state`, `site`, `since`, `poll_number`) is for.
";

pub(super) fn text() -> String {
    let mut text = HEAD.to_owned();
    for (scope, title) in SECTIONS {
        let all = METRICS.iter().chain(EVENT_LOOP_METRICS);
        let metrics: Vec<&Metric> = all.filter(|metric| metric.scope == *scope).collect();
        if metrics.is_empty() {
            continue;
        }
        // Writing to a string can't fail.
        let _ = write!(
            text,
            "\n## {title}\n\n| name | kind | says | unlike Tokio |\n|---|---|---|---|\n"
        );
        for metric in metrics {
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} |",
                metric.name,
                kind(metric),
                metric.help,
                metric.unlike_tokio
            );
        }
    }
    text.push_str(FOOT);
    text
}

fn kind(metric: &Metric) -> String {
    let kind = match metric.kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
        MetricKind::Histogram => "histogram",
        _ => "info",
    };
    if metric.unit == MetricUnit::Nanoseconds {
        format!("{kind}, ns")
    } else {
        kind.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use metrics_core::{EVENT_LOOP_METRICS, METRICS};

    #[test]
    fn every_metric_is_in_the_document() {
        let text = super::text();
        for metric in METRICS.iter().chain(EVENT_LOOP_METRICS) {
            assert!(
                text.contains(&format!("| `{}` |", metric.name)),
                "{}",
                metric.name
            );
        }
    }
}
