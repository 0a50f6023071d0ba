//! Checks each metric on the two kinds of runtimes of a JavaScript host: a wrapper around its executor, and an executor with hooks.
//! A scenario lists the metrics that it changes, and by how much. The others must not change.
#![cfg(target_family = "wasm")]

mod common;
#[path = "../examples/executor/microtask.rs"]
mod microtask;
#[path = "../../tests/src/conformance/reading.rs"]
pub mod reading;

use common::{next_turn, sleep, spin, until, yield_now};
use core::future::{Future, pending, poll_fn};
use core::pin::Pin;
use core::task::Poll;
use core::time::Duration;
use metrics_wasm::metrics_core::{METRICS, Metric, MetricKind};
use metrics_wasm::{Monitor, RuntimeMetrics, Snapshot};
use reading::Reading;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use wasm_bindgen_test::wasm_bindgen_test;

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// A runtime under test.
trait Runtime {
    fn snapshot(&self) -> Snapshot;
    fn spawn(&self, task: Task);
    /// Spawns a task. The returned function cancels it.
    fn cancellable(&self, task: Task) -> Box<dyn FnOnce()>;
}

/// `wasm_bindgen_futures` through the wrapper.
struct Wrapped(Monitor);

impl Runtime for Wrapped {
    fn snapshot(&self) -> Snapshot {
        self.0.snapshot()
    }

    fn spawn(&self, task: Task) {
        self.0.spawn_local(task);
    }

    fn cancellable(&self, task: Task) -> Box<dyn FnOnce()> {
        // Its tasks can't be cancelled from outside, so the measured future is dropped inside one.
        let held = Rc::new(RefCell::new(Some(Box::pin(self.0.measure(task)))));
        let polled = Rc::clone(&held);
        wasm_bindgen_futures::spawn_local(poll_fn(move |cx| match polled.borrow_mut().as_mut() {
            Some(task) => task.as_mut().poll(cx),
            None => Poll::Ready(()),
        }));
        Box::new(move || drop(held.take()))
    }
}

/// The example executor, which calls the hooks of a worker.
struct Hooked(RuntimeMetrics);

impl Runtime for Hooked {
    fn snapshot(&self) -> Snapshot {
        self.0.snapshot()
    }

    fn spawn(&self, task: Task) {
        microtask::spawn(task).expect("installed").detach();
    }

    fn cancellable(&self, task: Task) -> Box<dyn FnOnce()> {
        let task = microtask::spawn(task).expect("installed");
        Box::new(move || drop(task))
    }
}

/// Which metrics have changed, stayed the same, or were `None` in the scenarios.
#[derive(Default)]
struct Ledger {
    moved: BTreeSet<&'static str>,
    stayed: BTreeSet<&'static str>,
    absent: BTreeSet<&'static str>,
}

/// Metrics that depend on time or on the current state, so that no scenario knows their change.
const FREE: &[&str] = &[
    "busy_duration_total",
    "mean_poll_time",
    "since",
    "state",
    "spawn_location",
];

