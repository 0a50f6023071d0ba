//! The snapshots of several runtimes as one.

use super::measurements::WorkerNumbers;
use super::{HistogramReading, Measurements, Snapshot, WorkerSnapshot};
use crate::catalog::{RuntimeNumber, RuntimeNumbers, WorkerNumber};
use crate::histogram::{HistogramMergeError, HistogramSnapshot};
use crate::storage::HeapStorage;
use crate::tasks::TaskCounts;
use alloc::vec;
use alloc::vec::Vec;
use core::mem::take;

impl Snapshot<HeapStorage> {
    /// Adds the metrics of another runtime, such as that of another process or web worker.
    ///
    /// The other runtime's workers get the next free indices. A metric of the total or of the whole runtime that one of
    /// the two does not measure is `None`. The name and the state of the external threads are those of `self`, the start
    /// is the earlier one, and the uptime the longer one that is known. Spawn locations are left out, because their numbers have a
    /// meaning only in their own runtime. The metric `overload` is 1 if either runtime is overloaded. The throttling
    /// metrics are the larger of the two values and not the sum, because runtimes of one process report the same values.
    ///
    /// Two merged snapshots can be [compared](Self::since) if the same runtimes were merged in the same order, and if
    /// the indices of their workers are the same: in a runtime whose number of workers is not known, a new worker shifts
    /// the indices of the runtimes that follow.
    ///
    /// ```
    /// use metrics_core::{Builder, MetricSet, NoClock, RuntimeMetrics, Worker};
    ///
    /// let runtime = || Builder::new().measures(MetricSet::ALL).build(NoClock).expect("the configuration is valid");
    /// let (one, other) = (runtime(), runtime());
    /// let workers = [&one, &other].map(|registry| Worker::lease(registry.clone(), 0).expect("a slot is free"));
    ///
    /// let mut snapshot = RuntimeMetrics::new(one).snapshot();
    /// snapshot.merge(&RuntimeMetrics::new(other).snapshot())?;
    /// # #[cfg(feature = "record")]
    /// assert_eq!(snapshot.workers().len(), 2);
    /// # Ok::<(), metrics_core::histogram::HistogramMergeError>(())
    /// ```
    ///
    /// # Errors
    /// Returns a [`HistogramMergeError`] if the layouts of two histograms differ. `self` is unchanged then.
    pub fn merge(&mut self, other: &Self) -> Result<(), HistogramMergeError> {
        check_layouts(self, other, Measurements::poll_time)?;
        check_layouts(self, other, Measurements::schedule_latency)?;
        let used = self.workers.last().map_or(0, |last| last.index + 1);
        let offset = used.max(self.num_workers);
        let mut merged = Self {
            name: self.name.clone(),
            // With the offset, so that the numbers of one worker are never compared with those of another. The factor
            // spreads its bits.
            epoch: self.epoch.rotate_left(1)
                ^ other.epoch
                ^ (offset as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15),
            started_at: both(self.started_at, other.started_at, u64::min),
            // The workers of a runtime with a clock keep their times, which need one.
            uptime: self.uptime.max(other.uptime),
            num_workers: both(self.num_workers(), other.num_workers(), usize::saturating_add).unwrap_or(0),
            tasks: both(self.tasks, other.tasks, |one, other| TaskCounts {
                spawned: one.spawned.saturating_add(other.spawned),
                completed: one.completed.saturating_add(other.completed),
                cancelled: one.cancelled.saturating_add(other.cancelled),
                panicked: one.panicked.saturating_add(other.panicked),
            }),
            runtime: runtime_numbers(&self.runtime, &other.runtime),
            blocking_queue_wait: merged(
                self.blocking_queue_wait.as_ref(),
                other.blocking_queue_wait.as_ref(),
                Histogram::merge,
            )?,
            total: measurements(&self.total, &other.total)?,
            external: match (self.external(), other.external()) {
                (Some(one), Some(other)) => vec![WorkerSnapshot {
                    measurements: measurements(&one.measurements, &other.measurements)?,
                    missing: one.missing || other.missing,
                    ..one.clone()
                }],
                (one, other) => one.or(other).cloned().into_iter().collect(),
            },
            ..Self::EMPTY
        };
        for (to, (one, other)) in merged
            .on_demand
            .iter_mut()
            .zip(self.on_demand.iter().zip(&other.on_demand))
        {
            to.extend(self::merged(one.first(), other.first(), Histogram::merge)?);
        }
        merged.workers = take(&mut self.workers);
        merged
            .workers
            .extend(other.workers.iter().map(|worker| WorkerSnapshot {
                index: offset.saturating_add(worker.index),
                ..worker.clone()
            }));
        *self = merged;
        Ok(())
    }
}

