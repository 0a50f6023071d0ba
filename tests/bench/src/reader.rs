//! A busy worker that is read a thousand times per second, or not at all.

use crate::harness::{Build, Measured, Named, side, timed};
use crate::ours::{LAYOUT, Shared};
use metrics_core::{Builder, LocationId, MetricSet, PollStart, RuntimeMetrics, Worker};
use metrics_std::Clock;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Both sides.
pub(crate) const SIDES: &[Named] = &[side("reader/read", READ), side("reader/unread", UNREAD)];

const PERIOD: Duration = Duration::from_millis(1);

fn worker() -> Worker<Shared<Clock>> {
    let registry = Builder::new()
        .measures(MetricSet::ALL)
        .workers(1)
        .poll_time(LAYOUT)
        .schedule_latency(LAYOUT)
        .build(Clock::new())
        .expect("a valid configuration");
    let worker = Worker::lease(registry, 0).expect("a free slot");
    worker.unpark();
    worker.start_processing_scheduled_tasks();
    worker
}

/// About 40 ns from one poll to the next: hooks, a clock reading and a little arithmetic.
fn polls(worker: &Worker<Shared<Clock>>, ops: u64) {
    for i in 0..ops {
        worker.start_poll(PollStart {
            scheduled_at: None,
            spawn_location: LocationId::UNKNOWN,
        });
        let mut hash = i;
        for _ in 0..12 {
            hash = black_box(hash.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (hash >> 29));
        }
        worker.end_poll();
    }
}

const UNREAD: Build = || {
    let worker = worker();
    Box::new(move |ops: u64| -> Measured { timed(ops, || polls(&worker, ops)) })
};

const READ: Build = || {
    let worker = worker();
    Box::new(move |ops: u64| -> Measured {
        let stop = Arc::new(AtomicBool::new(false));
        let reader = {
            let (stop, metrics) = (Arc::clone(&stop), RuntimeMetrics::new(worker.registry().clone()));
            thread::spawn(move || read(&metrics, &stop))
        };
        let measured = timed(ops, || polls(&worker, ops));
        // Ordering: relaxed: the join below orders all accesses.
        stop.store(true, Ordering::Relaxed);
        let (reads, fresh) = reader.join().expect("the reader does not panic");
        let share = f64::from(fresh) / f64::from(reads.max(1));
        Measured {
            extras: vec![("fresh", share), ("reads", f64::from(reads))],
            ..measured
        }
    })
};

/// Reads every millisecond until it is stopped. Returns the number of reads, and how many of them were fresh.
fn read(metrics: &RuntimeMetrics<Shared<Clock>>, stop: &AtomicBool) -> (u32, u32) {
    let mut reader = metrics.reader();
    let (mut reads, mut fresh) = (0, 0);
    let mut due = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let snapshot = reader.read();
        reads += 1;
        let stale = snapshot
            .worker(0)
            .is_none_or(|worker| worker.staleness().is_some());
        fresh += u32::from(!stale);
        due += PERIOD;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    (reads, fresh)
}
