//! The executor of smol whose tasks and workers are measured.
#![allow(missing_docs)]
#![cfg(feature = "record")]

use core::cell::Cell;
use core::future::{Future, pending, poll_fn, ready};
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use metrics_mock::ManualClock;
use metrics_std::smol::{Executor, LocalExecutor, spawn};
use metrics_std::{Builder, Clock, HistogramConfig, WorkerState};
use std::rc::Rc;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Instant;

fn executor() -> (Arc<ManualClock>, Executor) {
    let clock = Arc::new(ManualClock::new());
    let builder = Builder::new()
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT);
    let executor = Executor::new(builder, Clock::custom(Arc::clone(&clock))).unwrap();
    (clock, executor)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn is_ready(future: Pin<&mut impl Future>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[test]
fn tasks_are_measured_wherever_they_are_spawned() {
    let (clock, executor) = executor();
    let metrics = executor.metrics();
    let work = |millis_of_poll| {
        let clock = Arc::clone(&clock);
        async move { clock.advance(millis(millis_of_poll)) }
    };
    let (first, second) = (work(3), work(4));
    futures::executor::block_on(executor.run(async {
        executor.spawn(first).await;
        // A task can spawn without the executor at hand.
        spawn(async { spawn(second).await }).await;
    }));
    assert_eq!(metrics.completed_tasks_count(), Some(3));
    assert_eq!(metrics.num_alive_tasks(), Some(0));
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.total().poll_time().unwrap().histogram().sum(), 7_000_000);
    assert!(metrics.root_polls().unwrap() > Some(0));
    assert!(executor.is_empty());
}

#[test]
fn a_worker_is_parked_while_the_executor_has_nothing_to_run() {
    let (clock, executor) = executor();
    let metrics = executor.metrics();
    assert_eq!(metrics.num_workers(), None, "no thread runs it");
    let mut run = pin!(executor.run(pending::<()>()));
    assert!(!is_ready(run.as_mut()));
    let numbers = || {
        let snapshot = metrics.snapshot();
        let worker = snapshot.worker(0).unwrap();
        let numbers = (
            worker.busy_duration_total(),
            worker.park_count(),
            worker.park_unpark_count(),
        );
        (worker.state(), numbers)
    };
    assert_eq!(metrics.num_workers(), Some(1));
    let parked = Some(WorkerState::Parked);
    assert_eq!(numbers(), (parked, (Some(Duration::ZERO), Some(1), Some(1))));
    clock.advance(millis(1_000));
    assert_eq!(numbers(), (parked, (Some(Duration::ZERO), Some(1), Some(1))));

    let inner = Arc::clone(&clock);
    executor.spawn(async move { inner.advance(millis(5)) }).detach();
    assert!(!is_ready(run.as_mut()));
    assert_eq!(numbers(), (parked, (Some(millis(5)), Some(2), Some(3))));
    let snapshot = metrics.snapshot();
    let total = snapshot.total();
    assert_eq!(total.poll_time().unwrap().histogram().sum(), 5_000_000);
    let known = (total.parked_duration_total(), total.polling_duration_total());
    assert_eq!(known, (Some(millis(1_000)), Some(millis(5))));
    let unknown = (total.searching_duration_total(), total.running_duration_total());
    assert_eq!(
        unknown,
        (None, None),
        "the executor does not report when it searches"
    );
}

