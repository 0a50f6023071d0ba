//! Checks of merged snapshots: sums, indices, errors that change nothing, comparison and encoding.

use core::fmt::Debug;

use metrics_core::{
    HeapStorage, HistogramConfig, HistogramReading, HistogramSnapshot, Measurements, RuntimeNumber,
    SinceError, Snapshot, WorkerNumber, WorkerSnapshot,
};

use crate::checks::{HeapSnapshot, check_interval};

/// A snapshot that was merged, and what decides whether it compares with another.
#[derive(Clone)]
pub struct Merged {
    snapshot: HeapSnapshot,
    /// The first index of each runtime.
    offsets: Vec<usize>,
}

/// Merges snapshots of different runtimes. Returns `None` if their layouts differ.
pub fn check(parts: &[&HeapSnapshot]) -> Option<Merged> {
    let (first, others) = parts.split_first()?;
    let mut merged = (*first).clone();
    let mut offsets = vec![0];
    round_trip(first);
    for other in others {
        let before = merged.clone();
        let differ = layouts(&before)
            .iter()
            .zip(layouts(other))
            .any(|(one, other)| one.zip(other).is_some_and(|(one, other)| one != other));
        let outcome = merged.merge(other);
        assert_eq!(outcome.is_err(), differ, "{outcome:?}");
        if differ {
            assert_eq!(postcard(&merged), postcard(&before), "an error changes nothing");
            return None;
        }
        offsets.push(check_sums(&merged, &before, other));
    }
    round_trip(&merged);
    Some(Merged {
        snapshot: merged,
        offsets,
    })
}

/// Returns the layout of each histogram. Those of the workers remain if the total has none.
fn layouts(snapshot: &HeapSnapshot) -> Vec<Option<HistogramConfig>> {
    let of_workers = [Measurements::poll_time, Measurements::schedule_latency].map(|of| {
        let workers = snapshot.workers().iter().chain(snapshot.external());
        let mut readings = workers.filter_map(|worker| of(worker.measurements()));
        of(snapshot.total())
            .or(readings.next())
            .map(HistogramReading::histogram)
    });
    let all = of_workers.into_iter().chain(of_runtime(snapshot));
    all.map(|histogram| Some(*histogram?.config())).collect()
}

fn of_runtime(snapshot: &HeapSnapshot) -> [Option<&HistogramSnapshot<Vec<u64>>>; 6] {
    [
        snapshot.blocking_queue_wait(),
        snapshot.loop_lag(),
        snapshot.wake_latency(),
        snapshot.poll_stall_duration(),
        snapshot.no_progress_stall_duration(),
        snapshot.queue_stall_duration(),
    ]
}

fn both<V>(one: Option<V>, other: Option<V>, combine: impl FnOnce(V, V) -> V) -> Option<V> {
    one.zip(other).map(|(one, other)| combine(one, other))
}

