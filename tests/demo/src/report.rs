//! The demo's report: a JSON document, or a summary as text.

use crate::load::Requests;
use crate::stalls::Stall;
use crate::witness::Testimony;
use metrics_std::top::{Grouped, Maybe, Nanos};
use metrics_std::{HeapStorage, Interval, Snapshot};
use serde::Serialize;

/// The JSON document. `snapshot` and `interval` have the schema of snapshots.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) requests: RequestReport,
    /// The metrics since the start, read after the load has ended and every worker is idle.
    pub(crate) snapshot: Snapshot,
    /// The metrics since the load began.
    pub(crate) interval: Interval<HeapStorage>,
    /// All reported stalls.
    pub(crate) stalls: Vec<Stall>,
}

/// The load as measured by its sender, and the counts of the demo's witness.
#[derive(Serialize)]
pub(crate) struct RequestReport {
    #[serde(flatten)]
    pub(crate) sent: Requests,
    /// Independent counts, for comparison with the metrics.
    pub(crate) independent: Testimony,
}

impl Report {
    /// Returns a summary of a few lines.
    pub(crate) fn summary(&self) -> String {
        let Requests {
            sent,
            ok,
            failed,
            latency_nanos,
            ..
        } = &self.requests.sent;
        let independent = &self.requests.independent;
        let total = self.snapshot.total();
        let poll_time = total.poll_time().map(metrics_std::HistogramReading::histogram);
        let quantile = |q| {
            Maybe(
                poll_time
                    .and_then(|poll_time| poll_time.quantile(q))
                    .map(|q| Nanos(q.upper)),
            )
        };
        let count = |value: Option<u64>| Maybe(value.map(Grouped));
        let reported_in_time = self
            .stalls
            .iter()
            .filter(|stall| stall.was_reported_while_it_lasted())
            .count();
        format!(
            "requests   {} sent, {} answered, {} failed; latency p50 {}, p99 {}, max {}\n\
             polls      {} counted by the metrics, {} by the futures themselves\n\
             poll time  p50 {}, p99 {}, max {}; the futures' own slowest {}\n\
             tasks      {} alive, {} of them covered\n\
             stalls     {}, of which {} were reported while they lasted",
            Grouped(*sent),
            Grouped(*ok),
            Grouped(*failed),
            Nanos(latency_nanos.p50),
            Nanos(latency_nanos.p99),
            Nanos(latency_nanos.max),
            count(total.poll_count()),
            Grouped(independent.polls),
            quantile(0.5),
            quantile(0.99),
            Maybe(poll_time.and_then(metrics_std::HistogramSnapshot::max).map(Nanos)),
            Nanos(independent.slowest_poll_nanos),
            count(self.snapshot.num_alive_tasks()),
            count(self.snapshot.covered_tasks()),
            self.stalls.len(),
            reported_in_time,
        )
    }
}