#[test]
fn time_in_polls_and_parked_time_contain_what_the_test_measures_itself() {
    let builder = Builder::new().poll_time(HistogramConfig::DEFAULT);
    let executor = Executor::new(builder, Clock::instant()).unwrap();
    let began = Instant::now();
    let mut run = pin!(executor.run(pending::<()>()));
    assert!(!is_ready(run.as_mut()));
    let (mut computed, mut waited) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..3 {
        let task = executor.spawn(async {
            let start = Instant::now();
            while start.elapsed() < millis(2) {}
            start.elapsed()
        });
        assert!(!is_ready(run.as_mut()));
        let wait = Instant::now();
        computed += futures::executor::block_on(task);
        thread::sleep(millis(2));
        waited += wait.elapsed();
    }
    let snapshot = executor.metrics().snapshot();
    let elapsed = began.elapsed();
    let total = snapshot.total();
    let (polling, parked) = (total.polling_duration_total(), total.parked_duration_total());
    assert!(polling >= Some(computed), "{polling:?} of {computed:?}");
    assert!(parked >= Some(waited), "{parked:?} of {waited:?}");
    assert!(total.busy_duration_total() >= polling);
    let sum = parked.unwrap() + total.busy_duration_total().unwrap();
    assert!(sum <= elapsed, "{sum:?} of {elapsed:?}");
}

#[test]
fn a_thread_that_yields_does_not_park() {
    let (_, executor) = executor();
    let metrics = executor.metrics();
    let mut run = pin!(executor.run(pending::<()>()));
    assert!(!is_ready(run.as_mut()));
    // The executor yields to its thread after some hundred polls.
    let always = poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    });
    let task = executor.spawn(always);
    for _ in 0..10 {
        assert!(!is_ready(run.as_mut()));
    }
    assert_eq!(metrics.park_count(), Ok(Some(1)), "only before there was a task");
    drop(task);
    assert!(!is_ready(run.as_mut()));
    assert_eq!(metrics.park_count(), Ok(Some(2)));
    assert_eq!(metrics.cancelled_tasks_count(), Some(1));
}

#[test]
fn a_task_polled_by_try_tick_can_spawn() {
    let (_, executor) = executor();
    executor.spawn(async { spawn(async {}).detach() }).detach();
    while executor.try_tick() {}
    let metrics = executor.metrics();
    assert_eq!(metrics.completed_tasks_count(), Some(2));
    assert_eq!(metrics.num_workers(), None, "the thread is no worker");
    assert_eq!(metrics.parked_duration_total(), Ok(Some(Duration::ZERO)));
}

#[test]
fn a_thread_is_one_worker_of_an_executor_however_deep_it_runs_it() {
    let ((_, outer), (_, inner)) = (executor(), executor());
    let numbers = || [&outer, &inner].map(|executor| executor.metrics().num_workers());
    let root = outer.run(inner.run(outer.run(async { numbers() })));
    assert_eq!(futures::executor::block_on(root), [Some(1), Some(1)]);
    assert_eq!(numbers(), [None, None]);
}

#[test]
#[should_panic(expected = "no executor runs on this thread")]
fn a_task_without_an_executor_is_refused() {
    let (_, executor) = executor();
    assert!(is_ready(pin!(executor.run(async {}))));
    drop(spawn(async {}));
}

#[test]
fn the_workers_are_the_threads_that_run_the_executor() {
    const THREADS: usize = 3;
    let (_, executor) = executor();
    let metrics = executor.metrics();
    let (all_run, may_end) = (Barrier::new(THREADS + 1), Barrier::new(THREADS + 1));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let root = async {
                    // Inside itself, the executor has no second worker for the thread.
                    executor.run(async {}).await;
                    all_run.wait();
                    may_end.wait();
                };
                futures::executor::block_on(executor.run(root));
            });
        }
        all_run.wait();
        assert_eq!(metrics.num_workers(), Some(THREADS));
        may_end.wait();
    });
    assert_eq!(metrics.num_workers(), None);
    assert_eq!(metrics.snapshot().num_workers(), None);
}

