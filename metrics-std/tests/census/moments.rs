//! The moments at which a task begins a poll, ends, or is dropped.

use super::{Fixture, NONE, QUEUED, Slot, UNWAKEABLE, WAITING, builder, counts, wait};
use core::future::{pending, poll_fn};
use core::task::{Context, Poll, Waker};
use metrics_std::location::intern_name;
use metrics_std::metrics_core::{NoClock, Probe as _};
use metrics_std::{Clock, Measured, RuntimeMetrics, build_wrapped};

#[test]
fn a_task_without_a_waker_is_found_a_second_after_its_poll() {
    let fixture = Fixture::new(builder());
    fixture.spawn("new", poll_fn(|_| Poll::Pending));
    while fixture.executor.try_tick() {}
    fixture.advance(999);
    assert_eq!(fixture.count("new"), WAITING);
    fixture.advance(1);
    assert_eq!(fixture.count("new"), UNWAKEABLE);
}

/// An executor may run a task that is woken while it begins a poll.
#[test]
fn a_task_that_was_woken_as_its_poll_began_is_no_false_alarm() {
    let fixture = Fixture::new(builder());
    let mut polls = 0;
    let inner = poll_fn(move |cx| {
        polls += 1;
        if polls == 1 {
            cx.waker().wake_by_ref();
        }
        Poll::<()>::Pending
    });
    let mut task = Box::pin(Measured::named(&fixture.metrics, intern_name("early"), inner));
    let wakes_first = poll_fn(move |cx| {
        // As a wake by another thread, after the executor has marked the task as running.
        cx.waker().wake_by_ref();
        task.as_mut().poll(cx)
    });
    fixture.executor.spawn(wakes_first).detach();
    assert!(fixture.executor.try_tick() && fixture.executor.try_tick());
    assert_eq!(fixture.count("early"), WAITING);
}

#[test]
fn a_task_whose_future_is_being_dropped_is_not_in_the_census() {
    struct Counts(RuntimeMetrics);
    impl Drop for Counts {
        fn drop(&mut self) {
            assert_eq!(counts(&self.0, "dropped slowly"), NONE);
        }
    }
    let fixture = Fixture::new(builder());
    let slot = Slot::default();
    let counts = Counts(fixture.metrics.clone());
    let receiver = slot.clone();
    let mut task = Box::pin(Measured::named(
        &fixture.metrics,
        intern_name("dropped slowly"),
        async move {
            let _counts = counts;
            receiver.receive().await;
        },
    ));
    assert!(
        task.as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
    wait(&fixture.metrics, &fixture.clock);
    assert_eq!(fixture.count("dropped slowly"), WAITING);
    slot.forget();
    drop(task);
}

#[test]
fn a_task_that_ends_while_a_reader_looks_is_not_in_the_census() {
    let fixture = Fixture::new(builder());
    let name = intern_name("ends");
    let mut tasks: Vec<_> = [(); 2]
        .map(|()| {
            Box::pin(Measured::named(
                &fixture.metrics,
                name,
                poll_fn(|_| Poll::<()>::Pending),
            ))
        })
        .into();
    for task in &mut tasks {
        assert!(
            task.as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
    }
    let mut seen = 0;
    fixture.metrics.probe().census(&mut |_, _| {
        seen += 1;
        tasks.clear();
    });
    assert_eq!(seen, 1);
}

#[test]
fn a_task_that_is_polled_again_after_a_panic_is_waiting() {
    let fixture = Fixture::new(builder());
    let slot = Slot::default();
    let receiver = slot.clone();
    let mut polls = 0;
    let mut message = Box::pin(receiver.receive());
    let future = poll_fn(move |cx| {
        polls += 1;
        assert!(polls > 1, "on purpose");
        message.as_mut().poll(cx)
    });
    let mut task = Box::pin(Measured::named(&fixture.metrics, intern_name("again"), future));
    let mut poll = || {
        let poll =
            core::panic::AssertUnwindSafe(|| task.as_mut().poll(&mut Context::from_waker(Waker::noop())));
        std::panic::catch_unwind(poll).is_ok()
    };
    assert_eq!([poll(), poll()], [false, true]);
    assert_eq!(fixture.count("again"), WAITING);
}

#[test]
fn a_task_that_panics_or_is_dropped_leaves_the_census() {
    let fixture = Fixture::new(builder());
    let task = Measured::named(&fixture.metrics, intern_name("dropped"), pending::<()>());
    assert_eq!(fixture.count("dropped"), QUEUED);
    drop(task);
    assert_eq!(fixture.count("dropped"), NONE);
    let panics = poll_fn(|_| -> Poll<()> { panic!("on purpose") });
    let mut task = Box::pin(Measured::named(&fixture.metrics, intern_name("panicked"), panics));
    let poll = core::panic::AssertUnwindSafe(|| {
        let _ = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    });
    assert!(std::panic::catch_unwind(poll).is_err());
    drop(task);
    assert_eq!(fixture.count("panicked"), NONE);
}

#[test]
fn there_is_no_census_without_a_clock() {
    let metrics = build_wrapped(builder(), Clock::custom(NoClock)).unwrap();
    let _task = Measured::named(&metrics, intern_name("untimed task"), pending::<()>());
    assert!(super::row(&metrics, "untimed task").census().is_none());
}