type Histogram = HistogramSnapshot<Vec<u64>>;

/// Compares the layouts of the workers and of the totals. The total has none if a third runtime keeps no histogram, and a
/// runtime that no thread has run yet has only that of the total.
fn check_layouts(
    one: &Snapshot<HeapStorage>,
    other: &Snapshot<HeapStorage>,
    of: fn(&Measurements<HeapStorage>) -> Option<&HistogramReading<HeapStorage>>,
) -> Result<(), HistogramMergeError> {
    let layout = |snapshot: &Snapshot<HeapStorage>| {
        let workers = snapshot.all().map(WorkerSnapshot::measurements);
        let mut readings = workers.chain([&snapshot.total]).filter_map(of);
        readings.next().map(|reading| *reading.histogram.config())
    };
    match (layout(one), layout(other)) {
        (Some(one), Some(other)) if one != other => Err(HistogramMergeError::LayoutMismatch {
            expected: one.layout(),
            found: other.layout(),
        }),
        _ => Ok(()),
    }
}

fn both<V>(one: Option<V>, other: Option<V>, combine: impl FnOnce(V, V) -> V) -> Option<V> {
    one.zip(other).map(|(one, other)| combine(one, other))
}

fn merged<V: Clone>(
    one: Option<&V>,
    other: Option<&V>,
    merge: impl FnOnce(&mut V, &V) -> Result<(), HistogramMergeError>,
) -> Result<Option<V>, HistogramMergeError> {
    let (Some(one), Some(other)) = (one, other) else {
        return Ok(None);
    };
    let mut merged = one.clone();
    merge(&mut merged, other)?;
    Ok(Some(merged))
}

fn runtime_numbers(one: &RuntimeNumbers, other: &RuntimeNumbers) -> RuntimeNumbers {
    let mut sum = RuntimeNumbers::NONE;
    for &number in RuntimeNumber::ALL {
        let merge = match number {
            // Not a number of things: 1 if either is overloaded. And the same in all runtimes of a process.
            RuntimeNumber::Overload
            | RuntimeNumber::CpuThrottledDurationTotal
            | RuntimeNumber::CpuThrottledCount => u64::max,
            _ => u64::saturating_add,
        };
        sum.set(number, both(one.get(number), other.get(number), merge));
    }
    sum
}

fn measurements(
    one: &Measurements<HeapStorage>,
    other: &Measurements<HeapStorage>,
) -> Result<Measurements<HeapStorage>, HistogramMergeError> {
    let mut numbers = WorkerNumbers::NONE;
    for &number in WorkerNumber::ALL {
        let values = (one.numbers.get(number), other.numbers.get(number));
        numbers.set(number, both(values.0, values.1, u64::saturating_add));
    }
    Ok(Measurements {
        numbers,
        mean_poll_time: both(one.mean_poll_time, other.mean_poll_time, |mean, other_mean| {
            let polls = |of: &Measurements<HeapStorage>| u128::from(of.poll_count().unwrap_or(1));
            let (polls, other_polls) = (polls(one), polls(other));
            let sum = u128::from(mean) * polls + u128::from(other_mean) * other_polls;
            u64::try_from(sum / (polls + other_polls).max(1)).unwrap_or(u64::MAX)
        }),
        poll_time: merged(
            one.poll_time.as_ref(),
            other.poll_time.as_ref(),
            HistogramReading::merge,
        )?,
        schedule_latency: merged(
            one.schedule_latency.as_ref(),
            other.schedule_latency.as_ref(),
            HistogramReading::merge,
        )?,
    })
}

impl HistogramReading<HeapStorage> {
    /// Adds the samples of another histogram. The sampling stays.
    fn merge(&mut self, other: &Self) -> Result<(), HistogramMergeError> {
        self.histogram.merge(&other.histogram)?;
        self.polls = self.polls.saturating_add(other.polls);
        Ok(())
    }
}
