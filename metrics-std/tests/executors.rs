//! Wrapped futures on executors without support for metrics, with a clock that only the test advances.
#![allow(missing_docs)]

use core::cell::RefCell;
use core::future::{Future, pending, poll_fn};
use core::num::NonZeroU32;
use core::pin::pin;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use futures::task::LocalSpawnExt;
use metrics_mock::ManualClock;
use metrics_std::{
    Builder, Clock, HistogramConfig, Measured, RuntimeMetrics, Sampling, TimeSource, Timestamp, build_wrapped,
};
use std::sync::{Arc, Mutex};
use std::thread;

fn nanos(n: u64) -> Duration {
    Duration::from_nanos(n)
}

fn timed() -> Builder<'static> {
    Builder::new()
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT)
}

fn wrapped() -> (Arc<ManualClock>, RuntimeMetrics) {
    let clock = Arc::new(ManualClock::new());
    let metrics = build_wrapped(timed(), Clock::custom(Arc::clone(&clock))).unwrap();
    (clock, metrics)
}

fn poll_once(future: impl Future) -> Poll<()> {
    pin!(future)
        .poll(&mut Context::from_waker(Waker::noop()))
        .map(drop)
}

/// Sum and count of the poll times, and of the schedule latencies, over all threads.
fn sums(metrics: &RuntimeMetrics) -> [(u64, u64); 2] {
    let snapshot = metrics.snapshot();
    let total = snapshot.total();
    [total.poll_time(), total.schedule_latency()].map(|reading| {
        let histogram = reading.unwrap().histogram();
        (histogram.sum(), histogram.count())
    })
}

/// A future that wakes itself and is pending `times` times. Each poll takes `before` until the wake and `after` from it.
async fn busy(clock: &ManualClock, times: u32, before: Duration, after: Duration) {
    let mut left = times;
    poll_fn(|cx| {
        clock.advance(before);
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        cx.waker().wake_by_ref();
        clock.advance(after);
        Poll::Pending
    })
    .await;
}

/// The executor's side of a waker.
#[derive(Default)]
struct Wakes(AtomicU32);

impl std::task::Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn async_executor_polls_are_counted_and_timed_exactly() {
    let (clock, metrics) = wrapped();
    let executor = async_executor::LocalExecutor::new();
    let task = executor.spawn(Measured::task(&metrics, busy(&clock, 3, nanos(1_000), nanos(0))));
    assert_eq!(metrics.covered_tasks(), Some(1));
    clock.advance(nanos(500));
    futures::executor::block_on(executor.run(task));

    assert_eq!(metrics.poll_count().unwrap(), Some(4));
    // The first poll waited 500 ns since the spawn. A wake inside a poll waits for what is left of that poll: nothing.
    assert_eq!(sums(&metrics), [(4_000, 4), (500, 4)]);
    assert_eq!(metrics.completed_tasks_count(), Some(1));
    assert_eq!(metrics.covered_tasks(), Some(0));
    assert_eq!(metrics.park_count().unwrap(), None, "nobody tells of parks");
    assert_eq!(metrics.busy_duration_total().unwrap(), None);
}

#[test]
fn futures_local_pool_polls_are_submitted_at_once() {
    let (clock, metrics) = wrapped();
    let mut pool = futures::executor::LocalPool::new();
    let inner = Arc::clone(&clock);
    pool.spawner()
        .spawn_local(Measured::task(&metrics, async move {
            busy(&inner, 1, nanos(200), nanos(0)).await;
            pending::<()>().await;
        }))
        .unwrap();
    pool.run_until_stalled();
    // The thread is idle and no hook reports that, so everything must be submitted.
    assert_eq!(metrics.poll_count().unwrap(), Some(2));
    assert_eq!(metrics.covered_tasks(), Some(1));
    drop(pool);
    assert_eq!(metrics.cancelled_tasks_count(), Some(1));
    assert_eq!(metrics.covered_tasks(), Some(0));
}

