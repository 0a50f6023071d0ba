//! A measured future ends once, whatever is done with it afterwards.
#![allow(missing_docs)]

use core::future::{Future, pending, poll_fn};
use core::panic::AssertUnwindSafe;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use metrics_std::{Builder, Clock, HistogramConfig, Measured, RuntimeMetrics, build_wrapped};
use std::panic::catch_unwind;

fn wrapped() -> RuntimeMetrics {
    let builder = Builder::new().poll_time(HistogramConfig::DEFAULT);
    build_wrapped(builder, Clock::instant()).unwrap()
}

/// Spawned, completed, cancelled, panicked, alive.
fn tasks(metrics: &RuntimeMetrics) -> [u64; 5] {
    let tasks = metrics.tasks().unwrap();
    [
        tasks.spawned,
        tasks.completed,
        tasks.cancelled,
        tasks.panicked,
        tasks.alive(),
    ]
}

#[test]
fn a_future_that_is_polled_again_after_ready_ends_once() {
    let metrics = wrapped();
    let alive = Measured::task(&metrics, pending::<()>());
    {
        let mut task = pin!(Measured::task(&metrics, poll_fn(|_| Poll::Ready(()))));
        for _ in 0..3 {
            let polled = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_ready());
        }
    }
    assert_eq!(tasks(&metrics), [2, 1, 0, 0, 1]);
    drop(alive);
}

#[test]
fn a_future_that_panics_when_it_is_polled_again_has_completed() {
    let metrics = wrapped();
    let mut task = Box::pin(Measured::task(&metrics, async {}));
    let mut poll = || task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll().is_ready());
    assert!(catch_unwind(AssertUnwindSafe(poll)).is_err());
    drop(task);
    assert_eq!(tasks(&metrics), [1, 1, 0, 0, 0]);
}

#[test]
fn a_future_that_is_pending_after_ready_is_not_alive_again() {
    let metrics = wrapped();
    let mut first = true;
    {
        let mut task = pin!(Measured::task(
            &metrics,
            poll_fn(move |_| {
                if core::mem::replace(&mut first, false) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
        ));
        let mut poll = || task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(poll().is_ready());
        assert!(poll().is_pending());
    }
    assert_eq!(tasks(&metrics), [1, 1, 0, 0, 0]);
}

struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        panic!("as the test wants");
    }
}

#[test]
fn a_panic_in_a_destructor_of_a_cancelled_task_counts_as_panicked() {
    let metrics = wrapped();
    let held = PanicsInDrop;
    let task = Measured::task(&metrics, async move {
        let _held = held;
    });
    assert!(catch_unwind(AssertUnwindSafe(|| drop(task))).is_err());
    assert_eq!(tasks(&metrics), [1, 0, 0, 1, 0]);
}

#[test]
fn a_task_that_somebody_elses_panic_drops_is_cancelled() {
    let metrics = wrapped();
    let task = Measured::task(&metrics, pending::<()>());
    let panics = AssertUnwindSafe(move || {
        let _task = task;
        panic!("as the test wants");
    });
    assert!(catch_unwind(panics).is_err());
    assert_eq!(tasks(&metrics), [1, 0, 1, 0, 0]);
}
