//! Publishes metrics through the facade of the crate `metrics`, for programs whose exporter is built on it.
//!
//! ```
//! use metrics_std::facade::FacadePublisher;
//! use metrics_std::{Builder, Clock, build_wrapped};
//!
//! let publisher = FacadePublisher::new(build_wrapped(Builder::new().name("images"), Clock::new())?);
//! // From time to time, such as before the exporter renders a page:
//! publisher.publish();
//! # Ok::<(), metrics_std::BuildError>(())
//! ```
//!
//! # What is lost
//! The facade has no counters of fractions, no cumulative histograms, and no way to remove a metric:
//! - A counter of a duration is in nanoseconds, which is exact: `_nanoseconds` replaces `_seconds` in its name. Other names are the
//!   [exported names](metrics_core::Metric::exported).
//! - A gauge is a double.
//! - A histogram gets the samples since the last call, each as the largest value of its recorded bucket; in the last bucket, which has no
//!   upper end, as the largest value of all. The number of samples is exact. Their sum and their quantiles are too large by at most the
//!   width of a bucket: with the default layout a quarter, for samples from 100 ns to 60 s.
//! - A runtime that has ended keeps its last values. The counters of a runtime that replaces it under the same name go on from there.

use crate::export::{DuplicateName, Exported, ExportedRuntimes, Series, Value, families, in_seconds};
use core::fmt;
use metrics::{Key, KeyName, Label, Level, Metadata, Recorder, SharedString, Unit};
use metrics_core::{HistogramSnapshot, Metric, MetricKind, MetricUnit};
use std::collections::HashMap;
use std::sync::{Mutex, TryLockError};

/// Publishes the metrics of one or more runtimes to a recorder of the crate `metrics`.
pub struct FacadePublisher {
    runtimes: ExportedRuntimes,
    each_worker: bool,
    locations: usize,
    published: Mutex<Published>,
}

/// The values at the last call.
#[derive(Default)]
struct Published {
    counters: HashMap<Key, PublishedCounter>,
    histograms: HashMap<Key, PublishedHistogram>,
}

#[derive(Default)]
struct PublishedCounter {
    /// The epoch of the counter's runtime.
    epoch: u64,
    /// The sum of the last values of the runtimes that this one replaced.
    base: u64,
    last: u64,
}

#[derive(Default)]
struct PublishedHistogram {
    /// The epoch of the histogram's runtime.
    epoch: u64,
    buckets: Vec<u64>,
}

impl FacadePublisher {
    /// Creates a publisher of one runtime, or of the runtimes in a list.
    pub fn new(runtimes: impl Into<ExportedRuntimes>) -> Self {
        Self {
            runtimes: runtimes.into(),
            each_worker: false,
            locations: 0,
            published: Mutex::default(),
        }
    }

    /// Adds a runtime to those that are published.
    ///
    /// # Errors
    /// Returns [`DuplicateName`] if a runtime with that name is already published.
    pub fn with_runtime(mut self, runtime: impl Into<ExportedRuntimes>) -> Result<Self, DuplicateName> {
        self.runtimes.add(runtime.into())?;
        Ok(self)
    }

    /// Publishes worker metrics per worker instead of as sums, including those that have no sum, such as a worker's state.
    #[must_use]
    pub fn each_worker(mut self, yes: bool) -> Self {
        self.each_worker = yes;
        self
    }

    /// Exports the metrics of the first `limit` spawn locations and groups of the process, with the label `location` or
    /// `group`. All other locations share the value `other`, and all other groups `other groups`. Without a call, none is exported.
    ///
    /// The registry must keep them ([`Builder::locations`](crate::Builder::locations)).
    #[must_use]
    pub fn locations(mut self, limit: usize) -> Self {
        self.locations = limit;
        self
    }

    /// Publishes the current values to the recorder that the program has installed.
    pub fn publish(&self) {
        metrics::with_recorder(|recorder| self.publish_to(recorder));
    }

