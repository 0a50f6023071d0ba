//! A worker and a reader on two web workers that share the memory of one module: `cargo xtask wasm --test threads` runs them.

#![allow(clippy::missing_errors_doc, reason = "the test prints every error")]

use core::hint;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::time::Duration;
use std::sync::{Arc, LazyLock};

use metrics_core::{
    Builder, HeapStorage, HistogramConfig, MetricSet, PollStart, Registry, RuntimeMetrics, Snapshot, TaskEnd,
    TimeSource, Timestamp, Worker, WorkerNumber,
};
use wasm_bindgen::prelude::wasm_bindgen;

const POLLS_OF_A_TURN: u64 = 7;

/// Every timestamp is one step later than the one before, on any thread.
#[derive(Default)]
struct Steps(AtomicU32);

impl TimeSource for Steps {
    fn now(&self) -> Timestamp {
        // Ordering: a step depends on no other memory.
        Timestamp::from_ticks(self.0.fetch_add(1, Ordering::Relaxed).into())
    }

    fn ticks_per_second(&self) -> u64 {
        1_000_000_000
    }

    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }
}

/// In the memory that the threads share.
static REGISTRY: LazyLock<Result<Arc<Registry<HeapStorage, Steps>>, String>> = LazyLock::new(|| {
    Builder::new()
        .measures(MetricSet::ALL)
        .workers(1)
        .poll_time(HistogramConfig::DEFAULT)
        .build(Steps::default())
        .map_err(|error| error.to_string())
});

/// Whether the reader has started.
static READS: AtomicBool = AtomicBool::new(false);

fn registry() -> Result<Arc<Registry<HeapStorage, Steps>>, String> {
    REGISTRY.clone()
}

/// Waits for the reader, and records `turns` turns of seven polls, each submitted at its park.
#[wasm_bindgen]
pub fn record(turns: u32) -> Result<(), String> {
    let worker = Worker::lease(registry()?, 0).map_err(|error| error.to_string())?;
    // Ordering: no memory depends on it. It only makes both run at the same time.
    while !READS.load(Ordering::Relaxed) {
        hint::spin_loop();
    }
    for _ in 0..turns {
        worker.start_processing_scheduled_tasks();
        for _ in 0..POLLS_OF_A_TURN {
            worker.task_spawned();
            worker.start_poll(PollStart::default());
            worker.end_poll();
            worker.task_ended(TaskEnd::Completed);
        }
        worker.end_processing_scheduled_tasks();
        worker.park();
        worker.unpark();
    }
    Ok(())
}

/// Reads snapshots until the parks of `turns` turns are in one, and checks each. Returns how many different states it saw.
#[wasm_bindgen]
pub fn read(turns: u32) -> Result<u32, String> {
    let metrics = RuntimeMetrics::new(registry()?);
    let mut reader = metrics.reader();
    let mut seen = [0; 2];
    let mut states = 0;
    // Ordering: see `record`.
    READS.store(true, Ordering::Relaxed);
    loop {
        let now = polls_and_parks(reader.read())?;
        if now.iter().zip(&seen).any(|(now, before)| now < before) {
            return Err(format!("counters went from {seen:?} to {now:?}"));
        }
        states += u32::from(now != seen);
        seen = now;
        if seen[1] >= u64::from(turns) {
            return Ok(states);
        }
    }
}

/// Returns the polls after all threads have ended.
#[wasm_bindgen]
pub fn polls() -> Result<u64, String> {
    Ok(polls_and_parks(&RuntimeMetrics::new(registry()?).snapshot())?[0])
}

/// Returns the two counters, or an error if the state of the worker is not that of one submit.
fn polls_and_parks(snapshot: &Snapshot<HeapStorage>) -> Result<[u64; 2], String> {
    let Some(worker) = snapshot.worker(0) else {
        return Ok([0; 2]);
    };
    let counter = |number| worker.counter(number);
    let Some((polls, parks)) = counter(WorkerNumber::PollCount).zip(counter(WorkerNumber::ParkCount)) else {
        return Ok([0; 2]);
    };
    let Some(poll_time) = worker.poll_time() else {
        return Err(format!("{polls} polls without a histogram"));
    };
    let histogram = poll_time.histogram();
    let sum: u64 = histogram.buckets().iter().sum();
    let is_whole = histogram.count() == polls
        && sum == polls
        && poll_time.polls() == polls
        && histogram.sum() >= polls
        && polls >= parks * POLLS_OF_A_TURN;
    if !is_whole {
        let count = histogram.count();
        return Err(format!(
            "torn: {polls} polls, {parks} parks, {count} samples, {sum} in buckets"
        ));
    }
    let ends = snapshot.completed_tasks_count();
    if ends > snapshot.spawned_tasks_count() {
        return Err("more tasks ended than were spawned".to_owned());
    }
    Ok([polls, parks])
}
