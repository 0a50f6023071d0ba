//! An exporter of one's own: it writes the metrics of a runtime as lines for `StatsD`.

use metrics_std::metrics_core::SampleValue;
use metrics_std::{Builder, Clock, HistogramConfig, Measured, Snapshot, build_wrapped};

/// One line per value, `name:value|g`, and several lines for a histogram.
///
/// Counters are gauges (`|g`) too: `StatsD` adds the values of a counter (`|c`) up, and these are totals since the start.
fn lines(snapshot: &Snapshot) -> Vec<String> {
    let mut lines = Vec::new();
    snapshot.visit(|sample| {
        // Either the sums over the workers or the values of each worker are exported, never both.
        if sample.metric.exported.is_none() || sample.worker.is_some() {
            return;
        }
        let name = sample.metric.name;
        match sample.value {
            // Durations are in nanoseconds.
            SampleValue::Number(number) => lines.push(format!("{name}:{number}|g")),
            SampleValue::Histogram(histogram) => {
                lines.push(format!("{name}.count:{}|g", histogram.count()));
                lines.push(format!("{name}.sum:{}|g", histogram.sum()));
                if let Some(p99) = histogram.quantile(0.99) {
                    lines.push(format!("{name}.p99:{}|g", p99.estimate));
                }
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
