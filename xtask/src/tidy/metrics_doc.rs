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

In exporters time is in seconds, and names follow the rules of OpenMetrics. Before the name of a worker's counter, gauge or info goes
`async_runtime_worker_`, before that of a histogram and of all else `async_runtime_`. Behind it go the unit, in place of `_duration`,
and `_total` for a counter or `_info` for an info:

| here | exported |
|---|---|
| `poll_count` | `async_runtime_worker_poll_count_total` |
| `busy_duration_total` | `async_runtime_worker_busy_seconds_total` |
| `busy_in_progress` | `async_runtime_worker_busy_in_progress_seconds` |
| `thread` | `async_runtime_worker_thread_info` |
| `poll_time` | `async_runtime_poll_time_seconds_bucket`, `async_runtime_poll_time_seconds_sum`, `async_runtime_poll_time_seconds_count` |
| `num_alive_tasks` | `async_runtime_num_alive_tasks` |
| `spawned_tasks_count` | `async_runtime_spawned_tasks_count_total` |

Labels are `runtime`, its name, and `worker`, its index or `foreign` for threads that poll the runtime's tasks and are none of its
workers. Histograms go out summed over the workers unless asked otherwise.
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
middle of a poll: that is what the live record (`state`, `site`, `since`) is for.
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
