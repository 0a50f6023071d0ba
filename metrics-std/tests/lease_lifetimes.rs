//! The slots that a thread leases, and when it gives them back.
#![allow(missing_docs)]

use core::cell::RefCell;
use core::future::{Future, Ready, ready};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use metrics_mock::ManualClock;
use metrics_std::{
    Builder, Clock, HistogramConfig, Measured, MetricSet, NoProbe, PollStart, RuntimeHandles, RuntimeMetrics,
    WorkerState, build, build_wrapped, enter,
};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

fn timed() -> Builder<'static> {
    Builder::new()
        .measures(MetricSet::ALL)
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT)
}

fn wrapped() -> RuntimeMetrics {
    build_wrapped(timed(), Clock::custom(ManualClock::new())).unwrap()
}

fn poll_once(future: impl Future) -> Poll<()> {
    pin!(future)
        .poll(&mut Context::from_waker(Waker::noop()))
        .map(drop)
}

fn poll_a_task_of(metrics: &RuntimeMetrics) {
    assert!(poll_once(Measured::task(metrics, async {})).is_ready());
}

#[test]
fn a_thread_that_ends_leaves_its_row_to_the_next() {
    let metrics = wrapped();
    for _ in 0..2 {
        thread::scope(|scope| scope.spawn(|| poll_a_task_of(&metrics)).join().unwrap());
    }
    let snapshot = metrics.snapshot();
    let polls: Vec<_> = snapshot
        .workers()
        .iter()
        .map(metrics_core::WorkerSnapshot::poll_count)
        .collect();
    assert_eq!(polls, [Some(2)]);
}

#[test]
fn an_entered_worker_is_the_one_that_wrappers_use() {
    let clock = Clock::custom(ManualClock::new());
    let RuntimeHandles { metrics, mut workers } =
        build(timed().name("mine").workers(2), clock, NoProbe).unwrap();
    assert_eq!(workers.len(), 2);
    let worker = enter(workers.remove(1));

    // Between the runtime's own polls a wrapper is a task.
    poll_a_task_of(&metrics);
    // Inside one it is nested: the runtime counts the poll itself.
    worker.start_poll(PollStart::default());
    poll_a_task_of(&metrics);
    worker.end_poll();
    assert_eq!(
        metrics.worker_poll_count(1).unwrap(),
        Some(0),
        "only the runtime's hooks and the interval submit"
    );
    worker.submit();
    assert_eq!(metrics.worker_poll_count(1).unwrap(), Some(2));
    assert_eq!(metrics.worker_nested_polls(1).unwrap(), Some(1));
    assert_eq!(metrics.worker_poll_count(0).unwrap(), Some(0));

    // Once the worker is given back, the thread leases a slot like any other.
    drop(worker);
    poll_a_task_of(&metrics);
    assert_eq!(metrics.poll_count().unwrap(), Some(3));
}

#[test]
fn the_busy_time_of_an_entered_worker_ends_with_its_guard() {
    let clock = Arc::new(ManualClock::new());
    let RuntimeHandles { metrics, mut workers } =
        build(timed(), Clock::custom(Arc::clone(&clock)), NoProbe).unwrap();
    let worker = enter(workers.remove(0));
    worker.start_processing_scheduled_tasks();
    clock.advance(Duration::from_millis(5));
    drop(worker);
    clock.advance(Duration::from_millis(5));
    assert_eq!(
        metrics.worker_total_busy_duration(0).unwrap(),
        Some(Duration::from_millis(5))
    );
}

#[test]
fn a_root_future_inside_another_poll_is_counted_and_not_shown() {
    let metrics = wrapped();
    let polls_a_root = async || {
        let live = || metrics.live_threads().next().unwrap().live;
        let before = live();
        assert_eq!(before.state, WorkerState::Polling);
        assert!(poll_once(Measured::root(&metrics, async {})).is_ready());
        assert_eq!(
            (live().state, live().spawn_location),
            (before.state, before.spawn_location)
        );
    };
    assert!(poll_once(Measured::task(&metrics, polls_a_root())).is_ready());
    assert!(poll_once(Measured::root(&metrics, polls_a_root())).is_ready());
    assert_eq!(metrics.root_polls().unwrap(), Some(3));
}

#[test]
fn an_entered_worker_stays_whatever_other_registry_goes() {
    let RuntimeHandles { metrics, mut workers } =
        build(timed(), Clock::custom(ManualClock::new()), NoProbe).unwrap();
    let _entered = enter(workers.remove(0));
    let task = Measured::task(&metrics, async {});
    let registry = Arc::downgrade(metrics.registry());
    drop(metrics);
    // A registry is gone, and this thread sees it at its next poll.
    poll_a_task_of(&wrapped());
    poll_a_task_of(&wrapped());
    assert!(poll_once(task).is_ready());
    let metrics = metrics_core::RuntimeMetrics::new(registry.upgrade().unwrap());
    assert_eq!(metrics.live_threads().count(), 1, "it leased no second slot");
    assert_eq!(metrics.snapshot().workers().len(), 1);
}

#[test]
fn a_thread_keeps_its_slot_in_an_owned_registry_when_another_goes() {
    let owned = wrapped();
    poll_a_task_of(&owned);
    assert_eq!(owned.live_threads().count(), 1);
    let gone = wrapped();
    poll_a_task_of(&gone);
    let registry = Arc::downgrade(gone.registry());
    drop(gone);
    // The next poll finds that a registry has lost its last owner.
    poll_a_task_of(&wrapped());
    assert_eq!(registry.strong_count(), 0);
    assert_eq!(owned.live_threads().count(), 1);
}

