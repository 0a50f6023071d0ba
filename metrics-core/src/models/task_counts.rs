//! Spawns and ends: the number of alive tasks is never negative, wherever a task begins and ends.

use super::explore;
use crate::cell::{OwnedCounter, SharedCounter};
use crate::sync::{AtomicU32, Ordering, thread};
use crate::{Builder, MetricSet, NoClock, TaskEnd, Worker};
use alloc::sync::Arc;

/// One worker spawns tasks and another ends them, while a reader counts.
fn alive_is_never_negative(
    spawn: impl Fn(&Worker<Arc<crate::Registry<crate::HeapStorage, NoClock>>>) + Send + Sync + Copy + 'static,
) {
    explore(2, move || {
        let registry = Builder::new()
            .measures(MetricSet::ALL)
            .workers(2)
            .build(NoClock)
            .unwrap();
        let spawner = Worker::lease(Arc::clone(&registry), 0).unwrap();
        let ender = Worker::lease(Arc::clone(&registry), 1).unwrap();
        // A task reaches another worker through a queue, whose push happens before its pop.
        let queue = Arc::new(AtomicU32::new(0));
        let pushes = Arc::clone(&queue);
        let spawner = thread::spawn(move || {
            for n in 1..=2 {
                spawn(&spawner);
                pushes.store(n, Ordering::Release);
            }
            spawner
        });
        let ender = thread::spawn(move || {
            for _ in 0..queue.load(Ordering::Acquire) {
                ender.task_ended(TaskEnd::Completed);
            }
            ender
        });
        let counts = registry.sum_tasks();
        assert!(counts.spawned >= counts.completed, "{counts:?}");
        drop((spawner.join().unwrap(), ender.join().unwrap()));
        assert_eq!(registry.sum_tasks().spawned, 2);
    });
}

#[test]
fn spawned_on_a_worker() {
    alive_is_never_negative(Worker::task_spawned);
}

#[test]
fn spawned_on_no_worker() {
    alive_is_never_negative(|worker| worker.registry().shared().task_spawned());
}

/// A slot is read from its lease on: a reader that sees the end of a task that was spawned there also reads the spawn.
#[test]
fn spawned_on_a_worker_that_was_just_leased() {
    explore(2, || {
        let registry = Builder::new()
            .measures(MetricSet::ALL)
            .workers(2)
            .build(NoClock)
            .unwrap();
        let ender = Worker::lease(Arc::clone(&registry), 0).unwrap();
        let queue = Arc::new(AtomicU32::new(0));
        let (pushes, leases) = (Arc::clone(&queue), Arc::clone(&registry));
        let spawner = thread::spawn(move || {
            let spawner = Worker::lease(leases, 1).unwrap();
            spawner.task_spawned();
            pushes.store(1, Ordering::Release);
            spawner
        });
        let ender = thread::spawn(move || {
            if queue.load(Ordering::Acquire) == 1 {
                ender.task_ended(TaskEnd::Completed);
            }
            ender
        });
        let counts = registry.sum_tasks();
        assert!(counts.spawned >= counts.completed, "{counts:?}");
        drop((spawner.join().unwrap(), ender.join().unwrap()));
        assert_eq!(registry.sum_tasks().spawned, 1);
    });
}

#[test]
fn a_counter_never_goes_back_across_its_half() {
    explore(3, || {
        let start = u64::from(u32::MAX) - 1;
        let counter = Arc::new(OwnedCounter::starting_at(start));
        let worker = Arc::clone(&counter);
        let worker = thread::spawn(move || {
            for _ in 0..3 {
                worker.increment_release();
            }
        });
        let mut last = start;
        for _ in 0..2 {
            let now = counter.load_acquire();
            assert!((last..=start + 3).contains(&now), "{now:#x} after {last:#x}");
            last = now;
        }
        worker.join().unwrap();
        assert_eq!(counter.load_acquire(), start + 3);
    });
}

#[test]
fn a_counter_with_many_writers_never_goes_back_across_its_half() {
    explore(3, || {
        let start = (1 << 31) - 1;
        let counter = Arc::new(SharedCounter::new());
        counter.set(start as u32, 0);
        let writers: [_; 2] = core::array::from_fn(|_| {
            let counter = Arc::clone(&counter);
            thread::spawn(move || counter.increment_release())
        });
        let mut last = start;
        for _ in 0..2 {
            let now = counter.load_acquire().unwrap();
            assert!((last..=start + 2).contains(&now), "{now:#x} after {last:#x}");
            last = now;
        }
        for writer in writers {
            writer.join().unwrap();
        }
        assert_eq!(counter.load_acquire(), Some(start + 2));
    });
}
