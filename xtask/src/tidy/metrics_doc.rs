//! `docs/METRICS.md`, from the list in the code.

use core::fmt::Write;

use metrics_core::{EVENT_LOOP_METRICS, METRICS, Metric, MetricKind, MetricScope, MetricUnit};

const HEAD: &str = "\
# The metrics: one list

<!-- Made from `metrics_core::METRICS` by `cargo xtask tidy --fix`. -->

Names follow Tokio's where Tokio has the thing. Where Tokio's behaviour is known to mislead, ours differs, and the last
column says how. What was not measured is `None`, never 0.

A counter is a `u64` that never decreases. A histogram has count, sum, minimum and maximum. Time is in nanoseconds.

## Exported names

Exporters convert durations to seconds. A metric without an exported name is in snapshots alone: its values would make
series without bound, or another metric has them. A histogram has the suffixes `_bucket`, `_sum` and `_count`; `le` is inclusive.

The label `runtime` is the runtime's name. Metrics of the workers are exported as sums over the workers by default. On request each
worker's own are exported instead, with the label `worker`: its index, or `external` for the threads that poll the runtime's tasks and
are none of its workers. The state of a worker has the label `state`, the spawn location the label `location`.
";

const SECTIONS: &[(MetricScope, &str)] = &[
    (
        MetricScope::Worker,
        "Per worker (written by its worker, visible after a submit)",
    ),
    (MetricScope::Runtime, "Per runtime (visible at once)"),
    (
        MetricScope::EventLoop,
        "Per event loop (a browser's thread, Node)",
    ),
];

const FOOT: &str = "
## When a worker's batch is submitted

At every park and unpark; at the end of a poll once an interval (1 ms by default) has passed since the last submit, or on the
runtime's tick; when a worker is dropped or asks for it; at shutdown; after every poll where the host has no park hook. Never in the
middle of a poll: the live record (`state`, `site`, `since`) is readable without a submit.
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
            "\n## {title}\n\n| name | kind | exported as | meaning | unlike Tokio |\n|---|---|---|---|---|\n"
        );
        for metric in metrics {
            let exported = metric.exported.map(|name| format!("`{name}`"));
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} | {} |",
                metric.name,
                kind(metric),
                exported.unwrap_or_default(),
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