#[test]
fn the_first_wake_since_the_last_poll_counts() {
    let (clock, metrics) = wrapped();
    let waker = Mutex::new(None);
    let mut task = pin!(Measured::task(
        &metrics,
        poll_fn(|cx| {
            *waker.lock().unwrap() = Some(cx.waker().clone());
            Poll::<()>::Pending
        })
    ));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(task.as_mut().poll(&mut cx).is_pending());
    let wake = || waker.lock().unwrap().as_ref().unwrap().wake_by_ref();

    clock.advance(nanos(100));
    wake();
    clock.advance(nanos(300));
    wake();
    clock.advance(nanos(50));
    assert!(task.as_mut().poll(&mut cx).is_pending());
    assert_eq!(
        sums(&metrics)[1],
        (350, 2),
        "the spawn's poll waited nothing, this one since the first wake"
    );

    // A poll without a wake has no latency.
    assert!(task.as_mut().poll(&mut cx).is_pending());
    assert_eq!(sums(&metrics)[1], (350, 2));
    assert_eq!(metrics.poll_count().unwrap(), Some(3));
}

/// A clock that counts its reads.
struct CountedClock {
    clock: ManualClock,
    reads: AtomicU32,
}

impl TimeSource for CountedClock {
    fn now(&self) -> Timestamp {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.clock.now()
    }

    fn ticks_per_second(&self) -> u64 {
        self.clock.ticks_per_second()
    }

    fn resolution(&self) -> Duration {
        self.clock.resolution()
    }
}

#[test]
fn a_wake_reads_the_clock_only_if_its_poll_is_sampled() {
    let builder = Builder::new();
    reads_the_clock_only_for_sampled_polls(builder.clone());
    reads_the_clock_only_for_sampled_polls(builder.locations(8).census());
}

fn reads_the_clock_only_for_sampled_polls(builder: Builder<'_>) {
    const POLLS: u32 = 20_000;
    let clock = Arc::new(CountedClock {
        clock: ManualClock::new(),
        reads: AtomicU32::new(0),
    });
    let one_in_100 = Sampling::OneIn(NonZeroU32::new(100).unwrap());
    let builder = builder
        .epoch(1)
        .schedule_latency(HistogramConfig::DEFAULT)
        .schedule_latency_sampling(one_in_100);
    let metrics = build_wrapped(builder, Clock::custom(Arc::clone(&clock))).unwrap();
    let waker = Mutex::new(None);
    let mut task = pin!(Measured::task(
        &metrics,
        poll_fn(|cx| {
            *waker.lock().unwrap() = Some(cx.waker().clone());
            Poll::<()>::Pending
        })
    ));
    let mut cx = Context::from_waker(Waker::noop());
    let mut poll = || assert!(task.as_mut().poll(&mut cx).is_pending());
    poll();
    let before = clock.reads.load(Ordering::Relaxed);
    for _ in 1..POLLS {
        waker.lock().unwrap().as_ref().unwrap().wake_by_ref();
        clock.clock.advance(nanos(50));
        poll();
    }
    let reads = clock.reads.load(Ordering::Relaxed) - before;
    let snapshot = metrics.snapshot();
    let latency = snapshot.total().schedule_latency().unwrap();
    let samples = latency.samples();
    assert!(samples.abs_diff(u64::from(POLLS / 100)) < 60, "{samples} samples");
    assert_eq!(latency.histogram().sum(), 50 * samples);
    // Two for each sample, and one now and then for polls that are not timed.
    assert!(
        u64::from(reads) <= 2 * samples + u64::from(POLLS / 50),
        "{reads} reads, {samples} samples"
    );

    // Every poll is measured again as soon as the switch is latched.
    metrics
        .registry()
        .switches()
        .set_schedule_latency(Sampling::Every);
    for _ in 0..100 {
        waker.lock().unwrap().as_ref().unwrap().wake_by_ref();
        poll();
    }
    let more = metrics.snapshot().total().schedule_latency().unwrap().samples() - samples;
    assert!((98..=100).contains(&more), "{more} of 100");
}

#[test]
fn a_wake_during_a_poll_counts_for_the_next() {
    let (clock, metrics) = wrapped();
    let mut task = pin!(Measured::task(&metrics, busy(&clock, 2, nanos(10), nanos(700))));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(task.as_mut().poll(&mut cx).is_pending());
    clock.advance(nanos(300));
    assert!(task.as_mut().poll(&mut cx).is_pending());
    assert_eq!(sums(&metrics)[1], (1_000, 2));
}

