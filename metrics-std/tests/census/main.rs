//! The census: which tasks are queued, polling and waiting, and which of them nobody can wake.
#![cfg(feature = "record")]

mod moments;

use core::future::{Future, pending, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use futures::future::{abortable, join, select};
use futures::stream::{FuturesUnordered, StreamExt as _};
use metrics_mock::ManualClock;
use metrics_std::location::intern_name;
use metrics_std::metrics_core::{HeapStorage, LocationSnapshot, Sampling};
use metrics_std::{Builder, Clock, HistogramConfig, Measured, RuntimeMetrics, build_wrapped};
use std::sync::{Arc, Mutex};

fn builder() -> Builder<'static> {
    Builder::new()
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT)
        .locations(4_096)
        .census()
}

/// An executor whose tasks are measured, and that runs only when a test says so.
struct Fixture {
    clock: Arc<ManualClock>,
    metrics: RuntimeMetrics,
    executor: async_executor::Executor<'static>,
}

impl Fixture {
    fn new(builder: Builder<'_>) -> Self {
        let clock = Arc::new(ManualClock::new());
        Self {
            metrics: build_wrapped(builder, Clock::custom(Arc::clone(&clock))).unwrap(),
            clock,
            executor: async_executor::Executor::new(),
        }
    }

    fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        let task = Measured::named(&self.metrics, intern_name(name), future);
        self.executor.spawn(task).detach();
    }

    /// Polls until no task is queued, and waits until tasks that nobody can wake are reported.
    fn run(&self) {
        while self.executor.try_tick() {}
        wait(&self.metrics, &self.clock);
    }

    fn advance(&self, millis: u64) {
        self.clock.advance(Duration::from_millis(millis));
    }

    fn count(&self, name: &str) -> [u64; 4] {
        counts(&self.metrics, name)
    }
}

/// Waits until tasks that nobody can wake are reported, also if the first snapshot only notes that they wait.
fn wait(metrics: &RuntimeMetrics, clock: &ManualClock) {
    metrics.snapshot();
    clock.advance(WAIT);
}

const WAIT: Duration = Duration::from_secs(1);

fn row(metrics: &RuntimeMetrics, name: &str) -> LocationSnapshot<HeapStorage> {
    let snapshot = metrics.snapshot();
    let mut rows = snapshot.locations().unwrap().iter();
    rows.find(|row| row.name() == name).unwrap().clone()
}

/// The tasks that are queued, polling, waiting, and waiting without a waker.
fn counts(metrics: &RuntimeMetrics, name: &str) -> [u64; 4] {
    let row = row(metrics, name);
    let census = row.census().unwrap();
    [census.queued, census.polling, census.waiting, census.unwakeable]
}

const QUEUED: [u64; 4] = [1, 0, 0, 0];
const POLLING: [u64; 4] = [0, 1, 0, 0];
const WAITING: [u64; 4] = [0, 0, 1, 0];
const UNWAKEABLE: [u64; 4] = [0, 0, 1, 1];
const NONE: [u64; 4] = [0; 4];

/// A channel for one message, without the standard library's care: its sender holds the waker.
#[derive(Clone, Default)]
struct Slot(Arc<Mutex<(Option<u32>, Option<Waker>)>>);

impl Slot {
    fn send(&self, value: u32) {
        let mut slot = self.0.lock().unwrap();
        slot.0 = Some(value);
        if let Some(waker) = slot.1.take() {
            waker.wake();
        }
    }

    /// Forgets the receiver without waking it.
    fn forget(&self) {
        self.0.lock().unwrap().1 = None;
    }

