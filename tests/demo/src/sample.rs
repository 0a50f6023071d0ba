//! Adds to the values of the terminal view what only the demo knows: requests, stalls, and which polls made others wait.

use crate::stalls::Stalls;
use metrics_std::metrics_core::SnapshotReader;
use metrics_std::top::{self, Grouped, View};
use metrics_std::{ProcessProbe, Registry, RuntimeMetrics};
use std::sync::Arc;
use std::time::Duration;

/// The number of stalls for which the screen has room.
const SHOWN_STALLS: usize = 8;

/// The number of rows of blame that the screen may show.
const BLAMED: usize = 8;

/// Takes one snapshot per second and computes the changes since the previous one.
pub(crate) struct Sampler {
    reader: SnapshotReader<Arc<Registry>, ProcessProbe>,
    address: String,
    runtime: top::Sampler,
    requests_before: u64,
}

impl Sampler {
    pub(crate) fn new(metrics: &RuntimeMetrics, address: String) -> Self {
        let mut reader = metrics.reader();
        Self {
            runtime: top::Sampler::new(reader.read().clone()),
            reader,
            address,
            requests_before: 0,
        }
    }

    /// Returns the values to show now, or `None` if no time has passed since the last call.
    pub(crate) fn sample(&mut self, elapsed: Duration, requests: u64, stalls: &Stalls) -> Option<View> {
        let view = self.runtime.sample(self.reader.read().clone())?;
        let per_second = (requests - self.requests_before) as f64 / view.interval().as_secs_f64();
        self.requests_before = requests;
        #[allow(clippy::cast_sign_loss, reason = "a rate is not negative")]
        let per_second = Grouped(per_second.round() as u64);
        let view = view.with_stalls(stalls.last(SHOWN_STALLS)).with_title(vec![
            format!("demo on http://{}", self.address),
            format!("{} s", elapsed.as_secs()),
            format!("{per_second} requests/s"),
            format!("{} answered", Grouped(requests)),
        ]);
        Some(match self.reader.metrics().flight_recording() {
            Some(recording) => view.with_blame(&recording.blame_report(BLAMED)),
            None => view,
        })
    }
}