/// Checks the sum of two snapshots, and returns the first index of the workers of the second one.
fn check_sums(merged: &HeapSnapshot, one: &HeapSnapshot, other: &HeapSnapshot) -> usize {
    check_measurements(merged.total(), one.total(), other.total());
    for &number in RuntimeNumber::ALL {
        let combine = match number {
            RuntimeNumber::Overload
            | RuntimeNumber::CpuThrottledCount
            | RuntimeNumber::CpuThrottledDurationTotal => u64::max,
            _ => u64::saturating_add,
        };
        let expected = both(one.runtime_number(number), other.runtime_number(number), combine);
        assert_eq!(merged.runtime_number(number), expected, "{number:?}");
    }
    assert_eq!(
        merged.num_workers(),
        both(one.num_workers(), other.num_workers(), usize::saturating_add)
    );
    assert_eq!(
        merged.uptime(),
        one.uptime().max(other.uptime()),
        "the longer one that is known"
    );
    assert_eq!(
        merged.started_at(),
        both(one.started_at(), other.started_at(), Ord::min)
    );
    assert_eq!(merged.name(), one.name());
    assert!(merged.locations().is_none());
    let histograms = of_runtime(one).into_iter().zip(of_runtime(other));
    for (merged, (one, other)) in of_runtime(merged).into_iter().zip(histograms) {
        let count = |histogram: Option<&HistogramSnapshot<_>>| histogram.map(|histogram| histogram.count());
        assert_eq!(
            count(merged),
            both(count(one), count(other), |one, other| one + other)
        );
    }
    assert_eq!(
        merged.external().is_some(),
        one.external().is_some() || other.external().is_some()
    );
    if let (Some(merged), Some(one), Some(other)) = (merged.external(), one.external(), other.external()) {
        check_measurements(merged.measurements(), one.measurements(), other.measurements());
    }

    assert_eq!(
        merged.workers().len(),
        one.workers().len() + other.workers().len()
    );
    let (kept, added) = merged.workers().split_at(one.workers().len());
    assert!(
        kept.iter()
            .map(WorkerSnapshot::index)
            .eq(one.workers().iter().map(WorkerSnapshot::index))
    );
    let used = one.workers().last().map_or(0, |last| last.index() + 1);
    let offset = used.max(one.num_workers().unwrap_or(0));
    for (added, worker) in added.iter().zip(other.workers()) {
        assert_eq!(added.index(), offset + worker.index());
        for &number in WorkerNumber::ALL {
            assert_eq!(added.counter(number), worker.counter(number));
        }
    }
    offset
}

fn check_measurements(
    merged: &Measurements<HeapStorage>,
    one: &Measurements<HeapStorage>,
    other: &Measurements<HeapStorage>,
) {
    for &number in WorkerNumber::ALL {
        let expected = both(one.counter(number), other.counter(number), u64::saturating_add);
        assert_eq!(merged.counter(number), expected, "{number:?}");
    }
    let samples = |reading: Option<&HistogramReading<_>>| reading.map(|reading| reading.samples());
    for of in [Measurements::poll_time, Measurements::schedule_latency] {
        let expected = both(samples(of(one)), samples(of(other)), |one, other| one + other);
        assert_eq!(samples(of(merged)), expected);
    }
    let means = (one.mean_poll_time(), other.mean_poll_time());
    let within = |mean| Some(mean) >= means.0.min(means.1) && Some(mean) <= means.0.max(means.1);
    assert!(merged.mean_poll_time().is_none_or(within));
}

/// Compares two merged snapshots of the same runtimes.
pub fn check_since(earlier: &Merged, later: &Merged) {
    let interval = later.snapshot.since(&earlier.snapshot);
    if earlier.offsets != later.offsets {
        // The numbers of one worker are never compared with those of another.
        assert_eq!(interval.unwrap_err(), SinceError::OtherEpoch);
    } else if later.snapshot.uptime() < earlier.snapshot.uptime() {
        assert_eq!(interval.unwrap_err(), SinceError::NotEarlier);
    } else {
        let interval = interval.expect("the runtimes and the indices are the same");
        check_interval(&interval, &earlier.snapshot, &later.snapshot);
    }
}

fn postcard(snapshot: &HeapSnapshot) -> Vec<u8> {
    postcard::to_allocvec(snapshot).expect("a snapshot encodes")
}

fn json(snapshot: &HeapSnapshot) -> String {
    serde_json::to_string(snapshot).expect("a snapshot encodes")
}

/// Encodes and decodes a snapshot in both forms.
fn round_trip(snapshot: &HeapSnapshot) {
    fn decoded<E: Debug>(decoded: Result<Snapshot<HeapStorage>, E>) -> HeapSnapshot {
        decoded.expect("what was encoded decodes")
    }
    let (bytes, text) = (postcard(snapshot), json(snapshot));
    for again in [
        decoded(postcard::from_bytes(&bytes)),
        decoded(serde_json::from_str(&text)),
    ] {
        assert_eq!(postcard(&again), bytes);
        assert_eq!(json(&again), text);
        for &number in WorkerNumber::ALL {
            assert_eq!(again.total().counter(number), snapshot.total().counter(number));
        }
    }
}
