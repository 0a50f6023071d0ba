//! Reads a metric by its name in METRICS.md from a snapshot.

use core::time::Duration;

use metrics_core::{
    HeapStorage, HistogramReading, HistogramSnapshot, METRICS, RuntimeNumber, Snapshot, WorkerNumber,
    WorkerSnapshot, WorkerState,
};

/// A snapshot whose metrics can be read by name. `None` if recording is off.
pub struct Reading(pub Option<Snapshot<HeapStorage>>);

impl Reading {
    /// Wraps a snapshot if any of its metrics is not `None`. In a build without recording, all are `None`.
    pub fn of(snapshot: Snapshot<HeapStorage>) -> Self {
        let reading = Self(Some(snapshot));
        let says_something = METRICS.iter().any(|metric| reading.value(metric.name).is_some());
        Self(reading.0.filter(|_| says_something))
    }

    /// Returns a counter's or gauge's value over all workers, in nanoseconds if it is a time; a histogram's number of samples; or,
    /// for a metric that is not a number, how many workers have a value.
    ///
    /// # Panics
    /// Panics if this function does not know the name of a metric in METRICS.md.
    pub fn value(&self, metric: &str) -> Option<u64> {
        let snapshot = self.0.as_ref()?;
        let total = snapshot.total();
        if let Some(&counter) = WorkerNumber::ALL.iter().find(|counter| counter.name() == metric) {
            return total.counter(counter);
        }
        if let Some(&number) = RuntimeNumber::ALL.iter().find(|number| number.name() == metric) {
            return snapshot.runtime_number(number);
        }
        match metric {
            "mean_poll_time" => total.mean_poll_time().map(nanos),
            "poll_time" => total.poll_time().map(HistogramReading::samples),
            "schedule_latency" => total.schedule_latency().map(HistogramReading::samples),
            "thread" => sum(snapshot.workers().iter().map(|worker| worker.thread().map(|_| 1))),
            "state" => sum(snapshot
                .workers()
                .iter()
                .map(|worker| has_thread(worker).then_some(1))),
            "spawn_location" => sum(snapshot
                .workers()
                .iter()
                .map(|worker| has_thread(worker).then(|| u64::from(worker.spawn_location().as_u32())))),
            "since" => sum(snapshot.workers().iter().map(|worker| {
                Some(nanos(
                    snapshot.uptime()?.checked_sub(worker.state_for()?).unwrap(),
                ))
            })),
            "num_workers" => snapshot.num_workers().map(|workers| workers as u64),
            "blocking_queue_wait" => snapshot.blocking_queue_wait().map(HistogramSnapshot::count),
            "poll_stall_duration" => snapshot.poll_stall_duration().map(HistogramSnapshot::count),
            "no_progress_stall_duration" => snapshot
                .no_progress_stall_duration()
                .map(HistogramSnapshot::count),
            "queue_stall_duration" => snapshot.queue_stall_duration().map(HistogramSnapshot::count),
            "loop_lag" => snapshot.loop_lag().map(HistogramSnapshot::count),
            "wake_latency" => snapshot.wake_latency().map(HistogramSnapshot::count),
            "started_at" => snapshot.started_at(),
            // A snapshot without data has this epoch, which no runtime has.
            "epoch" => Some(snapshot.epoch()).filter(|&epoch| epoch != 0),
            unknown => panic!("no scenario reads {unknown}"),
        }
    }

    /// Returns a histogram's sum in nanoseconds, over all workers.
    ///
    /// # Panics
    /// Panics if this function does not know the name of the histogram.
    pub fn sum(&self, metric: &str) -> Option<u64> {
        let snapshot = self.0.as_ref()?;
        match metric {
            "poll_time" => snapshot
                .total()
                .poll_time()
                .map(|reading| reading.histogram().sum()),
            "schedule_latency" => snapshot
                .total()
                .schedule_latency()
                .map(|reading| reading.histogram().sum()),
            "blocking_queue_wait" => snapshot.blocking_queue_wait().map(HistogramSnapshot::sum),
            unknown => panic!("no histogram {unknown}"),
        }
    }
}

fn has_thread(worker: &WorkerSnapshot<HeapStorage>) -> bool {
    worker.state() != Some(WorkerState::Idle)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Returns the sum of the measured values, or `None` if there are none.
fn sum(values: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    values.flatten().reduce(u64::wrapping_add)
}