    async fn receive(self) {
        poll_fn(|cx| {
            let mut slot = self.0.lock().unwrap();
            if slot.0.take().is_some() {
                return Poll::Ready(());
            }
            slot.1 = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

#[test]
fn a_task_is_queued_then_polling_then_waiting_then_gone() {
    let fixture = Fixture::new(builder());
    let slot = Slot::default();
    let (receiver, metrics) = (slot.clone(), fixture.metrics.clone());
    fixture.spawn("life", async move {
        receiver.receive().await;
        assert_eq!(counts(&metrics, "life"), POLLING);
    });
    assert_eq!(fixture.count("life"), QUEUED);
    fixture.run();
    assert_eq!(fixture.count("life"), WAITING);
    slot.send(1);
    assert_eq!(fixture.count("life"), QUEUED);
    fixture.run();
    assert_eq!(fixture.count("life"), NONE);
}

#[test]
fn a_future_that_keeps_no_waker_is_found() {
    let fixture = Fixture::new(builder());
    fixture.spawn("stuck", poll_fn(|_| Poll::Pending));
    assert_eq!(fixture.count("stuck"), QUEUED, "not before its first poll");
    fixture.run();
    assert_eq!(fixture.count("stuck"), UNWAKEABLE);
}

#[test]
fn a_channel_dropped_without_a_wake_is_found() {
    let fixture = Fixture::new(builder());
    let slot = Slot::default();
    fixture.spawn("forgotten", slot.clone().receive());
    fixture.run();
    assert_eq!(fixture.count("forgotten"), WAITING);
    slot.forget();
    assert_eq!(fixture.count("forgotten"), UNWAKEABLE);
}

#[test]
fn a_task_is_found_whatever_is_measured() {
    for builder in [
        Builder::new().locations(8).census(),
        builder()
            .poll_time_sampling(Sampling::Off)
            .schedule_latency_sampling(Sampling::Off),
        builder().schedule_latency_sampling(Sampling::OneIn(8.try_into().unwrap())),
    ] {
        let fixture = Fixture::new(builder);
        let slot = Slot::default();
        // The names of a process have growing numbers, of which only the first have entries of their own.
        let task = Measured::task(&fixture.metrics, slot.clone().receive());
        fixture.executor.spawn(task).detach();
        let sum = || {
            let snapshot = fixture.metrics.snapshot();
            let rows = snapshot.locations().unwrap().iter();
            let census = rows.filter_map(|row| row.census());
            census.fold(NONE, |sum, row| {
                let row = [row.queued, row.polling, row.waiting, row.unwakeable];
                core::array::from_fn(|column| sum[column] + row[column])
            })
        };
        assert_eq!(sum(), QUEUED);
        fixture.run();
        assert_eq!(sum(), WAITING);
        slot.forget();
        assert_eq!(sum(), UNWAKEABLE);
    }
}

#[test]
fn the_longest_wait_is_that_since_the_last_poll() {
    let fixture = Fixture::new(builder());
    let slots = [Slot::default(), Slot::default()];
    let longest = || row(&fixture.metrics, "waiter").census().unwrap().longest_wait;
    for slot in &slots {
        let (slot, clock) = (slot.clone(), Arc::clone(&fixture.clock));
        fixture.spawn("waiter", async move {
            clock.advance(Duration::from_millis(2));
            slot.receive().await;
        });
    }
    fixture.run();
    fixture.advance(30);
    // The first one was polled before the second one's poll of 2 ms.
    assert_eq!(longest(), Some(WAIT + Duration::from_millis(32)));
    slots[0].send(1);
    assert_eq!(
        longest(),
        Some(WAIT + Duration::from_millis(30)),
        "the queued one waits no more"
    );
    slots[1].send(1);
    assert_eq!(longest(), None);
}

#[test]
fn the_wait_after_a_poll_that_is_not_timed_counts_from_the_first_snapshot() {
    let untimed = builder()
        .poll_time_sampling(Sampling::Off)
        .schedule_latency_sampling(Sampling::Off);
    let fixture = Fixture::new(untimed);
    let longest = || row(&fixture.metrics, "untimed").census().unwrap().longest_wait;
    let slot = Slot::default();
    let receiver = slot.clone();
    fixture.spawn("untimed", async move {
        receiver.clone().receive().await;
        receiver.receive().await;
    });
    for value in 0..2 {
        while fixture.executor.try_tick() {}
        fixture.advance(30);
        assert_eq!(longest(), None, "it is not known");
        fixture.advance(20);
        assert_eq!(longest(), Some(Duration::from_millis(20)));
        slot.send(value);
        assert_eq!(longest(), None);
    }
}

#[test]
fn parts_of_a_task_that_are_polled_together_are_no_false_alarm() {
    let fixture = Fixture::new(builder());
    let slot = Slot::default();
    let waits = slot.clone();
    // Only the first part has a waker.
    fixture.spawn("select", async move {
        select(pin!(waits.receive()), pin!(pending::<()>())).await;
    });
    let other = Slot::default();
    let waits = other.clone();
    fixture.spawn("join", async move {
        join(waits.receive(), poll_fn(|_| Poll::<()>::Pending)).await;
    });
    let third = Slot::default();
    let waits = third.clone();
    fixture.spawn("unordered", async move {
        let mut parts: FuturesUnordered<Pin<Box<dyn Future<Output = ()> + Send>>> =
            [Box::pin(waits.receive()) as _, Box::pin(pending()) as _]
                .into_iter()
                .collect();
        while parts.next().await.is_some() {}
    });
    let (future, abort) = abortable(pending::<()>());
    fixture.spawn("abortable", async move {
        let _ = future.await;
    });
    fixture.run();
    for name in ["select", "join", "unordered", "abortable"] {
        assert_eq!(fixture.count(name), WAITING, "{name}");
    }
    abort.abort();
    slot.send(1);
    fixture.run();
    assert_eq!(fixture.count("abortable"), NONE);
    assert_eq!(fixture.count("select"), NONE);
}

/// Polls both futures whenever it is polled itself.
async fn both(
    mut first: Pin<Box<dyn Future<Output = ()> + Send>>,
    mut second: Pin<Box<dyn Future<Output = ()> + Send>>,
) {
    poll_fn(move |cx| {
        let _ = second.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        first.as_mut().poll(cx)
    })
    .await;
}

#[test]
fn a_task_that_a_parent_polls_by_other_means_is_no_false_alarm() {
    let fixture = Fixture::new(builder());
    let slot = Slot::default();
    let nested = Measured::named(&fixture.metrics, intern_name("nested"), pending::<()>());
    fixture.spawn("parent", both(Box::pin(slot.clone().receive()), Box::pin(nested)));
    fixture.run();
    assert_eq!(fixture.count("nested"), WAITING);
    assert_eq!(fixture.count("parent"), WAITING);
    // The parent is not measured, so the census learns from the first poll without a wake.
    let other = Slot::default();
    let child = Measured::named(&fixture.metrics, intern_name("child"), pending::<()>());
    let parent = both(Box::pin(other.clone().receive()), Box::pin(child));
    let mut parent = pin!(parent);
    for _ in 0..2 {
        assert!(
            parent
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
    }
    wait(&fixture.metrics, &fixture.clock);
    assert_eq!(fixture.count("child"), WAITING);
}

#[test]
fn cycles_and_leaked_wakers_are_not_found() {
    let fixture = Fixture::new(builder());
    let slot = Slot::default();
    let sender = slot.clone();
    fixture.spawn("cycle", async move {
        let _sender = sender;
        slot.receive().await;
    });
    fixture.spawn(
        "leak",
        poll_fn(|cx| {
            core::mem::forget(cx.waker().clone());
            Poll::Pending
        }),
    );
    fixture.run();
    assert_eq!(fixture.count("cycle"), WAITING);
    assert_eq!(fixture.count("leak"), WAITING);
}

#[test]
fn a_waker_from_before_the_executor_changed_its_waker_counts() {
    let fixture = Fixture::new(builder());
    // The places of the wakers in the order in which they are dropped.
    for order in [[0, 0, 0], [2, 0, 0], [2, 1, 0]] {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let keeps = Arc::clone(&kept);
        let future = poll_fn(move |cx| {
            keeps.lock().unwrap().push(cx.waker().clone());
            Poll::<()>::Pending
        });
        let mut task = pin!(Measured::named(&fixture.metrics, intern_name("moved"), future));
        for _ in 0..3 {
            if let Some(last) = kept.lock().unwrap().last() {
                last.wake_by_ref();
            }
            // Each executor has a waker of its own.
            let waker = Waker::from(Arc::new(Nothing));
            assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        wait(&fixture.metrics, &fixture.clock);
        for place in order {
            assert_eq!(fixture.count("moved"), WAITING, "{place} of {order:?}");
            kept.lock().unwrap().remove(place);
        }
        assert_eq!(fixture.count("moved"), UNWAKEABLE, "{order:?}");
    }
}

/// Polls its task when it is woken.
struct PollsAtOnce(Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>);

impl std::task::Wake for PollsAtOnce {
    fn wake(self: Arc<Self>) {
        let waker = Waker::from(Arc::clone(&self));
        let mut task = self.0.lock().unwrap();
        let polled = task
            .as_mut()
            .unwrap()
            .as_mut()
            .poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
    }
}

#[test]
fn a_task_that_was_polled_during_its_last_wake_is_found_a_second_later() {
    let fixture = Fixture::new(builder());
    let kept = Arc::new(Mutex::new(None));
    let keeps = Arc::clone(&kept);
    let mut polls = 0;
    // It has a waker until its second poll.
    let future = poll_fn(move |cx| {
        polls += 1;
        if polls == 1 {
            *keeps.lock().unwrap() = Some(cx.waker().clone());
        }
        Poll::Pending
    });
    let task = Measured::named(&fixture.metrics, intern_name("at once"), future);
    let executor = Arc::new(PollsAtOnce(Mutex::new(Some(Box::pin(task)))));
    Waker::from(Arc::clone(&executor)).wake();
    assert_eq!(fixture.count("at once"), WAITING);
    let waker: Waker = kept.lock().unwrap().take().unwrap();
    waker.wake();
    // The wake may still lead to another poll.
    assert_eq!(fixture.count("at once"), WAITING);
    fixture.advance(999);
    assert_eq!(fixture.count("at once"), WAITING);
    fixture.advance(1);
    assert_eq!(fixture.count("at once"), UNWAKEABLE);
    // The task holds a waker of its executor, which holds the task.
    let task = executor.0.lock().unwrap().take();
    drop(task);
}

#[test]
fn tasks_of_any_number_of_threads_are_in_the_census() {
    let threads = if cfg!(miri) { 20 } else { 300 };
    let fixture = Fixture::new(builder());
    let name = intern_name("of many threads");
    let tasks: Vec<_> = (0..threads)
        .map(|_| {
            let metrics = fixture.metrics.clone();
            let spawn = move || Measured::named(&metrics, name, pending::<()>());
            std::thread::spawn(spawn).join().unwrap()
        })
        .collect();
    assert_eq!(fixture.count("of many threads"), [threads, 0, 0, 0]);
    drop(tasks);
}

struct Nothing;

impl std::task::Wake for Nothing {
    fn wake(self: Arc<Self>) {}
}

/// Tasks of which each is woken by the one before it and never without a waker, while a reader looks.
#[test]
fn tasks_that_are_woken_all_the_time_are_no_false_alarm() {
    let rounds = if cfg!(miri) { 20 } else { 2_000 };
    let fixture = Fixture::new(builder());
    let ends = [Slot::default(), Slot::default()];
    for number in 0..2 {
        let [mine, other] = [ends[number].clone(), ends[1 - number].clone()];
        fixture.spawn("ping", async move {
            for _ in 0..rounds {
                other.send(1);
                mine.clone().receive().await;
            }
            other.send(1);
        });
    }
    let executor = Arc::new(fixture.executor);
    let running = Arc::clone(&executor);
    let done = Arc::new(core::sync::atomic::AtomicBool::new(false));
    let is_done = Arc::clone(&done);
    let thread = std::thread::spawn(move || {
        while !running.is_empty() {
            running.try_tick();
        }
        is_done.store(true, core::sync::atomic::Ordering::Relaxed);
    });
    while !done.load(core::sync::atomic::Ordering::Relaxed) {
        executor.try_tick();
        fixture.clock.advance(WAIT);
        assert_eq!(counts(&fixture.metrics, "ping")[3], 0);
    }
    thread.join().unwrap();
    assert_eq!(counts(&fixture.metrics, "ping"), NONE);
}

#[cfg(feature = "tokio")]
mod on_tokio {
    use super::*;
    use metrics_std::tokio::{MeasuredRuntime, TokioAdapter};

    #[test]
    fn a_runtime_s_tasks_are_in_the_census() {
        let clock = Arc::new(ManualClock::new());
        let adapter = TokioAdapter::builder()
            .configure(|builder| builder.locations(4_096).census())
            .clock(Clock::custom(Arc::clone(&clock)));
        let MeasuredRuntime {
            runtime,
            metrics,
            spawner,
        } = adapter
            .build(&mut tokio::runtime::Builder::new_current_thread())
            .unwrap();
        let named = |name| spawner.named(intern_name(name));
        let stuck = named("tokio stuck").spawn(poll_fn(|_| Poll::<()>::Pending));
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        let waits = named("tokio waits").spawn(async move {
            let _ = receiver.await;
        });
        assert_eq!(counts(&metrics, "tokio waits"), QUEUED);
        runtime.block_on(tokio::task::yield_now());
        assert_eq!(counts(&metrics, "tokio stuck"), WAITING, "not yet");
        wait(&metrics, &clock);
        assert_eq!(counts(&metrics, "tokio stuck"), UNWAKEABLE);
        assert_eq!(counts(&metrics, "tokio waits"), WAITING);
        let abort = waits.abort_handle();
        assert_eq!(counts(&metrics, "tokio waits"), WAITING);
        // Aborting drops the future, which is all that can be done with a task that nobody can wake.
        stuck.abort();
        abort.abort();
        assert!(runtime.block_on(stuck).unwrap_err().is_cancelled());
        assert!(runtime.block_on(waits).unwrap_err().is_cancelled());
        assert_eq!(counts(&metrics, "tokio stuck"), NONE);
        assert_eq!(counts(&metrics, "tokio waits"), NONE);
        drop(sender);
    }
}