#[test]
fn a_waker_of_an_earlier_poll_still_stamps_the_task() {
    let (clock, metrics) = wrapped();
    let wakers = RefCell::new(Vec::new());
    let mut task = pin!(Measured::task(
        &metrics,
        poll_fn(|cx| {
            wakers.borrow_mut().push(cx.waker().clone());
            Poll::<()>::Pending
        })
    ));
    // Each poll has another waker, as with an executor that creates a new one every time.
    for _ in 0..3 {
        let waker = Waker::from(Arc::new(Wakes::default()));
        assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    clock.advance(nanos(40));
    wakers.borrow()[0].wake_by_ref();
    clock.advance(nanos(2));
    assert!(
        task.as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
    assert_eq!(sums(&metrics)[1], (2, 2));
}

#[test]
fn the_executors_own_waker_is_woken_and_wrapped_once() {
    let (_, metrics) = wrapped();
    let count = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&count));
    let seen = RefCell::new(Vec::new());
    let mut task = pin!(Measured::task(
        &metrics,
        poll_fn(|cx| {
            seen.borrow_mut().push(cx.waker().clone());
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        })
    ));
    for _ in 0..3 {
        assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    assert_eq!(count.0.load(Ordering::Relaxed), 3);
    let seen = seen.borrow();
    assert!(
        seen.iter().all(|waker| waker.will_wake(&seen[0])),
        "one waker for as long as the executor's stays"
    );
}

#[test]
#[cfg_attr(target_family = "wasm", ignore = "a panic aborts")]
fn a_panic_ends_the_task_once_and_keeps_its_poll() {
    let (clock, metrics) = wrapped();
    let inner = Arc::clone(&clock);
    let task = Measured::task(&metrics, async move {
        inner.advance(nanos(30));
        panic!("as the test wants");
    });
    let caught = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| poll_once(task)));
    assert!(caught.is_err());
    assert_eq!(metrics.panicked_tasks_count(), Some(1));
    assert_eq!(metrics.cancelled_tasks_count(), Some(0));
    assert_eq!(metrics.covered_tasks(), Some(0));
    assert_eq!(sums(&metrics)[0], (30, 1));
}

#[test]
#[cfg_attr(target_family = "wasm", ignore = "a panic aborts")]
fn a_root_poll_that_panics_is_counted() {
    let (_, metrics) = wrapped();
    let root = Measured::root(&metrics, poll_fn(|_| -> Poll<()> { panic!("as the test wants") }));
    let caught = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| poll_once(root)));
    assert!(caught.is_err());
    assert_eq!(
        (metrics.root_polls().unwrap(), metrics.poll_count().unwrap()),
        (Some(1), Some(0))
    );
}

#[test]
fn a_task_never_polled_is_cancelled_by_its_drop() {
    let (_, metrics) = wrapped();
    drop(Measured::task(&metrics, async {}));
    assert_eq!(metrics.spawned_tasks_count(), Some(1));
    assert_eq!(metrics.cancelled_tasks_count(), Some(1));
    assert_eq!(metrics.poll_count().unwrap(), Some(0));
}

#[test]
fn roots_and_nested_wrappers_have_rows_of_their_own() {
    let (clock, metrics) = wrapped();
    let inner = Measured::task(&metrics, busy(&clock, 1, nanos(5), nanos(0)));
    let outer = Measured::task(&metrics, inner);
    futures::executor::block_on(Measured::root(&metrics, outer));

    assert_eq!(metrics.root_polls().unwrap(), Some(2));
    assert_eq!(metrics.poll_count().unwrap(), Some(2));
    assert_eq!(metrics.nested_polls().unwrap(), Some(2));
    assert_eq!(
        sums(&metrics)[0],
        (10, 2),
        "the time of a nested poll counts once, in the outer one"
    );
    assert_eq!(metrics.spawned_tasks_count(), Some(2));
}

#[test]
fn a_task_of_one_registry_polled_inside_another_is_charged_to_its_own() {
    let (clock, ours) = wrapped();
    let (_, theirs) = wrapped();
    let inner = Measured::task(&theirs, async {});
    let outer = Measured::task(&ours, async {
        clock.advance(nanos(7));
        inner.await;
    });
    assert!(poll_once(outer).is_ready());
    for metrics in [&ours, &theirs] {
        assert_eq!(metrics.poll_count().unwrap(), Some(1));
        assert_eq!(metrics.nested_polls().unwrap(), Some(0));
        assert_eq!(metrics.completed_tasks_count(), Some(1));
    }
    assert_eq!(sums(&ours)[0].0, 7);
    assert_eq!(sums(&theirs)[0].0, 0);
}