#[test]
fn tasks_of_a_local_executor_need_not_be_send() {
    let clock = Arc::new(ManualClock::new());
    let builder = Builder::new().poll_time(HistogramConfig::DEFAULT);
    let (text, length) = (String::from("borrowed"), Rc::new(Cell::new(0)));
    let inner = Rc::clone(&length);
    let executor = LocalExecutor::new(builder, Clock::custom(Arc::clone(&clock))).unwrap();
    let metrics = executor.metrics();
    let root = async {
        executor.spawn(async { clock.advance(millis(4)) }).await;
        // A result, a future and what it borrows need not be `Send`.
        let text = executor.spawn(async { Rc::new(text.as_str()) }).await;
        inner.set(text.len());
        pending::<()>().await;
    };
    let mut run = pin!(executor.run(root));
    // The tasks wake the root future.
    for _ in 0..4 {
        assert!(!is_ready(run.as_mut()));
    }
    assert_eq!((length.get(), metrics.num_workers()), (8, Some(1)));
    assert_eq!(metrics.completed_tasks_count(), Some(2));
    clock.advance(millis(30));
    let snapshot = metrics.snapshot();
    let worker = snapshot.worker(0).unwrap();
    assert_eq!(worker.state(), Some(WorkerState::Parked));
    assert_eq!(worker.parked_duration_total(), Some(millis(30)));
    assert_eq!(worker.polling_duration_total(), Some(millis(4)));
    assert!(executor.is_empty());
}

#[test]
fn tasks_spawned_together_are_measured_one_by_one() {
    let (_, executor) = executor();
    let local = LocalExecutor::new(Builder::new(), Clock::new()).unwrap();
    let (mut tasks, mut local_tasks) = (Vec::new(), Vec::new());
    executor.spawn_many((0..600_usize).map(|n| async move { n }), &mut tasks);
    local.spawn_many((0..3_usize).map(|n| async move { Rc::new(n) }), &mut local_tasks);
    assert_eq!(executor.metrics().spawned_tasks_count(), Some(600));
    assert_eq!(local.metrics().spawned_tasks_count(), Some(3));
    futures::executor::block_on(executor.run(async {
        for (n, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await, n, "in the order of the futures");
        }
    }));
    local_tasks.pop();
    futures::executor::block_on(local.run(async {
        for (n, task) in local_tasks.into_iter().enumerate() {
            assert_eq!(*task.await, n);
        }
    }));
    assert_eq!(executor.metrics().completed_tasks_count(), Some(600));
    assert_eq!(local.metrics().completed_tasks_count(), Some(2));
    assert_eq!(local.metrics().cancelled_tasks_count(), Some(1));
}

#[test]
fn a_tick_polls_one_task_and_makes_no_worker() {
    let (_, executor) = executor();
    let metrics = executor.metrics();
    let mut tick = pin!(executor.tick());
    assert!(!is_ready(tick.as_mut()), "there is no task");
    executor.spawn(async { spawn(async {}).detach() }).detach();
    assert!(is_ready(tick));
    assert_eq!(
        (metrics.poll_count(), metrics.spawned_tasks_count()),
        (Ok(Some(1)), Some(2))
    );
    assert!(is_ready(pin!(executor.tick())));
    assert_eq!(
        (metrics.completed_tasks_count(), metrics.num_workers()),
        (Some(2), None)
    );

    let local = LocalExecutor::new(Builder::new(), Clock::new()).unwrap();
    let mut tasks = Vec::new();
    local.spawn_many([ready(()), ready(())], &mut tasks);
    assert!(is_ready(pin!(local.tick())));
    assert_eq!(local.metrics().completed_tasks_count(), Some(1));
    assert!(local.try_tick() && !local.try_tick());
    assert_eq!(local.metrics().completed_tasks_count(), Some(2));
    assert_eq!(local.metrics().num_workers(), None);
}

#[test]
fn a_task_of_a_local_executor_spawns_on_the_executor_around_it() {
    let (_, executor) = executor();
    let local = LocalExecutor::new(Builder::new(), Clock::new()).unwrap();
    let task = local.spawn(async { spawn(async { 7 }).await });
    assert_eq!(futures::executor::block_on(executor.run(local.run(task))), 7);
    assert_eq!(executor.metrics().completed_tasks_count(), Some(1));
    assert_eq!(local.metrics().completed_tasks_count(), Some(1));
}
