//! A load that is known in advance: a hog, a quick task and a starved one behind it, and one that nobody can wake. The table
//! of locations, the census and the blame are exact on every executor. The testbed wraps no wakers, so it has no census.
#![cfg(not(tokio_unstable))]

use core::future::{Future, poll_fn};
use core::task::{Poll, Waker};
use core::time::Duration;
use metrics_mock::ManualClock;
use metrics_std::location::intern_name;
use metrics_std::metrics_core::NamedCulprit;
use metrics_std::tokio::{MeasuredRuntime, Spawner, TokioAdapter};
use metrics_std::{Builder, Clock, HistogramConfig, Measured, RuntimeMetrics, build_wrapped};
use std::sync::{Arc, Mutex};
use tests::testbed::{self, Runtime};
use tests::yield_now;

/// An executor that runs only when the script says so.
trait Executor {
    fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static);
    /// Polls until no task is queued.
    fn run(&self);
}

struct Smol(RuntimeMetrics, async_executor::Executor<'static>);

impl Executor for Smol {
    fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        let task = Measured::named(&self.0, intern_name(name), future);
        self.1.spawn(task).detach();
    }

    fn run(&self) {
        while self.1.try_tick() {}
    }
}

struct Tokio(tokio::runtime::Runtime, Spawner);

impl Executor for Tokio {
    fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        drop(self.1.named(intern_name(name)).spawn(future));
    }

    fn run(&self) {
        self.0.block_on(async {
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
        });
    }
}

impl Executor for Runtime {
    fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        drop(self.handle().spawn_named(intern_name(name), future));
    }

    fn run(&self) {
        self.block_on(async {
            for _ in 0..4 {
                yield_now().await;
            }
        });
    }
}

fn configured(builder: Builder<'_>) -> Builder<'_> {
    builder
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT)
        .locations(4_096)
        .census()
        .flight_recorder(64)
}

/// A line of the table: polls, their time and the schedule latency in milliseconds.
type Line = (&'static str, [u64; 3]);
/// The tasks of a location that are queued, polling, waiting and unwakeable.
type Census = (&'static str, [u64; 4]);

const NAMES: [&str; 4] = ["hog", "quick", "stuck", "starved"];

fn table(metrics: &RuntimeMetrics) -> Vec<Line> {
    let snapshot = metrics.snapshot();
    let line = |name| {
        let mut rows = snapshot.locations().unwrap().iter();
        let row = rows.find(|row| row.name() == name).unwrap();
        (
            name,
            [
                row.poll_count(),
                millis(row.poll_time().unwrap()),
                millis(row.schedule_latency().unwrap()),
            ],
        )
    };
    NAMES.map(line).to_vec()
}

fn census(metrics: &RuntimeMetrics) -> Option<Vec<Census>> {
    let snapshot = metrics.snapshot();
    let line = |name| {
        let mut rows = snapshot.locations().unwrap().iter();
        let census = rows.find(|row| row.name() == name).unwrap().census()?;
        Some((
            name,
            [census.queued, census.polling, census.waiting, census.unwakeable],
        ))
    };
    NAMES.into_iter().map(line).collect()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap()
}

fn play(clock: &Arc<ManualClock>, metrics: &RuntimeMetrics, executor: &impl Executor) {
    // A stamp can't hold the time zero.
    clock.advance(Duration::from_millis(1));
    let work = |millis| {
        let clock = Arc::clone(clock);
        async move { clock.advance(Duration::from_millis(millis)) }
    };
    executor.spawn("hog", work(40));
    executor.spawn("quick", work(1));
    executor.spawn("stuck", poll_fn(|_| Poll::Pending));
    let waker: Arc<Mutex<Option<Waker>>> = Arc::default();
    let kept = Arc::clone(&waker);
    let turn = work(2);
    executor.spawn("starved", async move {
        turn.await;
        let wait = |cx: &mut core::task::Context<'_>| {
            *kept.lock().unwrap() = Some(cx.waker().clone());
            Poll::<()>::Pending
        };
        poll_fn(wait).await;
    });
    executor.run();
    // Woken, but not polled any more.
    waker.lock().unwrap().take().unwrap().wake();
    // A task that nobody can wake is reported after a second.
    clock.advance(Duration::from_secs(1));
    assert_eq!(
        table(metrics),
        [
            ("hog", [1, 40, 0]),
            ("quick", [1, 1, 40]),
            ("stuck", [1, 0, 41]),
            ("starved", [1, 2, 41]),
        ]
    );
    let report = metrics.flight_recording().unwrap().blame_report(16);
    let mut rows: Vec<_> = (report.rows.iter())
        .map(|row| match &row.culprit {
            NamedCulprit::Polls(culprit) => (row.victim.as_str(), culprit.as_str(), millis(row.waited)),
            other => panic!("{other:?}"),
        })
        .collect();
    rows.sort_unstable();
    assert_eq!(
        rows,
        [
            ("quick", "hog", 40),
            ("starved", "hog", 40),
            ("starved", "quick", 1),
            ("stuck", "hog", 40),
            ("stuck", "quick", 1),
        ]
    );
}

/// The census of the load.
const TASKS: [Census; 4] = [
    ("hog", [0, 0, 0, 0]),
    ("quick", [0, 0, 0, 0]),
    ("stuck", [0, 0, 1, 1]),
    ("starved", [1, 0, 0, 0]),
];

#[test]
fn on_the_testbed() {
    let clock = Arc::new(ManualClock::new());
    let builder = testbed::Builder::current_thread().metrics(configured);
    let runtime = builder.build(Clock::custom(Arc::clone(&clock))).unwrap();
    play(&clock, runtime.metrics(), &runtime);
    assert_eq!(census(runtime.metrics()), None);
}

#[test]
fn on_async_executor() {
    let clock = Arc::new(ManualClock::new());
    let metrics = build_wrapped(configured(Builder::new()), Clock::custom(Arc::clone(&clock))).unwrap();
    let executor = Smol(metrics.clone(), async_executor::Executor::new());
    play(&clock, &metrics, &executor);
    assert_eq!(census(&metrics).unwrap(), TASKS);
}

#[test]
fn on_stable_tokio() {
    let clock = Arc::new(ManualClock::new());
    let adapter = TokioAdapter::builder().clock(Clock::custom(Arc::clone(&clock)));
    let MeasuredRuntime {
        runtime,
        metrics,
        spawner,
    } = adapter
        .configure(configured)
        .build(&mut tokio::runtime::Builder::new_current_thread())
        .unwrap();
    let executor = Tokio(runtime, spawner);
    play(&clock, &metrics, &executor);
    assert_eq!(census(&metrics).unwrap(), TASKS);
}
