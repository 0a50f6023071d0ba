//! Workers that change threads in the middle of a poll: `block_in_place`.

use super::{build, multi_thread, receive, until, yields};
#[cfg(not(tokio_unstable))]
use core::time::Duration;
#[cfg(not(tokio_unstable))]
use metrics_mock::ManualClock;
#[cfg(not(tokio_unstable))]
use metrics_std::Clock;
use metrics_std::tokio::TokioAdapter;
use metrics_std::watchdog::StallScanner;
use metrics_std::{Sampling, Snapshot, WorkerState};
#[cfg(not(tokio_unstable))]
use portable_atomic::{AtomicBool, AtomicU64, Ordering};
#[cfg(not(tokio_unstable))]
use std::sync::Arc;
use std::sync::mpsc;
use tokio::runtime::Builder;
use tokio::task::block_in_place;

fn untimed(builder: metrics_std::Builder<'_>) -> metrics_std::Builder<'_> {
    builder
        .poll_time_sampling(Sampling::Off)
        .schedule_latency_sampling(Sampling::Off)
}

#[test]
fn both_threads_keep_their_numbers_and_the_poll_ends_where_it_began() {
    let (runtime, metrics, spawner) = multi_thread(1);
    let (inside, is_inside) = mpsc::channel();
    let (leave, may_leave) = mpsc::channel::<()>();
    let gives_away = spawner.spawn(async move {
        block_in_place(|| {
            inside.send(()).unwrap();
            may_leave.recv().unwrap();
        });
    });
    receive(&is_inside);
    // The one worker goes on, on another thread.
    runtime.block_on(spawner.spawn(yields(10))).unwrap();
    // A worker shows that it parks before it submits.
    until(|| {
        let is_parked = metrics
            .live(0)
            .is_some_and(|live| live.state == WorkerState::Parked);
        // The poll of the other thread goes on.
        is_parked && metrics.worker_poll_count(0) == Ok(Some(11))
    });
    assert_eq!(
        metrics.live_threads().count(),
        2,
        "two threads answer to worker 0"
    );

    leave.send(()).unwrap();
    runtime.block_on(gives_away).unwrap();
    until(|| metrics.worker_poll_count(0) == Ok(Some(12)));
    until(|| metrics.live_threads().count() == 1);
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.workers().len(), 1);
    assert_eq!(snapshot.worker(0).unwrap().poll_time().unwrap().samples(), 12);
    assert_eq!(snapshot.worker(0).unwrap().state(), Some(WorkerState::Parked));
    assert!(snapshot.external().is_none());
}

#[test]
fn a_thread_that_gave_its_worker_away_in_a_poll_that_is_not_timed_gives_its_slot_back() {
    let adapter = TokioAdapter::builder().configure(untimed);
    let (runtime, metrics, spawner) = build(adapter, Builder::new_multi_thread().worker_threads(1));
    let (inside, is_inside) = mpsc::channel();
    let (leave, may_leave) = mpsc::channel::<()>();
    let gives_away = spawner.spawn(async move {
        block_in_place(|| {
            inside.send(()).unwrap();
            may_leave.recv().unwrap();
        });
    });
    receive(&is_inside);
    runtime.block_on(spawner.spawn(yields(10))).unwrap();
    until(|| metrics.worker_poll_count(0) == Ok(Some(11)));
    leave.send(()).unwrap();
    runtime.block_on(gives_away).unwrap();
    until(|| metrics.worker_poll_count(0) == Ok(Some(12)) && metrics.live_threads().count() == 1);
}

