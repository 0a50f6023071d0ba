//! The text that Prometheus scrapes, for hosts that can't answer a scrape themselves: to be sent on by the page.

use crate::{EventLoopSnapshot, Snapshot};
use core::fmt::{self, Write};
use core::time::Duration;
use metrics_core::{EVENT_LOOP_METRICS, HistogramSnapshot, METRICS, MetricUnit, WorkerNumber};

/// The most buckets of a histogram, the one up to `+Inf` included.
const MAX_BUCKETS: usize = 20;

type Histogram = HistogramSnapshot<Vec<u64>>;

/// What a metric says.
enum Value<'a> {
    Counter(u64),
    Gauge(u64),
    Time(Duration),
    Histogram(&'a Histogram),
}

/// A snapshot in Prometheus's text format 0.0.4, with the names that servers export.
pub(crate) fn text(snapshot: &Snapshot, event_loop: Option<&EventLoopSnapshot>, self_wakes: u64) -> String {
    let mut out = String::new();
    // A string takes any text.
    let _ = write_all(&mut out, snapshot, event_loop, self_wakes);
    out
}

fn write_all(
    out: &mut String,
    snapshot: &Snapshot,
    event_loop: Option<&EventLoopSnapshot>,
    self_wakes: u64,
) -> fmt::Result {
    let runtime = format!("runtime=\"{}\"", escaped(snapshot.name()));
    for &counter in WorkerNumber::COUNTERS {
        write_workers(out, snapshot, &runtime, counter.name(), |worker| {
            worker.counter(counter).map(Value::Counter)
        })?;
    }
    write_workers(out, snapshot, &runtime, "busy_in_progress", |worker| {
        worker.busy_in_progress().map(Value::Time)
    })?;
    write_workers(out, snapshot, &runtime, "mean_poll_time", |worker| {
        worker.mean_poll_time().map(Value::Time)
    })?;
    write_workers(out, snapshot, &runtime, "local_queue_depth", |worker| {
        worker.local_queue_depth().map(Value::Gauge)
    })?;

    let total = snapshot.total();
    let workers = u64::try_from(snapshot.num_workers()).unwrap_or(u64::MAX);
    let of_runtime = [
        (
            "poll_time",
            total
                .poll_time()
                .map(|reading| Value::Histogram(reading.histogram())),
        ),
        (
            "schedule_latency",
            total
                .schedule_latency()
                .map(|reading| Value::Histogram(reading.histogram())),
        ),
        ("num_workers", Some(Value::Gauge(workers))),
        (
            "spawned_tasks_count",
            snapshot.spawned_tasks_count().map(Value::Counter),
        ),
        ("covered_tasks", snapshot.covered_tasks().map(Value::Gauge)),
        ("num_alive_tasks", snapshot.num_alive_tasks().map(Value::Gauge)),
        (
            "completed_tasks_count",
            snapshot.completed_tasks_count().map(Value::Counter),
        ),
        (
            "cancelled_tasks_count",
            snapshot.cancelled_tasks_count().map(Value::Counter),
        ),
        (
            "panicked_tasks_count",
            snapshot.panicked_tasks_count().map(Value::Counter),
        ),
        ("self_wake_count", Some(Value::Counter(self_wakes))),
        (
            "loop_lag",
            event_loop.map(|event_loop| Value::Histogram(&event_loop.loop_lag)),
        ),
        (
            "long_task_time",
            event_loop
                .and_then(|event_loop| event_loop.long_task_time.as_ref())
                .map(Value::Histogram),
        ),
        (
            "loop_busy_duration_total",
            event_loop.map(|event_loop| Value::Counter(nanos(event_loop.loop_busy_duration_total))),
        ),
    ];
    for (metric, value) in of_runtime {
        if let Some(value) = value {
            let family = Family::new(metric, "");
            family.head(out, &value)?;
            family.sample(out, &runtime, &value)?;
        }
    }
    Ok(())
}

