//! A worker's numbers, or the sum over workers, in a snapshot.

use crate::catalog::{MetricSet, WorkerNumber, with_worker_numbers};
use crate::counters::WORKER_NUMBERS;
use crate::histogram::{HistogramConfig, HistogramSnapshot};
use crate::storage::Storage;
use crate::switches::Sampling;
use core::time::Duration;

/// Counters and histograms. Those of a single worker are all of one submit.
///
/// A getter is `None` where the runtime does not measure the number, never zero.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound = ""))]
pub struct Measurements<S: Storage> {
    pub(crate) numbers: WorkerNumbers,
    /// Nanoseconds.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64::option"))]
    pub(crate) mean_poll_time: Option<u64>,
    pub(crate) poll_time: Option<HistogramReading<S>>,
    pub(crate) schedule_latency: Option<HistogramReading<S>>,
}

/// The numbers of a worker, and which of them are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WorkerNumbers {
    pub(crate) known: MetricSet,
    pub(crate) values: [u64; WORKER_NUMBERS],
}

impl WorkerNumbers {
    pub(crate) const NONE: Self = Self {
        known: MetricSet::NONE,
        values: [0; WORKER_NUMBERS],
    };

    pub(crate) fn get(&self, number: WorkerNumber) -> Option<u64> {
        self.known
            .has_worker(number)
            .then(|| self.values[number as usize])
    }

    pub(crate) fn set(&mut self, number: WorkerNumber, value: Option<u64>) {
        let this = MetricSet::worker(&[number]);
        self.known = match value {
            Some(_) => self.known.union(this),
            None => self.known.without(this),
        };
        self.values[number as usize] = value.unwrap_or(0);
    }
}

impl<S: Storage> Clone for Measurements<S> {
    fn clone(&self) -> Self {
        Self {
            poll_time: self.poll_time.clone(),
            schedule_latency: self.schedule_latency.clone(),
            ..*self
        }
    }
}

/// A histogram and how it was measured.
#[derive(Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound = ""))]
pub struct HistogramReading<S: Storage> {
    pub(crate) sampling: Sampling,
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub(crate) polls: u64,
    pub(crate) histogram: HistogramSnapshot<S::Counts>,
}

impl<S: Storage> Clone for HistogramReading<S> {
    fn clone(&self) -> Self {
        Self {
            histogram: self.histogram.clone(),
            ..*self
        }
    }
}

impl<S: Storage> HistogramReading<S> {
    /// An empty one; `None` where the storage can't hold so many buckets.
    pub(crate) fn empty(config: &HistogramConfig, sampling: Sampling) -> Option<Self> {
        Some(Self {
            sampling,
            polls: 0,
            histogram: HistogramSnapshot::new(*config).ok()?,
        })
    }

    /// The samples, in nanoseconds.
    pub fn histogram(&self) -> &HistogramSnapshot<S::Counts> {
        &self.histogram
    }

    /// How many polls it measures, as switched when the snapshot was taken. Off means frozen, not empty.
    pub fn sampling(&self) -> Sampling {
        self.sampling
    }

    /// Polls that the worker made, measured or not. Compared with the histogram's count it is the coverage.
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
    /// None of them.
    pub(crate) const NONE: Self = Self {
        numbers: WorkerNumbers::NONE,
        mean_poll_time: None,
        poll_time: None,
        schedule_latency: None,
    };

    /// A number in its own unit (nanoseconds for durations), or `None` if the runtime does not measure it.
    pub fn counter(&self, number: WorkerNumber) -> Option<u64> {
        self.numbers.get(number)
    }

    /// The exponentially weighted mean of measured polls, alpha 1/10; `None` until the first. A sum over workers
    /// weighs each worker's by its polls.
    pub fn mean_poll_time(&self) -> Option<Duration> {
        self.mean_poll_time.map(Duration::from_nanos)
    }

    /// How long polls took.
    pub fn poll_time(&self) -> Option<&HistogramReading<S>> {
        self.poll_time.as_ref()
    }

    /// How long scheduled tasks waited for their poll.
    pub fn schedule_latency(&self) -> Option<&HistogramReading<S>> {
        self.schedule_latency.as_ref()
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
        /// The numbers, one by one. `None` where the runtime does not measure the number.
        impl<S: Storage> Measurements<S> {
            $(getter!($(#[$doc])* $kind $name $variant);)*
            $(getter!($(#[$gauge_doc])* $gauge_kind $gauge $gauge_variant);)*
        }
    };
}
with_worker_numbers!(getters);