    /// Publishes the current values to `recorder`. Use one publisher per recorder: it remembers the samples that it has passed on.
    ///
    /// Does nothing while another call is running, such as in a [`Probe`](metrics_core::Probe) or a recorder that the other call calls.
    pub fn publish_to(&self, recorder: &dyn Recorder) {
        // Held to the end: a call that ran at the same time would publish the same samples again. Waiting for it could deadlock.
        let mut published = match self.published.try_lock() {
            Ok(published) => published,
            Err(TryLockError::Poisoned(published)) => published.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        // A probe that publishes while it is read publishes nothing.
        let snapshots = self.runtimes.read().unwrap_or_default();
        let families = families(
            &snapshots,
            self.each_worker,
            self.locations,
            |exported, of, value| {
                let key = key(exported, of);
                let epoch = of.snapshot.epoch();
                let (count, gauge) = match value {
                    Value::Histogram(histogram) => {
                        let to = recorder.register_histogram(&key, &METADATA);
                        let earlier = published.histograms.entry(key).or_default();
                        earlier.record_new_samples(epoch, histogram, &to);
                        return;
                    }
                    Value::Count(count) => (count, count as f64),
                    Value::Nanos(nanos) => (nanos, in_seconds(nanos)),
                };
                if exported.metric.kind == MetricKind::Counter {
                    let to = recorder.register_counter(&key, &METADATA);
                    let earlier = published.counters.entry(key).or_default();
                    to.absolute(earlier.total(epoch, count));
                } else {
                    recorder.register_gauge(&key, &METADATA).set(gauge);
                }
            },
        );
        for family in families {
            describe(recorder, family.of);
        }
    }
}

const METADATA: Metadata<'_> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

fn name(Exported { metric, name }: Exported) -> SharedString {
    if is_counter_of_time(metric) {
        SharedString::from(name.replace("_seconds", "_nanoseconds"))
    } else {
        SharedString::from(name)
    }
}

fn key(exported: Exported, of: &Series<'_>) -> Key {
    let mut labels = vec![Label::new("runtime", of.snapshot.name().to_owned())];
    labels.extend(of.worker.map(|worker| Label::new("worker", worker.to_string())));
    labels.extend(of.label.map(|(name, value)| Label::new(name, value.to_owned())));
    Key::from_parts(name(exported), labels)
}

fn is_counter_of_time(metric: &Metric) -> bool {
    metric.kind == MetricKind::Counter && metric.unit == MetricUnit::Nanoseconds
}

fn describe(recorder: &dyn Recorder, exported: Exported) {
    let Exported { metric, .. } = exported;
    let name = KeyName::from(name(exported));
    let unit = match metric.unit {
        MetricUnit::Nanoseconds if is_counter_of_time(metric) => Unit::Nanoseconds,
        MetricUnit::Nanoseconds => Unit::Seconds,
        _ => Unit::Count,
    };
    let help = SharedString::from(metric.help);
    match metric.kind {
        MetricKind::Counter => recorder.describe_counter(name, Some(unit), help),
        MetricKind::Histogram => recorder.describe_histogram(name, Some(unit), help),
        _ => recorder.describe_gauge(name, Some(unit), help),
    }
}

impl PublishedCounter {
    /// Returns the value to publish. That of another epoch is added to the last one: the facade ignores a counter that decreases.
    fn total(&mut self, epoch: u64, count: u64) -> u64 {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.base = self.base.saturating_add(self.last);
        }
        self.last = count;
        self.base.saturating_add(count)
    }
}

impl PublishedHistogram {
    /// Records the samples that were not in the histogram at the last call. Those of another epoch are all new.
    fn record_new_samples(
        &mut self,
        epoch: u64,
        histogram: &HistogramSnapshot<Vec<u64>>,
        to: &metrics::Histogram,
    ) {
        if self.epoch != epoch || self.buckets.len() != histogram.buckets().len() {
            self.epoch = epoch;
            self.buckets = vec![0; histogram.buckets().len()];
        }
        for ((range, count), earlier) in histogram.iter().zip(&mut self.buckets) {
            let value = match range.end {
                Some(_) => range.largest(),
                None => histogram.max().unwrap_or(range.start),
            };
            let new = count.saturating_sub(*earlier);
            *earlier = count;
            if new > 0 {
                to.record_many(in_seconds(value), usize::try_from(new).unwrap_or(usize::MAX));
            }
        }
    }
}

impl fmt::Debug for FacadePublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FacadePublisher")
            .field("runtimes", &self.runtimes)
            .field("each_worker", &self.each_worker)
            .field("locations", &self.locations)
            .finish_non_exhaustive()
    }
}
