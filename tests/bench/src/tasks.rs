//! The cost of spawning and finishing tasks on one worker, and on each of two workers at the same time.

use crate::harness::{Build, Measured, Named, Side, side, timed};
use crate::ours::{LAYOUT, SetClock, Shared, registry};
use metrics_core::{TaskEnd, Worker};
use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// Every side.
pub(crate) const SIDES: &[Named] = &[
    side("tasks/one-thread", ONE),
    side("tasks/two-threads", TWO),
    side("tasks/two-apart", TWO_APART),
];

type Workers = [Worker<Shared<SetClock>>; 2];

fn workers() -> Workers {
    let registry = registry(SetClock::default(), 2, LAYOUT);
    [0, 1].map(|i| Worker::lease(registry.clone(), i).expect("a free slot"))
}

/// Two runtimes that share nothing.
fn workers_apart() -> Workers {
    [0, 1].map(|_| {
        let registry = registry(SetClock::default(), 1, LAYOUT);
        Worker::lease(registry, 0).expect("a free slot")
    })
}

fn tasks(worker: &Worker<Shared<SetClock>>, ops: u64) {
    for _ in 0..ops {
        black_box(worker).task_spawned();
        black_box(worker).task_ended(TaskEnd::Completed);
    }
}

const ONE: Build = || {
    let [worker, _other] = workers();
    Box::new(move |ops: u64| -> Measured { timed(ops, || tasks(&worker, ops)) })
};

const TWO: Build = || two_threads(workers());
/// The effect of the machine on any two threads.
const TWO_APART: Build = || two_threads(workers_apart());

/// Returns the longer of the two threads' times, from the moment at which both have started.
fn two_threads(mut workers: Workers) -> Box<dyn Side> {
    Box::new(move |ops: u64| -> Measured {
        let start = Barrier::new(2);
        let elapsed = thread::scope(|scope| {
            let running = workers.each_mut().map(|worker| {
                let start = &start;
                scope.spawn(move || -> Duration {
                    start.wait();
                    let begun = Instant::now();
                    tasks(worker, ops);
                    begun.elapsed()
                })
            });
            running
                .into_iter()
                .map(|thread| thread.join().expect("no panic"))
                .max()
                .unwrap_or_default()
        });
        Measured {
            ops,
            elapsed,
            cpu: None,
            extras: Vec::new(),
        }
    })
}
