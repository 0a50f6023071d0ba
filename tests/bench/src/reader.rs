//! A busy worker that is read a thousand times per second, whose flight recorder is copied a hundred times per second, or that is not
//! read at all.

use crate::harness::{Build, Measured, Named, Side, side, timed};
use crate::ours::{LAYOUT, Shared};
use metrics_core::{Builder, LocationId, MetricSet, PollStart, RuntimeMetrics, Worker};
use metrics_std::Clock;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Every side.
pub(crate) const SIDES: &[Named] = &[
    side("reader/read", READ),
    side("reader/unread", UNREAD),
    side("reader/copied", COPIED),
    side("reader/not-copied", NOT_COPIED),
];

fn builder() -> Builder<'static> {
    Builder::new()
        .measures(MetricSet::ALL)
        .workers(1)
        .poll_time(LAYOUT)
        .schedule_latency(LAYOUT)
}

/// Every poll is an event: none is folded.
fn recorded() -> Builder<'static> {
    builder()
        .locations(64)
        .flight_recorder(4_095)
        .flight_recorder_threshold(Duration::ZERO)
}

fn worker(builder: &Builder<'_>) -> Worker<Shared<Clock>> {
    let registry = builder.build(Clock::new()).expect("a valid configuration");
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
            spawn_location: LocationId::from_u32(1 + i as u32 % 16),
        });
        let mut hash = i;
        for _ in 0..12 {
            hash = black_box(hash.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (hash >> 29));
        }
        worker.end_poll();
    }
}

fn unread(worker: Worker<Shared<Clock>>) -> Box<dyn Side> {
    Box::new(move |ops: u64| -> Measured { timed(ops, || polls(&worker, ops)) })
}

/// The worker polls while another thread calls `read` until it is stopped. `read` returns the number of its reads, and how many of them
/// were fresh.
fn read_meanwhile(
    worker: Worker<Shared<Clock>>,
    read: fn(&RuntimeMetrics<Shared<Clock>>, &AtomicBool) -> (u32, u32),
) -> Box<dyn Side> {
    Box::new(move |ops: u64| -> Measured {
        let stop = Arc::new(AtomicBool::new(false));
        let reader = {
            let (stop, metrics) = (Arc::clone(&stop), RuntimeMetrics::new(worker.registry().clone()));
            thread::spawn(move || read(&metrics, &stop))
        };
        let measured = timed(ops, || polls(&worker, ops));
        // Ordering: relaxed: the join below orders all accesses.
        stop.store(true, Ordering::Relaxed);
        reader.thread().unpark();
        let (reads, fresh) = reader.join().expect("the reader does not panic");
        let share = f64::from(fresh) / f64::from(reads.max(1));
        Measured {
            extras: vec![("fresh", share), ("reads", f64::from(reads))],
            ..measured
        }
    })
}

const UNREAD: Build = || unread(worker(&builder()));
const NOT_COPIED: Build = || unread(worker(&recorded()));
const READ: Build = || read_meanwhile(worker(&builder()), read);
const COPIED: Build = || read_meanwhile(worker(&recorded()), copy);

/// Reads every millisecond until it is stopped.
fn read(metrics: &RuntimeMetrics<Shared<Clock>>, stop: &AtomicBool) -> (u32, u32) {
    let mut reader = metrics.reader();
    every(Duration::from_millis(1), stop, || {
        let snapshot = reader.read();
        snapshot
            .worker(0)
            .is_some_and(|worker| worker.staleness().is_none())
    })
}

/// Copies the flight recorder every 10 milliseconds until it is stopped. A copy with events is fresh.
fn copy(metrics: &RuntimeMetrics<Shared<Clock>>, stop: &AtomicBool) -> (u32, u32) {
    every(Duration::from_millis(10), stop, || {
        let copy = black_box(metrics.flight_recording());
        copy.is_some_and(|copy| copy.threads.iter().any(|thread| thread.events().next().is_some()))
    })
}

fn every(period: Duration, stop: &AtomicBool, mut read: impl FnMut() -> bool) -> (u32, u32) {
    let (mut reads, mut fresh) = (0, 0);
    let mut due = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        reads += 1;
        fresh += u32::from(read());
        due += period;
        thread::park_timeout(due.saturating_duration_since(Instant::now()));
    }
    (reads, fresh)
}