/// The thread that takes the worker over calls no hook, because it runs a task that no wrapper sees. The first thread calls none either
/// after its poll.
#[cfg(not(tokio_unstable))]
#[test]
fn the_poll_that_gave_its_worker_away_is_visible_when_it_ends() {
    // No poll lasts so long that it submits for that reason.
    let adapter = TokioAdapter::builder()
        .configure(|metrics| metrics.submit_interval(Duration::from_secs(1_000_000_000)));
    let (runtime, metrics, spawner) = build(adapter, Builder::new_multi_thread().worker_threads(1));
    // The first poll of a thread is always submitted.
    runtime.block_on(spawner.spawn(yields(0))).unwrap();
    let (steps, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let (counter, must_end) = (Arc::clone(&steps), Arc::clone(&stop));
    let bare = runtime.spawn(async move {
        while !must_end.load(Ordering::Relaxed) {
            counter.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    let gives_away = spawner.spawn(async move {
        let before = steps.load(Ordering::Relaxed);
        block_in_place(|| until(|| steps.load(Ordering::Relaxed) > before + 10));
    });
    runtime.block_on(gives_away).unwrap();
    until(|| metrics.worker_poll_count(0) == Ok(Some(2)));
    stop.store(true, Ordering::Relaxed);
    runtime.block_on(bare).unwrap();
}

/// Under the unstable flag, the second task is measured too.
#[cfg(not(tokio_unstable))]
#[test]
fn a_worker_that_is_kept_during_a_long_poll_goes_on_running_tasks() {
    let clock = Arc::new(ManualClock::new());
    let adapter = TokioAdapter::builder().clock(Clock::custom(Arc::clone(&clock)));
    let (runtime, metrics, spawner) = build(adapter, Builder::new_multi_thread().worker_threads(1));
    let (begun, has_begun) = mpsc::channel();
    let (end, may_end) = mpsc::channel::<()>();
    let long = async move {
        clock.advance(Duration::from_millis(1));
        // The worker runs this task next, and does not park in between.
        drop(tokio::spawn(async move {
            begun.send(()).unwrap();
            let _ = may_end.recv();
        }));
    };
    runtime.block_on(spawner.spawn(long)).unwrap();
    receive(&has_begun);
    let live = metrics.live(0).unwrap();
    assert_eq!(live.state, WorkerState::Running);
    end.send(()).unwrap();
}

#[test]
fn a_worker_given_away_is_no_stall() {
    let (runtime, metrics, spawner) = multi_thread(1);
    let mut scanner = StallScanner::new(&metrics, core::time::Duration::from_nanos(1));
    let (inside, is_inside) = mpsc::channel();
    let (leave, may_leave) = mpsc::channel::<()>();
    let gives_away = spawner.spawn(async move {
        block_in_place(|| {
            inside.send(()).unwrap();
            may_leave.recv().unwrap();
        });
    });
    receive(&is_inside);
    until(|| {
        metrics
            .live(0)
            .is_some_and(|live| live.state == WorkerState::Parked)
    });
    let mut stalls = Vec::new();
    scanner.scan(|stall| stalls.push(stall.clone()));
    assert!(stalls.is_empty(), "{stalls:?}");
    leave.send(()).unwrap();
    runtime.block_on(gives_away).unwrap();
}

/// Every task gives its worker away, so that threads run one worker after another, in whatever order comes.
fn shuffle(adapter: TokioAdapter<'_>) -> Snapshot {
    let (runtime, metrics, spawner) = build(adapter, Builder::new_multi_thread().worker_threads(2));
    runtime.block_on(async {
        for _ in 0..100 {
            let tasks: Vec<_> = (0..4)
                .map(|_| spawner.spawn(async { block_in_place(std::thread::yield_now) }))
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        }
    });
    drop(runtime);
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.total().poll_count(), Some(400), "no poll is lost");
    assert_eq!(snapshot.workers().len(), 2, "no worker is invented");
    assert!(snapshot.external().is_none());
    assert_eq!(metrics.live_threads().count(), 0, "every slot was given back");
    snapshot
}

#[test]
fn threads_that_serve_one_worker_after_another_charge_each_its_own() {
    let snapshot = shuffle(TokioAdapter::builder());
    assert_eq!(snapshot.total().poll_time().unwrap().samples(), 400);
}

#[test]
fn so_they_do_while_nothing_is_timed() {
    let snapshot = shuffle(TokioAdapter::builder().configure(untimed));
    assert_eq!(snapshot.total().poll_time().unwrap().samples(), 0);
}
