//! Copies the full rings of four workers, and computes from the copy which polls made others wait.

use crate::harness::{Build, Measured, Named, slow_side, timed};
use crate::ours::{LAYOUT, SetClock, Shared};
use crate::values::poll_times;
use metrics_core::{Builder, LocationId, MetricSet, PollStart, RuntimeMetrics, Timestamp, Worker};
use std::hint::black_box;

/// Both sides.
pub(crate) const SIDES: &[Named] = &[slow_side("flight/copy", COPY), slow_side("flight/blame", BLAME)];

const WORKERS: usize = 4;
const EVENTS: usize = 4_095;
/// Every poll waited for the polls of this many before it, as under load.
const QUEUE: u64 = 100;

/// Metrics whose workers have filled their rings with polls of 16 locations.
fn metrics() -> RuntimeMetrics<Shared<SetClock>> {
    let registry = Builder::new()
        .measures(MetricSet::ALL)
        .workers(WORKERS)
        .poll_time(LAYOUT)
        .schedule_latency(LAYOUT)
        .flight_recorder(EVENTS)
        .build(SetClock::default())
        .expect("a valid configuration");
    let times = poll_times();
    for index in 0..WORKERS {
        let worker = Worker::lease(registry.clone(), index).expect("a free slot");
        worker.start_processing_scheduled_tasks();
        for (poll, &time) in times.iter().cycle().take(2 * EVENTS).enumerate() {
            let now = worker.now().ticks();
            worker.start_poll(PollStart {
                scheduled_at: Some(Timestamp::from_ticks(now.saturating_sub(QUEUE * 1_000))),
                spawn_location: LocationId::from_u32(1 + poll as u32 % 16),
            });
            worker.registry().clock().advance(time);
            worker.end_poll();
        }
    }
    RuntimeMetrics::new(registry)
}

const COPY: Build = || {
    let metrics = metrics();
    Box::new(move |ops: u64| -> Measured {
        timed(ops, || {
            for _ in 0..ops {
                black_box(metrics.flight_recording());
            }
        })
    })
};

const BLAME: Build = || {
    let recording = metrics().flight_recording().expect("a recorder");
    Box::new(move |ops: u64| -> Measured {
        timed(ops, || {
            for _ in 0..ops {
                black_box(black_box(&recording).blame());
            }
        })
    })
};
