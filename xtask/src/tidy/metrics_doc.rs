//! Generates `docs/METRICS.md` from the list of metrics.

use core::fmt::Write;

use metrics_core::{
    EVENT_LOOP_METRICS, GROUP_METRICS, LOCATION_METRICS, METRICS, Metric, MetricKind, MetricScope, MetricUnit,
};

const HEAD: &str = "\
# Metrics

<!-- Made from `metrics_core::METRICS` by `cargo xtask tidy --fix`. -->

A metric that Tokio has too has the same name here. Where Tokio's number is known to mislead, ours differs, and the last column describes
how. A metric that was not measured is `None`, never 0.

A counter is a `u64` that never decreases, with one exception: on a heap, a getter or `snapshot` can return less busy time and less time in
each state until the next submit. A `SnapshotReader` returns its last value instead. A histogram has a count, a sum, a minimum and a
maximum. Times are in nanoseconds.

## Exported names

Exporters convert durations to seconds. A metric without an exported name is only in snapshots: its values would make an unbounded number
of series, or another metric includes it. A histogram has the suffixes `_bucket`, `_sum` and `_count`. Its label `le` is inclusive, and its
edges are round: 1, 2.5, 5, 10 and so on, from a microsecond to ten seconds. Its largest value is a gauge: `_seconds` in the name becomes
`_max_seconds`.

The label `runtime` is the runtime's name. Metrics of the workers are exported as sums over the workers. On request, those of each worker
are exported instead, with the label `worker`: the worker's index, or `external` for threads that poll the runtime's tasks without being
its workers. The state of a worker has the label `state`, and the spawn location has the label `location`.
";

const SECTIONS: &[(MetricScope, &str)] = &[
    (
        MetricScope::Worker,
        "Per worker (written by its worker, visible after a submit)",
    ),
    (MetricScope::Runtime, "Per runtime (visible at once)"),
    (
        MetricScope::Location,
        "Per spawn location or name (on request, with the label `location`)",
    ),
    (
        MetricScope::Group,
        "Per group of futures that tasks poll, such as the requests of a route (on request, with the label `group`)",
    ),
    (
        MetricScope::EventLoop,
        "Per event loop (a browser's thread, Node)",
    ),
];

const FOOT: &str = "
## When a worker's batch is submitted

A worker submits at each park and unpark, at the end of a poll if an interval (1 ms by default) has passed since the last submit, at the
runtime's tick, and when it is dropped. Where no hook reports parks, it submits at the end of each poll. A submit in the middle of a poll
leaves that poll out. The live record (`state`, `spawn_location`, `since`) needs no submit.
";

fn all() -> impl Iterator<Item = &'static Metric> {
    let metrics = METRICS.iter().chain(LOCATION_METRICS);
    metrics.chain(GROUP_METRICS).chain(EVENT_LOOP_METRICS)
}

pub(super) fn text() -> String {
    let mut text = HEAD.to_owned();
    for (scope, title) in SECTIONS {
        let metrics: Vec<&Metric> = all().filter(|metric| metric.scope == *scope).collect();
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
    #[test]
    fn every_metric_is_in_the_document() {
        let text = super::text();
        for metric in super::all() {
            assert!(
                text.contains(&format!("| `{}` |", metric.name)),
                "{}",
                metric.name
            );
        }
    }
}
