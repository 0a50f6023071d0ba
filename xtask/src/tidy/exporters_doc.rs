//! Generates `docs/EXPORTERS.md` from the list of metrics.

use core::fmt::Write;

use metrics_core::{
    GROUP_METRICS, InfoMetric, LOCATION_METRICS, METRICS, Metric, MetricKind, MetricScope, MetricSource,
    MetricUnit,
};

const HEAD: &str = "\
# Exporters

<!-- Made from `metrics_core::METRICS` by `cargo xtask tidy --fix`. -->

Every exporter of `metrics-std` translates what `Snapshot::visit` and `Snapshot::visit_locations` yield, so a new metric appears in all of
them. This table says which values arrive as they are in the snapshot. Tests of each exporter compare them.

- **exact**: the number of the snapshot. A duration is the double that is nearest to its seconds, up to 104 days; above, its error is below
  one part in 10^15. The facade's counters of durations are nanoseconds, as in the snapshot. A number that the format can't hold is the
  nearest that it can: OpenTelemetry's end at 2^63 - 1, and the facade's gauges are doubles, which are exact up to 2^53.
- **approximate**: the notes below say by how much.
- **lost**: not exported.

By default an exporter has one value per runtime: for a metric of the workers, their sum. With `each_worker(true)` it has one value per
worker instead. A metric without a sum then appears too. With `locations(limit)` it also has the metrics per spawn location and per
group: those of the first `limit` of the process, and the sums of all others as `other` and `other groups`.

| metric | by default | Prometheus | OpenTelemetry | the facade `metrics` |
|---|---|---|---|---|
";

const FOOT: &str = "
[1] The number of samples, their sum and the largest are exact, and the smallest is lost. A sample is counted at the first edge that is not
below the largest value of its recorded bucket: never below its value, and too high by less than the width of one recorded bucket, which is
a quarter of the edge or less with the default layout. With `Edges::recorded()` the buckets are exact too.

[2] Number, sum, smallest, largest and buckets. With other edges than `Edges::recorded()`, the default, the buckets are as in [1].

[3] The number of samples is exact. Each sample is recorded as the largest value of its recorded bucket, so their sum and quantiles are too
large by at most a quarter with the default layout. The smallest and largest are those of the buckets.

## Names

| exporter | name | labels or attributes |
|---|---|---|
| Prometheus | the exported name | `runtime`, `worker`, `state`, `location`, `group` |
| OpenTelemetry | without unit and `_total`, in the namespaces `async_runtime` and `async_runtime.worker`, `.location` and `.group`: `async_runtime.worker.busy` | `async_runtime.name`, `async_runtime.worker.index`, `async_runtime.state`, `async_runtime.location`, `async_runtime.group` |
| the facade | the exported name; a counter of a duration has `_nanoseconds` in place of `_seconds` | as for Prometheus |
";

pub(super) fn text() -> String {
    let mut text = HEAD.to_owned();
    for metric in METRICS.iter().chain(LOCATION_METRICS).chain(GROUP_METRICS) {
        let [default, prometheus, otlp, facade] = cells(metric);
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "| `{}` | {default} | {prometheus} | {otlp} | {facade} |",
            metric.name
        );
    }
    text.push_str(FOOT);
    text
}

fn cells(metric: &Metric) -> [&'static str; 4] {
    if metric.exported.is_none() {
        return ["no", "lost", "lost", "lost"];
    }
    let has_sum = !matches!(
        metric.source,
        MetricSource::Fact(InfoMetric::State | InfoMetric::Since | InfoMetric::LocationId)
    );
    let default = match metric.scope {
        MetricScope::Worker if has_sum => "sum",
        MetricScope::Worker | MetricScope::Location | MetricScope::Group => "no",
        _ => "yes",
    };
    let [prometheus, otlp, facade] = match (metric.kind, metric.unit) {
        (MetricKind::Histogram, _) => ["approximate [1]", "exact [2]", "approximate [3]"],
        (MetricKind::Counter, MetricUnit::Nanoseconds) => ["exact", "exact", "exact, in ns"],
        _ => ["exact"; 3],
    };
    [default, prometheus, otlp, facade]
}
