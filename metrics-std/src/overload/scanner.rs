//! Applies the rule to the delays of a runtime.

use core::fmt;
use core::time::Duration;
use std::time::Instant;

use metrics_core::{
    HeapStorage, HistogramInterval, HistogramReading, HistogramSnapshot, Probe, RegistryRef, RuntimeMetrics,
    Snapshot, SnapshotReader,
};

use super::{LoadState, OverloadRule};

/// The share of polls whose schedule latency may be below the delay of the queue, because they overtook it.
const OVERTAKING: f64 = 0.1;

/// Applies an [`OverloadRule`] to a runtime when [`scan`](Self::scan) is called.
///
/// [`watch_overload`](super::watch_overload) calls it on a thread of its own. Use it directly in tests, or to scan on your own thread.
pub struct OverloadScanner<R: RegistryRef<Storage = HeapStorage>, P: Probe> {
    reader: SnapshotReader<R, Quiet<P>>,
    rule: OverloadRule,
    last: [Last; 2],
    /// The time of a registry without a clock.
    started: Instant,
    /// Whether this scanner sets the state in the registry.
    is_watching: bool,
}

/// Answers only what the reader needs to read a slot. The delays are in the registry, and scans are too frequent for the files of the
/// operating system and the locks of a runtime.
#[derive(Clone)]
struct Quiet<P>(P);

impl<P: Probe> Probe for Quiet<P> {
    fn relax(&self, attempt: u32) {
        self.0.relax(attempt);
    }
}

/// A histogram at the last scan.
type Last = Option<HistogramSnapshot<Vec<u64>>>;

impl<R: RegistryRef<Storage = HeapStorage>, P: Probe> OverloadScanner<R, P> {
    /// Creates a scanner. Only samples that are recorded from now on count.
    ///
    /// One scanner of a runtime sets the signal and the gauge `overload`. If another one exists, this one takes over at its first scan
    /// after the other is dropped.
    pub fn new(metrics: &RuntimeMetrics<R, P>, rule: OverloadRule) -> Self
    where
        P: Clone,
    {
        let readable = RuntimeMetrics::with_probe(metrics.registry().clone(), Quiet(metrics.probe().clone()));
        let mut reader = readable.reader().without_locations();
        let last = histograms(reader.read()).map(Option::<&_>::cloned);
        Self {
            is_watching: metrics.registry().shared().begin_load_watch(),
            reader,
            rule,
            last,
            started: Instant::now(),
        }
    }

    /// Reads the samples since the last scan and returns the state. [`OverloadRule::update`] describes what happens without samples.
    pub fn scan(&mut self) -> LoadState {
        let snapshot = self.reader.read();
        let mut longest = None;
        for (now, last) in histograms(snapshot).into_iter().zip(&mut self.last) {
            let Some(now) = now else { continue };
            let samples = match last {
                Some(last) => now.since(last).ok(),
                // It was not measured before.
                None => Some(HistogramInterval::from(now.clone())),
            };
            longest = longest.max(
                samples
                    .and_then(|samples| samples.quantile(OVERTAKING))
                    .map(|delay| delay.lower),
            );
            match last {
                Some(last) => last.clone_from(now),
                None => *last = Some(now.clone()),
            }
        }
        let now = snapshot.uptime().unwrap_or_else(|| self.started.elapsed());
        let state = self.rule.update(now, longest.map(Duration::from_nanos));
        let shared = self.reader.metrics().registry().shared();
        self.is_watching = self.is_watching || shared.begin_load_watch();
        if self.is_watching {
            shared.set_load(state);
        }
        state
    }

    /// Returns whether this scanner sets the signal.
    #[cfg(feature = "tracing")]
    pub(super) fn is_watching(&self) -> bool {
        self.is_watching
    }
}

impl<R: RegistryRef<Storage = HeapStorage>, P: Probe> Drop for OverloadScanner<R, P> {
    fn drop(&mut self) {
        if self.is_watching {
            self.reader.metrics().registry().shared().end_load_watch();
        }
    }
}

impl<R: RegistryRef<Storage = HeapStorage>, P: Probe> fmt::Debug for OverloadScanner<R, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OverloadScanner")
            .field("rule", &self.rule)
            .finish_non_exhaustive()
    }
}

/// The histograms from which the delay is computed: schedule latency and loop lag.
fn histograms(snapshot: &Snapshot<HeapStorage>) -> [Option<&HistogramSnapshot<Vec<u64>>>; 2] {
    let latency = snapshot.total().schedule_latency();
    [latency.map(HistogramReading::histogram), snapshot.loop_lag()]
}