type Worker = metrics_core::WorkerSnapshot<metrics_core::Heap>;

/// A family with a sample for each worker that measures it; nothing if none does.
fn write_workers<'a>(
    out: &mut String,
    snapshot: &Snapshot,
    runtime: &str,
    metric: &str,
    value: impl Fn(&Worker) -> Option<Value<'a>>,
) -> fmt::Result {
    let family = Family::new(metric, "worker_");
    let mut headed = false;
    for worker in snapshot.workers() {
        let Some(value) = value(&worker) else { continue };
        if !headed {
            family.head(out, &value)?;
            headed = true;
        }
        family.sample(out, &format!("{runtime},worker=\"{}\"", worker.index()), &value)?;
    }
    Ok(())
}

/// One metric under the name that it has outside.
struct Family {
    name: String,
    help: &'static str,
    seconds: bool,
}

impl Family {
    /// `async_runtime_`, the scope, the name without unit; then the unit and, for a counter, `_total`.
    fn new(metric: &str, scope: &str) -> Self {
        let known = METRICS
            .iter()
            .chain(EVENT_LOOP_METRICS)
            .find(|known| known.name == metric);
        let seconds = known.is_some_and(|known| known.unit == MetricUnit::Nanoseconds);
        let base = metric.strip_suffix("_total").unwrap_or(metric);
        let base = if seconds {
            base.strip_suffix("_duration").unwrap_or(base)
        } else {
            base
        };
        let unit = if seconds { "_seconds" } else { "" };
        Self {
            name: format!("async_runtime_{scope}{base}{unit}"),
            help: known.map_or("", |known| known.help),
            seconds,
        }
    }

    fn head(&self, out: &mut String, value: &Value<'_>) -> fmt::Result {
        let (name, suffix) = (&self.name, suffix(value));
        let kind = match value {
            Value::Counter(_) => "counter",
            Value::Gauge(_) | Value::Time(_) => "gauge",
            Value::Histogram(_) => "histogram",
        };
        writeln!(out, "# HELP {name}{suffix} {}", self.help)?;
        writeln!(out, "# TYPE {name}{suffix} {kind}")
    }

    fn sample(&self, out: &mut String, labels: &str, value: &Value<'_>) -> fmt::Result {
        let (name, suffix) = (&self.name, suffix(value));
        match value {
            Value::Counter(nanos) if self.seconds => {
                writeln!(out, "{name}{suffix}{{{labels}}} {}", in_seconds(*nanos))
            }
            Value::Counter(count) | Value::Gauge(count) => {
                writeln!(out, "{name}{suffix}{{{labels}}} {count}")
            }
            Value::Time(time) => writeln!(out, "{name}{{{labels}}} {}", time.as_secs_f64()),
            Value::Histogram(histogram) => self.histogram(out, labels, histogram),
        }
    }

    fn histogram(&self, out: &mut String, labels: &str, histogram: &Histogram) -> fmt::Result {
        let name = &self.name;
        // A limit of 0 is the only error.
        let Ok(buckets) = histogram.downsample(MAX_BUCKETS) else {
            return Ok(());
        };
        let mut count: u64 = 0;
        for (range, samples) in buckets.iter() {
            count = count.saturating_add(samples);
            match range.end {
                Some(end) => writeln!(
                    out,
                    "{name}_bucket{{{labels},le=\"{}\"}} {count}",
                    in_seconds(end)
                )?,
                None => writeln!(out, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}")?,
            }
        }
        writeln!(out, "{name}_sum{{{labels}}} {}", in_seconds(histogram.sum()))?;
        writeln!(out, "{name}_count{{{labels}}} {count}")
    }
}

const fn suffix(value: &Value<'_>) -> &'static str {
    if matches!(value, Value::Counter(_)) {
        "_total"
    } else {
        ""
    }
}

fn in_seconds(nanos: u64) -> f64 {
    Duration::from_nanos(nanos).as_secs_f64()
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A label's value: backslash, quote and newline are escaped.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
