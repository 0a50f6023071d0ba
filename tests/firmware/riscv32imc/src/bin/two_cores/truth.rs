//! What the cores count themselves, with loads and stores alone, and the comparison of the metrics with it.

use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::{Acquire, Release};

use metrics_core::{LocationId, PollStart, RuntimeMetrics, Snapshot, TaskEnd, WakeStamp, WorkerSnapshot};

use crate::cores::{CORES, Count};
use crate::{ALL, METRICS, Storage, Worker};

/// How often a main loop or an interrupt handler has begun to count with many writers, and has done so.
pub struct Context {
    begun: Count,
    done: Count,
}

impl Context {
    pub const fn new() -> Self {
        Self {
            begun: Count::new(),
            done: Count::new(),
        }
    }

    /// Increments each of three counters with many writers.
    pub fn record(&self) {
        self.begun.add_one();
        let shared = METRICS.shared();
        shared.remote_schedule();
        shared.task_spawned();
        shared.task_ended(TaskEnd::Completed);
        self.done.add_one();
    }

    pub fn done(&self) -> u32 {
        self.done.get()
    }
}

/// A task that one context wakes and one core polls.
pub struct Task {
    spawn_location: u32,
    stamp: WakeStamp,
    is_queued: AtomicBool,
    wakes: Count,
    polls: Count,
}

impl Task {
    pub const fn new(spawn_location: u32) -> Self {
        Self {
            spawn_location,
            stamp: WakeStamp::new(),
            is_queued: AtomicBool::new(false),
            wakes: Count::new(),
            polls: Count::new(),
        }
    }

    /// Queues the task, unless it is queued. Its stamp is marked first, as `WakeStamp` requires.
    pub fn wake(&self) {
        // Ordering: acquire and release, pair with those in `poll_if_queued`.
        if !self.is_queued.load(Acquire) {
            METRICS.stamp(&self.stamp);
            self.wakes.add_one();
            self.is_queued.store(true, Release);
        }
    }

    pub fn poll_if_queued(&self, worker: Worker) {
        // Ordering: as in `wake`.
        if self.is_queued.load(Acquire) {
            let scheduled_at = self.stamp.take();
            self.is_queued.store(false, Release);
            // The wake may be later than the last hook, so the poll must not start at that time.
            worker.discard_last_timestamp();
            worker.start_poll(PollStart {
                scheduled_at,
                spawn_location: LocationId::from_u32(self.spawn_location),
            });
            self.polls.add_one();
            worker.end_poll();
        }
    }
}

/// Takes snapshots while the cores record.
pub struct Reader {
    snapshot: Snapshot<Storage>,
    polls: [u64; CORES],
    pub snapshots: u32,
    /// Readings of a worker, in all snapshots, that found it writing at every attempt.
    pub stale: u32,
    /// Snapshots with a count that was never the right one.
    pub wrong: u32,
}

impl Reader {
    pub const fn new() -> Self {
        Self {
            snapshot: Snapshot::EMPTY,
            polls: [0; CORES],
            snapshots: 0,
            stale: 0,
            wrong: 0,
        }
    }

    /// Takes a snapshot. Nothing in it may be torn, and no count may go back.
    pub fn read(&mut self) {
        let done = sum(|context| &context.done);
        RuntimeMetrics::new(&METRICS).snapshot_into(&mut self.snapshot);
        let possible = done..=sum(|context| &context.begun);
        let is_right = self.counts().iter().all(|count| possible.contains(count));
        self.snapshots += 1;
        self.wrong += u32::from(!is_right);
        for (worker, last) in self.snapshot.workers().iter().zip(&mut self.polls) {
            self.stale += u32::from(worker.staleness().is_some());
            if let Some([polls, times, latencies]) = polls(worker) {
                assert_eq!(times, polls, "a torn reading");
                assert!((polls..=polls + 1).contains(&latencies), "a torn reading");
                assert!(polls >= *last, "a count went back");
                *last = polls;
            }
        }
    }

    /// Takes a snapshot while nothing is recorded, compares the numbers of the workers, and returns how many counts with many writers are
    /// lost, and how many there should be.
    pub fn compare(&mut self, rounds: u32) -> (u64, u64) {
        self.read();
        for (core, worker) in ALL.iter().zip(self.snapshot.workers()) {
            let counted: u32 = core.tasks().iter().map(|task| task.polls.get()).sum();
            let woken: u32 = core.tasks().iter().map(|task| task.wakes.get()).sum();
            assert_eq!(counted, woken, "each wake leads to one poll");
            assert_eq!(polls(worker), Some([u64::from(counted); 3]));
            assert_eq!(worker.park_count(), Some(u64::from(rounds)));
            assert_eq!(worker.park_unpark_count(), Some(2 * u64::from(rounds)));
        }
        let expected = sum(|context| &context.done);
        let counts = self.counts();
        let lost = counts.iter().map(|count| count.abs_diff(expected)).sum();
        (lost, expected * counts.len() as u64)
    }

    /// The counters with many writers.
    fn counts(&self) -> [u64; 3] {
        let tasks = self.snapshot.tasks().expect("task counts");
        let remote_schedules = self.snapshot.remote_schedule_count().expect("remote schedules");
        [remote_schedules, tasks.spawned, tasks.completed]
    }
}

/// A worker's polls, their durations and their latencies, each as it was counted.
fn polls(worker: &WorkerSnapshot<Storage>) -> Option<[u64; 3]> {
    Some([
        worker.poll_count()?,
        worker.poll_time()?.histogram().count(),
        worker.schedule_latency()?.histogram().count(),
    ])
}

fn sum(count: impl Fn(&Context) -> &Count) -> u64 {
    ALL.iter()
        .flat_map(|core| [&core.main, &core.interrupt])
        .map(|context| u64::from(count(context).get()))
        .sum()
}
