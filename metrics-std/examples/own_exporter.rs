//! An exporter of one's own: it writes the metrics of a runtime as lines for `StatsD`.

use metrics_std::metrics_core::{MetricKind, SampleValue};
use metrics_std::{Builder, Clock, HistogramConfig, Measured, Snapshot, build_wrapped};

/// One line per value: `name:value|c` for a counter, `|g` for a gauge, and three lines for a histogram.
fn lines(snapshot: &Snapshot) -> Vec<String> {
    let mut lines = Vec::new();
    snapshot.visit(|sample| {
        // Either the sums over the workers or the values of each worker are exported, never both.
        if sample.metric.exported.is_none() || sample.worker.is_some() {
            return;
        }
        let name = sample.metric.name;
        let kind = if sample.metric.kind == MetricKind::Counter {
            "c"
        } else {
            "g"
        };
        match sample.value {
            // Durations are in nanoseconds.
            SampleValue::Number(number) => lines.push(format!("{name}:{number}|{kind}")),
            SampleValue::Histogram(histogram) => {
                let p99 = histogram.quantile(0.99).map_or(0, |quantile| quantile.estimate);
                lines.push(format!("{name}.count:{}|c", histogram.count()));
                lines.push(format!("{name}.sum:{}|c", histogram.sum()));
                lines.push(format!("{name}.p99:{p99}|g"));
            }
            _ => {}
        }
    });
    lines
}

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let builder = Builder::new().name("pool").poll_time(HistogramConfig::DEFAULT);
    let metrics = build_wrapped(builder, Clock::new())?;
    // Reusing a reader ensures that no counter goes back.
    let mut reader = metrics.reader();
    futures::executor::block_on(Measured::task(&metrics, async {}));
    for line in lines(reader.read()) {
        println!("{line}");
    }
    Ok(())
}
