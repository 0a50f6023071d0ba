//! `flush` waits until readers see all recorded polls.

use super::{build, current_thread, multi_thread, read, receive, until};
use core::future::{pending, poll_fn};
use core::task::Poll;
use core::time::Duration;
use metrics_mock::ManualClock;
use metrics_std::tokio::TokioAdapter;
use metrics_std::{Clock, flush};
use portable_atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use tokio::runtime::Builder;

const LONG: Duration = Duration::from_secs(20);

#[test]
fn polls_that_ended_are_visible_after_a_flush() {
    let (runtime, metrics, spawner) = multi_thread(2);
    for polls in 1..=200 {
        runtime.block_on(spawner.spawn(async {})).unwrap();
        flush(&metrics, LONG).unwrap();
        assert_eq!(read(|| metrics.poll_count()), Some(polls));
    }
}

#[test]
fn the_thread_that_drove_a_runtime_submits_what_it_has_recorded() {
    let (runtime, metrics, spawner) = current_thread();
    let polls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&polls);
    drop(spawner.spawn(poll_fn(move |cx| {
        counted.fetch_add(1, Ordering::Relaxed);
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    })));
    runtime.block_on(super::yields(40));
    flush(&metrics, Duration::ZERO).unwrap();
    assert_eq!(metrics.poll_count().unwrap(), Some(polls.load(Ordering::Relaxed)));
}

#[test]
fn a_worker_that_is_still_in_a_poll_is_named() {
    // The clock stands still, so that no interval passes and the first poll waits for a park to be submitted.
    let clock = Arc::new(ManualClock::new());
    let adapter = TokioAdapter::builder().clock(Clock::custom(clock));
    let (runtime, metrics, spawner) = build(adapter, Builder::new_multi_thread().worker_threads(1));
    let (begun, has_begun) = mpsc::channel();
    let (end, may_end) = mpsc::channel::<()>();
    let next = spawner.clone();
    let line = line!() + 2;
    let blocks = async move {
        drop(next.spawn(async move {
            begun.send(()).unwrap();
            let _ = may_end.recv();
            pending::<()>().await;
        }));
    };
    runtime.block_on(spawner.spawn(blocks)).unwrap();
    receive(&has_begun);
    let error = flush(&metrics, Duration::from_millis(1)).unwrap_err();
    assert_eq!(error.worker, Some(0));
    assert!(error.is_polling);
    assert_eq!(error.thread.as_deref(), Some("tokio-rt-worker"));
    let location = error.location.unwrap();
    assert_eq!((location.file(), location.line()), (file!(), line));
    assert!(
        error
            .to_string()
            .starts_with("worker 0 (tokio-rt-worker) is still in a poll of the task spawned at "),
        "{error}"
    );
    end.send(()).unwrap();
    flush(&metrics, LONG).unwrap();
    until(|| metrics.poll_count() == Ok(Some(2)));
}

#[test]
fn a_worker_that_runs_other_work_before_it_submits_is_waited_for() {
    // The clock stands still, so that the poll of the measured task waits for a park to be submitted.
    let clock = Arc::new(ManualClock::new());
    let adapter = TokioAdapter::builder().clock(Clock::custom(clock));
    let (runtime, metrics, spawner) = build(adapter, Builder::new_multi_thread().worker_threads(1));
    let (begun, has_begun) = mpsc::channel();
    let (end, may_end) = mpsc::channel::<()>();
    let measured = async move {
        // The worker runs this task next, and does not park in between.
        drop(tokio::spawn(async move {
            begun.send(()).unwrap();
            let _ = may_end.recv();
        }));
    };
    runtime.block_on(spawner.spawn(measured)).unwrap();
    receive(&has_begun);
    let error = flush(&metrics, Duration::from_millis(1)).unwrap_err();
    assert_eq!(error.worker, Some(0));
    if !cfg!(tokio_unstable) {
        // Under the unstable flag, that task is measured too.
        let text = error.to_string();
        assert!(
            text.starts_with("worker 0 (tokio-rt-worker) has not submitted: "),
            "{text}"
        );
    }
    end.send(()).unwrap();
    flush(&metrics, LONG).unwrap();
    until(|| metrics.poll_count().is_ok_and(|polls| polls >= Some(1)));
}

#[test]
fn a_worker_that_never_stops_polling_does_not_hold_up_a_flush() {
    let (runtime, metrics, spawner) = multi_thread(1);
    let polls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&polls);
    drop(spawner.spawn(poll_fn(move |cx| {
        counted.fetch_add(1, Ordering::Relaxed);
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    })));
    for _ in 0..20 {
        let ended = polls.load(Ordering::Relaxed).saturating_sub(1);
        flush(&metrics, LONG).unwrap();
        // The worker goes on submitting, so a getter may find its slot busy.
        until(|| metrics.poll_count().is_ok_and(|polls| polls >= Some(ended)));
    }
    drop(runtime);
}

#[test]
fn a_task_that_flushes_does_not_wait_for_its_own_poll() {
    let (runtime, metrics, spawner) = multi_thread(1);
    let reader = metrics.clone();
    let flushed = runtime.block_on(spawner.spawn(async move { flush(&reader, Duration::from_millis(100)) }));
    assert_eq!(flushed.unwrap(), Ok(()));
}