impl Ledger {
    /// Asserts that each metric changed from `before` to `after` by the amount in `moves`, or not at all.
    fn check(&mut self, scenario: &str, before: &Reading, after: &Reading, moves: &[(&'static str, u64)]) {
        let moves: BTreeMap<_, _> = moves.iter().copied().collect();
        for &Metric { name, kind, .. } in METRICS {
            let (Some(was), Some(is)) = (before.value(name), after.value(name)) else {
                if kind != MetricKind::Gauge {
                    assert_eq!(
                        before.value(name),
                        after.value(name),
                        "{scenario}: {name} appears or goes"
                    );
                }
                self.absent.insert(name);
                continue;
            };
            if FREE.contains(&name) {
                continue;
            }
            let by = moves.get(name).copied().unwrap_or(0);
            assert_eq!(
                is.wrapping_sub(was),
                by,
                "{scenario}: {name} went from {was} to {is}"
            );
            let seen = if by == 0 {
                &mut self.stayed
            } else {
                &mut self.moved
            };
            seen.insert(name);
        }
    }

    /// Asserts that each measured metric has both changed and, in another scenario, not changed. Those in `constant` never change.
    fn check_all(&self, constant: &[&str], unmeasured: &[&str]) {
        for &Metric { name, .. } in METRICS {
            if unmeasured.contains(&name) {
                assert!(
                    self.absent.contains(name) && !self.moved.contains(name),
                    "{name} is measured"
                );
            } else if !FREE.contains(&name) {
                assert!(self.stayed.contains(name), "{name} was never seen to stay");
                assert!(
                    constant.contains(&name) || self.moved.contains(name),
                    "{name} was never seen to move"
                );
            }
        }
    }
}

/// A change by minus one, of numbers that wrap around.
const ONE_LESS: u64 = u64::MAX;
/// The changes of one turn of the host in which tasks ran.
const TURN: [(&str, u64); 2] = [("park_count", 1), ("park_unpark_count", 2)];

/// The changes of `n` polls of scheduled tasks.
const fn polls(n: u64) -> [(&'static str, u64); 3] {
    [("poll_count", n), ("poll_time", n), ("schedule_latency", n)]
}

/// `at_once` are the changes of the runtime's queue by a spawn, before any turn.
async fn play(
    runtime: &dyn Runtime,
    at_once: &[(&'static str, u64)],
    after_turn: &[(&'static str, u64)],
) -> Ledger {
    let mut ledger = Ledger::default();
    let read = || Reading::of(runtime.snapshot());

    let before = read();
    sleep(5.0).await;
    ledger.check("rest", &before, &read(), &[]);

    // A spawn is visible at once, before any poll.
    let before = read();
    runtime.spawn(Box::pin(yield_now()));
    let spawned = read();
    let alive = [
        ("spawned_tasks_count", 1),
        ("covered_tasks", 1),
        ("num_alive_tasks", 1),
    ];
    ledger.check("spawn", &before, &spawned, &[&alive, at_once].concat());
    next_turn().await;
    let ended = [
        ("completed_tasks_count", 1),
        ("covered_tasks", ONE_LESS),
        ("num_alive_tasks", ONE_LESS),
    ];
    let moves = [&ended[..], &polls(2), &TURN, after_turn].concat();
    ledger.check("two polls", &spawned, &read(), &moves);

    ledger
}

/// A task that is cancelled while it waits.
async fn cancel(runtime: &dyn Runtime, ledger: &mut Ledger, last_run: &[(&'static str, u64)]) {
    let cancel = runtime.cancellable(Box::pin(pending()));
    next_turn().await;
    let before = Reading::of(runtime.snapshot());
    cancel();
    next_turn().await;
    let moves = [
        ("cancelled_tasks_count", 1),
        ("covered_tasks", ONE_LESS),
        ("num_alive_tasks", ONE_LESS),
    ];
    let after = Reading::of(runtime.snapshot());
    ledger.check("cancel", &before, &after, &[&moves, last_run].concat());
}

/// Snapshots between the polls of busy tasks are coherent, no counter goes back, and all ends are counted.
async fn under_load(runtime: &dyn Runtime) {
    const TASKS: u64 = 20;
    const YIELDS: u64 = 50;
    let before = runtime.snapshot().total().poll_count().expect("counted");
    for _ in 0..TASKS {
        runtime.spawn(Box::pin(async {
            for _ in 0..YIELDS {
                yield_now().await;
            }
        }));
    }
    let mut last = before;
    until("the tasks are done", || {
        let snapshot = runtime.snapshot();
        let (total, alive) = (snapshot.total(), snapshot.num_alive_tasks());
        let polls = total.poll_count().expect("counted");
        assert_eq!(total.poll_time().map(|reading| reading.samples()), Some(polls));
        assert!(polls >= last && alive <= Some(TASKS));
        last = polls;
        alive == Some(0)
    })
    .await;
    assert_eq!(last - before, TASKS * (YIELDS + 1));
}

/// The metrics that a wrapper can't measure or that the host does not have.
const NOBODY: &[&str] = &[
    "noop_count",
    "steal_count",
    "steal_operations",
    "overflow_count",
    "overflow_tasks",
    "on_cpu_duration_total",
    "runnable_wait_duration_total",
    "parked_duration_total",
    "searching_duration_total",
    "polling_duration_total",
    "running_duration_total",
    "budget_forced_yield_count",
    "thread",
    "root_polls",
    "panicked_tasks_count",
    "global_queue_depth",
    "remote_schedule_count",
    "num_parked_workers",
    "num_blocking_threads",
    "num_idle_blocking_threads",
    "blocking_queue_depth",
    "blocking_queue_wait",
    "io_driver_fd_registered_count",
    "io_driver_fd_deregistered_count",
    "io_driver_ready_count",
    "poll_stall_count",
    "no_progress_stall_count",
    "queue_stall_count",
    "overload",
    "cpu_throttled_duration_total",
    "cpu_throttled_count",
    "poll_stall_duration",
    "no_progress_stall_duration",
    "queue_stall_duration",
    "loop_lag",
    "wake_latency",
];
/// Metrics that are facts, and those that can't change if a panic aborts.
const CONSTANT: &[&str] = &["num_workers", "started_at", "epoch", "panicked_tasks_count"];

fn without(unmeasured: &[&'static str], measured: &[&str]) -> Vec<&'static str> {
    unmeasured
        .iter()
        .copied()
        .filter(|name| !measured.contains(name))
        .collect()
}

#[wasm_bindgen_test]
async fn the_wrapper() {
    let monitor = Monitor::builder().build().expect("the defaults are valid");
    let reader = monitor.metrics();
    let runtime = Wrapped(monitor.clone());
    let at_once = [("local_schedule_count", 1), ("local_queue_depth", 1)];
    let after_turn = [("local_schedule_count", 1), ("local_queue_depth", ONE_LESS)];
    let mut ledger = play(&runtime, &at_once, &after_turn).await;
    cancel(&runtime, &mut ledger, &[]).await;

    // A measured future inside a measured task: its polls are nested, but both futures were spawned and woken.
    let before = Reading::of(runtime.snapshot());
    monitor.spawn_local(monitor.measure(yield_now()));
    next_turn().await;
    let nested = [
        ("nested_polls", 2),
        ("spawned_tasks_count", 2),
        ("completed_tasks_count", 2),
        ("local_schedule_count", 4),
    ];
    let moves = [&nested[..], &polls(2), &TURN].concat();
    ledger.check("nested", &before, &Reading::of(runtime.snapshot()), &moves);

    under_load(&runtime).await;
    ledger.check_all(CONSTANT, &without(NOBODY, &["panicked_tasks_count"]));

    // The metrics stay when the runtime is dropped.
    next_turn().await;
    let last = Reading::of(runtime.snapshot());
    drop((runtime, monitor));
    let gone = Reading::of(reader.snapshot());
    for metric in METRICS.iter().filter(|metric| metric.kind == MetricKind::Counter) {
        assert_eq!(
            gone.value(metric.name),
            last.value(metric.name),
            "{}",
            metric.name
        );
    }
}

#[wasm_bindgen_test]
async fn an_executor_with_hooks() {
    // The scenarios count turns, so no turn may end early on a slow machine.
    let runtime = Hooked(microtask::install("hooked", Duration::MAX).expect("the defaults are valid"));
    let mut ledger = play(&runtime, &[], &[("local_schedule_count", 2)]).await;
    // A cancelled task is scheduled once more, and a run of its own drops it.
    let last_run = [&polls(1)[..], &TURN, &[("local_schedule_count", 1)]].concat();
    cancel(&runtime, &mut ledger, &last_run).await;
    // Each turn ends after one poll, so that there are snapshots in between.
    under_load(&Hooked(
        microtask::install("loaded", Duration::ZERO).expect("the defaults are valid"),
    ))
    .await;
    let more = ["nested_polls", "local_queue_depth"];
    ledger.check_all(
        CONSTANT,
        &[&without(NOBODY, &["panicked_tasks_count"])[..], &more].concat(),
    );
}

#[wasm_bindgen_test]
async fn times_move_by_the_time_that_passed() {
    let monitor = Monitor::builder().build().expect("the defaults are valid");
    let before = monitor.snapshot();
    monitor.spawn_local(async { spin(30.0) });
    next_turn().await;
    let after = monitor.snapshot();
    let interval = after.since(&before).expect("of one runtime");
    let busy = interval.total().busy_duration_total().expect("measured");
    let sum = |snapshot| Reading::of(snapshot).sum("poll_time").expect("measured");
    let polled = sum(after) - sum(before);
    assert!(
        polled >= 29_000_000 && u128::from(polled) <= busy.as_nanos(),
        "{polled} ns of {busy:?}"
    );
    assert!(interval.wall().expect("measured") >= busy);
}