#[test]
fn switched_off_nothing_is_timed_and_every_poll_counted() {
    let (clock, metrics) = wrapped();
    metrics.registry().switches().set_poll_time(Sampling::Off);
    metrics.registry().switches().set_schedule_latency(Sampling::Off);
    assert!(poll_once(Measured::task(&metrics, busy(&clock, 0, nanos(9), nanos(0)))).is_ready());
    assert_eq!(metrics.poll_count().unwrap(), Some(1));
    assert_eq!(sums(&metrics), [(0, 0), (0, 0)]);
}

#[test]
fn without_a_histogram_of_latencies_wakers_are_left_alone() {
    let metrics = build_wrapped(Builder::new(), Clock::custom(ManualClock::new())).unwrap();
    let waker = Waker::from(Arc::new(Wakes::default()));
    let task = Measured::task(
        &metrics,
        poll_fn(|cx| {
            assert!(cx.waker().will_wake(&waker));
            Poll::Ready(())
        }),
    );
    assert!(pin!(task).poll(&mut Context::from_waker(&waker)).is_ready());
    assert_eq!(metrics.poll_count().unwrap(), Some(1));
}

#[test]
fn without_a_clock_counters_work_and_histograms_are_none() {
    let metrics = build_wrapped(timed(), Clock::custom(ManualClock::unavailable())).unwrap();
    assert!(poll_once(Measured::task(&metrics, async {})).is_ready());
    assert_eq!(metrics.poll_count().unwrap(), Some(1));
    assert!(metrics.snapshot().total().poll_time().is_none());
}

#[test]
#[cfg_attr(target_family = "wasm", ignore = "there are no threads")]
fn names_of_threads_and_spawn_sites_are_in_the_snapshot() {
    let (_, metrics) = wrapped();
    let line = line!() + 1;
    let task = Measured::task(&metrics, poll_fn(|_| Poll::Ready(metrics.snapshot())));
    let mut task = pin!(task);
    let named = thread::Builder::new().name("the poller".into());
    let (snapshot, after) = thread::scope(|scope| {
        let poll = || {
            let Poll::Ready(snapshot) = task.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
                panic!("it is ready at once");
            };
            (snapshot, metrics.snapshot())
        };
        named.spawn_scoped(scope, poll).unwrap().join().unwrap()
    });
    let row = snapshot.worker(0).unwrap();
    assert_eq!(row.state(), Some(metrics_std::WorkerState::Polling));
    assert_eq!(row.spawn_location_name(), format!("{}:{line}", file!()));
    assert_eq!(after.worker(0).unwrap().thread_name(), "the poller");
    assert!(snapshot.started_at().is_some());
}

#[test]
#[cfg_attr(target_family = "wasm", ignore = "there are no threads")]
fn an_idle_thread_keeps_few_of_the_registries_that_it_polled_in() {
    let (polled, has_polled) = std::sync::mpsc::channel();
    let (end, may_end) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let metrics: Vec<_> = (0..100)
            .map(|_| build_wrapped(Builder::new().name("many"), Clock::instant()).unwrap())
            .collect();
        for metrics in &metrics {
            futures::executor::block_on(Measured::task(metrics, async {}));
            assert_eq!(metrics.poll_count().unwrap(), Some(1));
        }
        // In those whose slot was given back too.
        for metrics in &metrics {
            futures::executor::block_on(Measured::task(metrics, async {}));
            assert_eq!(metrics.poll_count().unwrap(), Some(2));
        }
        let registries: Vec<_> = metrics
            .iter()
            .map(|metrics| Arc::downgrade(metrics.registry()))
            .collect();
        drop(metrics);
        polled.send(registries).unwrap();
        // Idle from here on.
        may_end.recv().unwrap();
    });
    let registries = has_polled.recv().unwrap();
    let kept = registries
        .iter()
        .filter(|registry| registry.strong_count() > 0)
        .count();
    assert!(kept <= 4, "{kept} of 100");
    end.send(()).unwrap();
    thread.join().unwrap();
}

#[test]
fn a_thread_that_is_only_seen_in_polls_has_no_state_between_them() {
    let (_, metrics) = wrapped();
    let state = || metrics.snapshot().worker(0).unwrap().state();
    let polling = Measured::task(
        &metrics,
        poll_fn(|_| {
            let _: () = assert_eq!(state(), Some(metrics_std::WorkerState::Polling));
            Poll::Ready(())
        }),
    );
    assert!(poll_once(polling).is_ready());
    assert_eq!(state(), None, "no hook reports whether it has parked");
}
