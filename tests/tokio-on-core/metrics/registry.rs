//! The registry of one runtime, and its clock.

use crate::runtime::Builder;
use metrics_core::{HeapStorage, MetricSet, RuntimeNumber, Sampling, TimeSource, Timestamp, WorkerNumber};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) type Registry = Arc<metrics_core::Registry<HeapStorage, Clock>>;

/// The metrics that the schedulers record through hooks. The runtime reports all others through its probe.
const RECORDED: MetricSet = MetricSet::worker(WorkerNumber::COUNTERS)
    .without(MetricSet::worker(&[WorkerNumber::NestedPolls]))
    .union(MetricSet::IO_DRIVER)
    .union(MetricSet::runtime(&[RuntimeNumber::RemoteScheduleCount]));

/// Builds the registry of a runtime with this many workers.
///
/// A configuration that is invalid is an error here, where Tokio panics in the builder or at the first poll.
pub(crate) fn registry(builder: &Builder, workers: usize) -> io::Result<Registry> {
    let mut config = metrics_core::Builder::new().workers(workers).measures(RECORDED);
    if builder.metrics_poll_count_histogram_enable {
        config = config.poll_time(builder.metrics_poll_count_histogram.build()?);
    }
    if builder.metrics_schedule_latency_histogram_enabled {
        config = config.schedule_latency(builder.metrics_schedule_latency_histogram.build()?);
    }
    if builder.track_task_schedule_latency {
        // Callbacks get the latency of each poll, even without a histogram.
        config = config.schedule_latency_sampling(Sampling::Every);
    }
    let registry = config.build(Clock(Instant::now()));
    registry.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Nanoseconds since the runtime was built.
#[derive(Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start(&self) -> Instant {
        self.0
    }
}

impl TimeSource for Clock {
    #[inline]
    fn now(&self) -> Timestamp {
        let elapsed = self.0.elapsed();
        // `as_nanos` computes in 128 bits.
        Timestamp::from_ticks(elapsed.as_secs() * NANOS_PER_SECOND + u64::from(elapsed.subsec_nanos()))
    }

    fn ticks_per_second(&self) -> u64 {
        NANOS_PER_SECOND
    }

    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }
}
