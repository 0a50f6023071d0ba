//! A worker's numbers, or the sum over workers, in a snapshot.

use crate::catalog::{MetricSet, WorkerNumber, with_worker_numbers};
use crate::counters::{CounterValues, MEAN_FRACTION};
use crate::histogram::HistogramSnapshot;
use crate::options::Sampling;
use crate::storage::Storage;
use core::time::Duration;

/// Counters and histograms, all of one submit for a single worker.
///
/// A getter is `None` where the runtime does not measure the thing, never zero.
pub struct Measurements<S: Storage> {
    pub(crate) supplied: MetricSet,
    pub(crate) values: CounterValues,
    pub(crate) poll_time: Option<HistogramReading<S>>,
    pub(crate) schedule_latency: Option<HistogramReading<S>>,
}

impl<S: Storage> Clone for Measurements<S> {
    fn clone(&self) -> Self {
        Self {
            supplied: self.supplied,
            values: self.values,
            poll_time: self.poll_time.clone(),
            schedule_latency: self.schedule_latency.clone(),
        }
    }
}

/// A histogram and how it came about.
#[derive(Debug)]
pub struct HistogramReading<S: Storage> {
    pub(crate) histogram: HistogramSnapshot<S::Counts>,
    pub(crate) sampling: Sampling,
    pub(crate) polls: u64,
}

impl<S: Storage> Clone for HistogramReading<S> {
    fn clone(&self) -> Self {
        Self {
            histogram: self.histogram.clone(),
            sampling: self.sampling,
            polls: self.polls,
        }
    }
}

impl<S: Storage> HistogramReading<S> {
    /// The samples, in nanoseconds.
    pub fn histogram(&self) -> &HistogramSnapshot<S::Counts> {
        &self.histogram
    }

    /// How many polls it measures, as switched when the snapshot was taken. Off means frozen, not empty.
    pub fn sampling(&self) -> Sampling {
        self.sampling
    }

    /// Polls that the worker made, measured or not. Beside the histogram's count it is the coverage.
    pub fn polls(&self) -> u64 {
        self.polls
    }

    /// Whether a bucket is full, so that the histogram may have fewer samples than were measured.
    ///
    /// The narrow buckets of [`Buckets32`](crate::Buckets32) are full after 2^32 - 1 samples; 64-bit buckets never are. A host that
    /// decodes a small chip's reading can't tell: there, while every poll is measured, fewer [`samples`](Self::samples) than
    /// [`polls`](Self::polls) show it.
    pub fn is_saturated(&self) -> bool {
        self.histogram
            .buckets()
            .iter()
            .any(|&count| count >= S::BUCKET_FULL)
    }

    /// Samples: the histogram's count.
    pub fn samples(&self) -> u64 {
        self.histogram.count()
    }
}

impl<S: Storage> Measurements<S> {
    pub(crate) fn new(supplied: MetricSet) -> Self {
        Self {
            supplied,
            values: CounterValues::default(),
            poll_time: None,
            schedule_latency: None,
        }
    }

    /// A counter in its own unit (nanoseconds for durations), or `None` if the runtime does not measure it.
    pub fn counter(&self, counter: WorkerNumber) -> Option<u64> {
        self.supplied
            .has_worker(counter)
            .then(|| self.values.get(counter))
    }

    /// The exponentially weighted mean of measured polls, alpha 1/10; `None` until the first. A sum over workers
    /// weighs each worker's by its polls.
    pub fn mean_poll_time(&self) -> Option<Duration> {
        match self.values.mean_poll_time {
            0 => None,
            mean => Some(Duration::from_nanos(mean >> MEAN_FRACTION)),
        }
    }

    /// How long polls took.
    pub fn poll_time(&self) -> Option<&HistogramReading<S>> {
        self.poll_time.as_ref()
    }

    /// How long scheduled tasks waited for their poll.
    pub fn schedule_latency(&self) -> Option<&HistogramReading<S>> {
        self.schedule_latency.as_ref()
    }

    /// Says nothing of histograms and mean, some part of which was never read. Of the counters the set says it.
    pub(crate) fn withhold(&mut self) {
        self.values.mean_poll_time = 0;
        self.poll_time = None;
        self.schedule_latency = None;
    }

    /// What another than our hooks counted.
    pub(crate) fn set(&mut self, counter: WorkerNumber, value: Option<u64>) {
        let this = MetricSet::worker(&[counter]);
        self.supplied = match value {
            Some(_) => self.supplied.union(this),
            None => self.supplied.without(this),
        };
        self.values.values[counter as usize] = value.unwrap_or(0);
    }

    /// Adds another worker's numbers, or another slot's of the same worker.
    pub(crate) fn absorb(&mut self, other: &Self) {
        let weight = |m: &Self| u128::from(m.values.get(WorkerNumber::PollCount));
        let (ours, theirs) = (weight(self), weight(other));
        let mean = match (self.values.mean_poll_time, other.values.mean_poll_time) {
            (mean, 0) | (0, mean) => mean,
            (mean, also) => {
                let sum = u128::from(mean) * ours + u128::from(also) * theirs;
                u64::try_from(sum / (ours + theirs).max(1)).unwrap_or(u64::MAX)
            }
        };
        self.values.mean_poll_time = mean;
        self.values.settled_at = self.values.settled_at.max(other.values.settled_at);
        for (ours, theirs) in self.values.values.iter_mut().zip(other.values.values) {
            *ours = ours.wrapping_add(theirs);
        }
        absorb(&mut self.poll_time, other.poll_time.as_ref());
        absorb(&mut self.schedule_latency, other.schedule_latency.as_ref());
    }
}

fn absorb<S: Storage>(to: &mut Option<HistogramReading<S>>, from: Option<&HistogramReading<S>>) {
    match (to, from) {
        (Some(to), Some(from)) => {
            to.polls = to.polls.wrapping_add(from.polls);
            // Slots of one registry have one layout: nothing to fail.
            let _ = to.histogram.merge(&from.histogram);
        }
        (to @ None, Some(from)) => *to = Some(from.clone()),
        (_, None) => {}
    }
}

macro_rules! getter {
    ($(#[$doc:meta])* Duration $name:ident $variant:ident) => {
        $(#[$doc])*
        pub fn $name(&self) -> Option<Duration> {
            self.counter(WorkerNumber::$variant).map(Duration::from_nanos)
        }
    };
    ($(#[$doc:meta])* u64 $name:ident $variant:ident) => {
        $(#[$doc])*
        pub fn $name(&self) -> Option<u64> {
            self.counter(WorkerNumber::$variant)
        }
    };
}
pub(super) use getter;

macro_rules! getters {
    (
        counters { $($(#[$doc:meta])* $kind:ident $name:ident $worker_name:ident $variant:ident $exported:literal $unlike:literal,)* }
        gauges { $($(#[$gauge_doc:meta])* $gauge_kind:ident $gauge:ident $worker_gauge:ident $gauge_variant:ident $gauge_exported:literal $gauge_unlike:literal,)* }
    ) => {
        /// The numbers, one by one. `None` where the runtime does not measure the thing.
        impl<S: Storage> Measurements<S> {
            $(getter!($(#[$doc])* $kind $name $variant);)*
            $(getter!($(#[$gauge_doc])* $gauge_kind $gauge $gauge_variant);)*
        }
    };
}
with_worker_numbers!(getters);