/// The number of leases that a thread keeps if nothing ends them.
const MOST_KEPT: usize = 4;

#[test]
fn a_thread_gives_back_the_oldest_of_too_many_slots_that_is_in_no_poll() {
    let clock = Clock::custom(ManualClock::new());
    let RuntimeHandles { metrics, mut workers } = build(timed(), clock, NoProbe).unwrap();
    let _entered = enter(workers.remove(0));
    let registries: [RuntimeMetrics; MOST_KEPT + 3] = core::array::from_fn(|_| wrapped());
    let held = |metrics: &RuntimeMetrics| metrics.live_threads().count();
    let [first, others @ ..] = &registries;
    let outer = Measured::task(first, async {
        for (number, registry) in (2..).zip(others) {
            poll_a_task_of(registry);
            let kept: usize = registries.iter().map(held).sum();
            assert_eq!(kept, number.min(MOST_KEPT));
        }
        // The slot of the poll in progress, and the latest ones.
        let kept = registries.each_ref().map(held);
        assert_eq!(kept, [1, 0, 0, 0, 1, 1, 1]);
    });
    assert!(poll_once(outer).is_ready());
    assert_eq!(held(&metrics), 1, "its guard gives it back");
}

#[test]
fn every_thread_forgets_a_registry_that_nobody_wants_any_more() {
    const THREADS: usize = 3;
    let (gone, stays) = (wrapped(), wrapped());
    let registry = Arc::downgrade(gone.registry());
    let gone = Mutex::new(Some(gone));
    let turn = Barrier::new(THREADS);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (gone, stays, turn, registry) = (&gone, &stays, &turn, &registry);
            scope.spawn(move || {
                poll_a_task_of(gone.lock().unwrap().as_ref().unwrap());
                poll_a_task_of(stays);
                turn.wait();
                let mut held = 0;
                if number == 0 {
                    *gone.lock().unwrap() = None;
                    held = registry.strong_count();
                }
                turn.wait();
                // The slot of this one it has already: nothing is leased.
                poll_a_task_of(stays);
                turn.wait();
                // Nothing is asserted before the last wait: the other threads would wait for this one.
                assert_eq!(held % THREADS, 0, "each of them had a slot");
                assert_eq!(registry.strong_count(), 0);
            });
        }
    });
    assert_eq!(stays.poll_count().unwrap(), Some(2 * THREADS as u64));
    assert_eq!(stays.snapshot().workers().len(), THREADS);
}

/// One task inside another.
type Nested = Measured<Measured<Ready<()>>>;

/// Polls them from a thread-local's destructor.
struct PollsWhenDropped(RefCell<Vec<Nested>>);

impl Drop for PollsWhenDropped {
    fn drop(&mut self) {
        for task in self.0.take() {
            assert!(poll_once(task).is_ready());
        }
    }
}

thread_local! {
    static LAST: PollsWhenDropped = const { PollsWhenDropped(RefCell::new(Vec::new())) };
}

/// The order in which thread-locals go is the platform's, so both orders of first use are tried: in one of them our own
/// are gone before the polls.
#[test]
fn polls_on_threads_that_are_ending_are_recorded_in_one_row_or_another() {
    let metrics = wrapped();
    for ours_first in [true, false] {
        let metrics = metrics.clone();
        thread::spawn(move || {
            let leave = || {
                let task = || Measured::task(&metrics, Measured::task(&metrics, ready(())));
                LAST.with(|last| *last.0.borrow_mut() = vec![task(), task()]);
            };
            if !ours_first {
                LAST.with(|_| ());
            }
            poll_a_task_of(&metrics);
            leave();
        })
        .join()
        .unwrap();
    }
    assert_eq!(metrics.poll_count().unwrap(), Some(6));
    assert_eq!(
        metrics.nested_polls().unwrap(),
        Some(4),
        "of two wrappers the outer one counts"
    );
    assert_eq!(metrics.completed_tasks_count(), Some(10));
    let snapshot = metrics.snapshot();
    let total = snapshot.total();
    let samples = [total.poll_time(), total.schedule_latency()].map(|reading| reading.unwrap().samples());
    assert_eq!(samples, [6, 6]);
    // On Windows, ours go last in either order.
    if cfg!(windows) {
        return assert!(snapshot.external().is_none());
    }
    let external = snapshot.external().unwrap();
    assert_eq!(
        (external.poll_count(), external.nested_polls()),
        (Some(2), Some(2))
    );
}

#[test]
fn a_slot_stays_as_long_as_a_poll_goes_on_in_it() {
    let RuntimeHandles { metrics, mut workers } = build(
        Builder::new().measures(MetricSet::ALL).workers(1),
        Clock::new(),
        NoProbe,
    )
    .unwrap();
    let other = build(
        Builder::new().measures(MetricSet::ALL).workers(1),
        Clock::new(),
        NoProbe,
    )
    .unwrap()
    .metrics;
    let worker = workers.remove(0);
    // Both futures hold the registry through the worker that was entered when they were created, which no longer exists.
    let outer = thread::scope(|scope| {
        let made = scope.spawn(|| {
            let entered = enter(worker);
            let inner = Measured::task(&metrics, async {});
            let outer = Measured::task(&metrics, async move {
                // Another registry without an owner makes every thread check for such slots.
                drop(other);
                inner.await;
            });
            drop(entered);
            outer
        });
        made.join().unwrap()
    });
    futures::executor::block_on(outer);
    assert_eq!(metrics.poll_count().unwrap(), Some(1));
    assert_eq!(metrics.nested_polls().unwrap(), Some(1));
}
