//! The metrics of one worker, or their sum over all workers, in a snapshot.

use crate::catalog::{MetricSet, WorkerNumber, in_unit, with_worker_numbers};
use crate::counters::WORKER_NUMBERS;
use crate::histogram::{HistogramConfig, HistogramSnapshot};
use crate::storage::Storage;
use crate::switches::Sampling;
use core::time::Duration;

/// The counters and histograms of one worker, or their sum over all workers. Those of a single worker come from one
/// submit.
///
/// A metric that the runtime does not measure is `None`, never zero.
///
/// ```
/// # #[cfg(all(feature = "alloc", feature = "record"))] {
/// use metrics_core::{Builder, MetricSet, NoClock, RuntimeMetrics, WorkerNumber};
///
/// let polls = MetricSet::worker(&[WorkerNumber::PollCount]);
/// let registry = Builder::new().measures(polls).build(NoClock).expect("the configuration is valid");
/// let snapshot = RuntimeMetrics::new(registry).snapshot();
/// assert_eq!(snapshot.total().poll_count(), Some(0));
/// assert_eq!(snapshot.total().park_count(), None);
/// # }
/// ```
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

/// The values of a worker, and the set of those that are known.
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

/// A histogram in a snapshot, and the sampling with which it was recorded.
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
    /// Creates an empty histogram; `None` if the storage can't hold so many buckets.
    pub(crate) fn empty(config: &HistogramConfig, sampling: Sampling) -> Option<Self> {
        Some(Self {
            sampling,
            polls: 0,
            histogram: HistogramSnapshot::new(*config).ok()?,
        })
    }

    /// Returns the samples, in nanoseconds.
    pub fn histogram(&self) -> &HistogramSnapshot<S::Counts> {
        &self.histogram
    }

    /// Returns the sampling at the time of the snapshot. With [`Sampling::Off`] the histogram keeps its earlier
    /// samples.
    pub fn sampling(&self) -> Sampling {
        self.sampling
    }

    /// Returns the number of the worker's polls, measured or not. The share of polls measured is
    /// [`samples`](Self::samples) divided by this.
    pub fn polls(&self) -> u64 {
        self.polls
    }

    /// Returns `true` if a bucket is full, so that the histogram may have fewer samples than were measured.
    ///
    /// The narrow buckets of [`Buckets32`](crate::Buckets32) are full after 2^32 - 1 samples; 64-bit buckets never
    /// are. After a host decodes a small chip's snapshot, this is always `false`. If every poll is measured, fewer
    /// [`samples`](Self::samples) than [`polls`](Self::polls) indicate it there.
    pub fn is_saturated(&self) -> bool {
        self.histogram
            .buckets()
            .iter()
            .any(|&count| count >= S::BUCKET_FULL)
    }

    /// Returns the number of samples.
    pub fn samples(&self) -> u64 {
        self.histogram.count()
    }
}

impl<S: Storage> Measurements<S> {
    /// No measurements.
    pub(crate) const NONE: Self = Self {
        numbers: WorkerNumbers::NONE,
        mean_poll_time: None,
        poll_time: None,
        schedule_latency: None,
    };

    /// Returns a metric in its own unit (nanoseconds for durations), or `None` if the runtime does not measure it.
    pub fn counter(&self, number: WorkerNumber) -> Option<u64> {
        self.numbers.get(number)
    }

    /// Returns the exponentially weighted mean of measured polls, with alpha 1/10. `None` before the first,
    /// and on [`StaticStorage`](crate::StaticStorage), which keeps no mean. A sum over
    /// workers weights each worker's mean by its number of polls.
    pub fn mean_poll_time(&self) -> Option<Duration> {
        self.mean_poll_time.map(Duration::from_nanos)
    }

    /// Returns the histogram of poll times.
    pub fn poll_time(&self) -> Option<&HistogramReading<S>> {
        self.poll_time.as_ref()
    }

    /// Returns the histogram of schedule latency: the time from a task being scheduled to its poll.
    pub fn schedule_latency(&self) -> Option<&HistogramReading<S>> {
        self.schedule_latency.as_ref()
    }
}

macro_rules! getter {
    ($(#[$doc:meta])* $unit:ident $name:ident $variant:ident) => {
        $(#[$doc])*
        pub fn $name(&self) -> Option<in_unit!($unit)> {
            self.counter(WorkerNumber::$variant).map(in_unit!($unit, from))
        }
    };
}
pub(super) use getter;

macro_rules! getters {
    (
        $($group:ident {
            $($(#[$doc:meta])* $unit:ident $name:ident $worker_name:ident $variant:ident $exported:literal $unlike:literal,)*
        })*
    ) => {
        /// Getters of the metrics. Each is `None` if the runtime does not measure the metric.
        impl<S: Storage> Measurements<S> {
            $($(getter!($(#[$doc])* $unit $name $variant);)*)*
        }
    };
}
with_worker_numbers!(getters);

/// Prints every known metric, as `poll_count=3`, and the histograms.
#[cfg(feature = "defmt")]
impl<S: Storage> defmt::Format for Measurements<S> {
    fn format(&self, f: defmt::Formatter<'_>) {
        for &number in WorkerNumber::ALL {
            if let Some(value) = self.numbers.get(number) {
                defmt::write!(f, "{=str}={=u64} ", number.name(), value);
            }
        }
        defmt::write!(
            f,
            "poll_time={} schedule_latency={}",
            self.poll_time,
            self.schedule_latency
        );
    }
}

/// Prints the number of samples, their sum, and the smallest and the largest in nanoseconds.
#[cfg(feature = "defmt")]
impl<S: Storage> defmt::Format for HistogramReading<S> {
    fn format(&self, f: defmt::Formatter<'_>) {
        let histogram = self.histogram();
        defmt::write!(
            f,
            "{=u64} samples, sum {=u64} ns, min {} max {}",
            histogram.count(),
            histogram.sum(),
            histogram.min(),
            histogram.max()
        );
    }
}
