//! Measured futures on the executor of `wasm_bindgen_futures`, in Node, a page and a dedicated worker.
#![cfg(target_family = "wasm")]

mod common;

use common::{next_turn, now, sleep, spin, yield_now};
use core::cell::{Cell, RefCell};
use core::future::{pending, poll_fn};
use core::num::NonZeroU32;
use core::task::{Poll, Waker};
use core::time::Duration;
use metrics_wasm::metrics_core::{Sampling, TimeSource, WorkerState};
use metrics_wasm::{AlreadyInstalled, Monitor, PerformanceClock};
use std::rc::Rc;
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use wasm_bindgen_futures::js_sys::{Function, Object, Reflect, global};
use wasm_bindgen_test::wasm_bindgen_test;

fn monitor() -> Monitor {
    Monitor::builder().build().expect("the defaults are valid")
}

fn resolution() -> Duration {
    PerformanceClock::new()
        .expect("every host that tests run on has a clock")
        .resolution()
}

#[wasm_bindgen_test]
async fn every_poll_and_every_end_is_counted_once() {
    let monitor = monitor();
    for _ in 0..10 {
        monitor.spawn_local(async {
            for _ in 0..3 {
                yield_now().await;
            }
        });
    }
    let before = monitor.snapshot();
    assert_eq!(before.num_alive_tasks(), Some(10));
    assert_eq!(before.worker(0).unwrap().local_queue_depth(), Some(10));
    assert_eq!(before.worker(0).unwrap().poll_count(), Some(0));

    next_turn().await;
    let after = monitor.snapshot();
    let worker = after.worker(0).unwrap();
    assert_eq!(worker.poll_count(), Some(40));
    assert_eq!(worker.poll_time().unwrap().samples(), 40);
    assert_eq!(worker.schedule_latency().unwrap().samples(), 40);
    assert_eq!(worker.local_schedule_count(), Some(40));
    assert_eq!(worker.local_queue_depth(), Some(0));
    assert_eq!(worker.nested_polls(), Some(0));
    assert_eq!(monitor.self_wake_count(), Some(30));
    assert_eq!(after.spawned_tasks_count(), Some(10));
    assert_eq!(after.completed_tasks_count(), Some(10));
    assert_eq!(after.num_alive_tasks(), Some(0));
    assert_eq!(worker.state(), Some(WorkerState::Parked));
    assert_eq!(
        worker.park_count(),
        Some(2),
        "one at the start, one at the end of the turn"
    );
    assert_eq!(worker.park_unpark_count(), Some(3));
}

#[wasm_bindgen_test]
async fn a_metric_that_a_wrapper_cannot_measure_is_none() {
    let monitor = monitor();
    monitor.spawn_local(async {});
    next_turn().await;
    let snapshot = monitor.snapshot();
    let worker = snapshot.worker(0).unwrap();
    assert_eq!(worker.steal_count(), None);
    assert_eq!(worker.noop_count(), None);
    assert_eq!(worker.budget_forced_yield_count(), None);
    assert_eq!(snapshot.io_driver_ready_count(), None);
    assert_eq!(snapshot.remote_schedule_count(), None);
}

#[wasm_bindgen_test]
async fn a_dropped_task_is_cancelled_and_leaves_the_queue() {
    let monitor = monitor();
    drop(monitor.measure(pending::<()>()));
    let mut polled = Box::pin(monitor.measure(pending::<()>()));
    let _ = polled
        .as_mut()
        .poll(&mut core::task::Context::from_waker(Waker::noop()));
    drop(polled);
    let snapshot = monitor.snapshot();
    assert_eq!(snapshot.cancelled_tasks_count(), Some(2));
    assert_eq!(snapshot.completed_tasks_count(), Some(0));
    assert_eq!(snapshot.num_alive_tasks(), Some(0));
    assert_eq!(snapshot.worker(0).unwrap().local_queue_depth(), Some(0));
    assert_eq!(snapshot.worker(0).unwrap().poll_count(), Some(1));
}

#[wasm_bindgen_test]
async fn a_waker_that_outlives_its_task_schedules_nothing() {
    let monitor = monitor();
    let kept: Rc<RefCell<Option<Waker>>> = Rc::default();
    let slot = Rc::clone(&kept);
    monitor.spawn_local(poll_fn(move |cx| {
        *slot.borrow_mut() = Some(cx.waker().clone());
        Poll::Ready(())
    }));
    next_turn().await;
    kept.take().expect("polled").wake();
    next_turn().await;
    let snapshot = monitor.snapshot();
    assert_eq!(snapshot.worker(0).unwrap().local_queue_depth(), Some(0));
    assert_eq!(snapshot.worker(0).unwrap().local_schedule_count(), Some(1));
    assert_eq!(snapshot.worker(0).unwrap().poll_count(), Some(1));
}

#[wasm_bindgen_test]
async fn time_in_polls_is_measured_and_counts_as_busy() {
    let monitor = monitor();
    monitor.spawn_local(async { spin(20.0) });
    next_turn().await;
    let snapshot = monitor.snapshot();
    let worker = snapshot.worker(0).unwrap();
    let at_least = Duration::from_millis(20).saturating_sub(resolution());
    let longest = worker.poll_time().unwrap().histogram().max().unwrap();
    assert!(Duration::from_nanos(longest) >= at_least, "{longest} ns");
    assert!(worker.busy_duration_total().unwrap() >= at_least);
    let idle = worker.busy_duration_total();
    sleep(20.0).await;
    assert_eq!(
        monitor.snapshot().worker(0).unwrap().busy_duration_total(),
        idle,
        "waiting is not busy"
    );
}

#[wasm_bindgen_test]
async fn schedule_latency_is_from_the_first_wake_to_the_poll() {
    let monitor = monitor();
    let kept: Rc<RefCell<Option<Waker>>> = Rc::default();
    let done = Rc::new(Cell::new(false));
    let (slot, stop) = (Rc::clone(&kept), Rc::clone(&done));
    monitor.spawn_local(poll_fn(move |cx| {
        *slot.borrow_mut() = Some(cx.waker().clone());
        if stop.get() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }));
    next_turn().await;
    done.set(true);
    let waker = kept.take().expect("polled");
    waker.wake_by_ref();
    spin(20.0);
    waker.wake();
    assert_eq!(monitor.snapshot().worker(0).unwrap().local_queue_depth(), Some(1));
    next_turn().await;
    let snapshot = monitor.snapshot();
    let latency = snapshot
        .worker(0)
        .unwrap()
        .schedule_latency()
        .unwrap()
        .histogram()
        .max()
        .unwrap();
    assert!(
        Duration::from_nanos(latency) >= Duration::from_millis(20).saturating_sub(resolution()),
        "{latency} ns"
    );
    assert_eq!(
        snapshot.worker(0).unwrap().local_schedule_count(),
        Some(2),
        "the second wake found it scheduled"
    );
}

#[wasm_bindgen_test]
async fn polls_inside_a_measured_poll_are_nested() {
    let monitor = monitor();
    let inner = monitor.measure(yield_now());
    monitor.spawn_local(inner);
    let both = monitor.clone();
    monitor.spawn_local(async move { both.measure(yield_now()).await });
    next_turn().await;
    let snapshot = monitor.snapshot();
    let worker = snapshot.worker(0).unwrap();
    assert_eq!(worker.poll_count(), Some(4), "two tasks of two polls");
    assert_eq!(worker.nested_polls(), Some(4));
    assert_eq!(worker.poll_time().unwrap().samples(), 4);
    assert_eq!(worker.local_queue_depth(), Some(0));
}

#[wasm_bindgen_test]
async fn without_a_clock_it_counts_and_measures_no_time() {
    let monitor = Monitor::builder()
        .clock(PerformanceClock::UNAVAILABLE)
        .build()
        .expect("the defaults are valid");
    monitor.spawn_local(yield_now());
    next_turn().await;
    let snapshot = monitor.snapshot();
    let worker = snapshot.worker(0).unwrap();
    assert_eq!(worker.poll_count(), Some(2));
    assert_eq!(worker.local_queue_depth(), Some(0));
    assert_eq!(worker.busy_duration_total(), None);
    assert_eq!(worker.mean_poll_time(), None);
    assert!(worker.poll_time().is_none());
    assert!(worker.schedule_latency().is_none());
}

#[wasm_bindgen_test]
async fn a_switch_takes_effect_at_the_next_turn() {
    let monitor = monitor();
    monitor
        .metrics()
        .registry()
        .switches()
        .set_poll_time(Sampling::Off);
    monitor
        .metrics()
        .registry()
        .switches()
        .set_schedule_latency(Sampling::Off);
    let _ = monitor.snapshot();
    monitor.spawn_local(yield_now());
    next_turn().await;
    let snapshot = monitor.snapshot();
    let worker = snapshot.worker(0).unwrap();
    assert_eq!(worker.poll_count(), Some(2));
    assert_eq!(worker.poll_time().unwrap().samples(), 0);
    assert_eq!(worker.poll_time().unwrap().polls(), 2);
    assert_eq!(worker.schedule_latency().unwrap().samples(), 0);
}

#[wasm_bindgen_test]
async fn a_turn_ends_while_tasks_wait_for_another_executor() {
    let monitor = monitor();
    let mut task = Box::pin(monitor.measure(yield_now()));
    let waker = Waker::noop();
    assert!(
        task.as_mut()
            .poll(&mut core::task::Context::from_waker(waker))
            .is_pending()
    );
    assert_eq!(
        monitor.snapshot().worker(0).unwrap().state(),
        Some(WorkerState::Running)
    );
    // The task woke itself and is not polled. A turn that waited for it would never end.
    next_turn().await;
    let snapshot = monitor.snapshot();
    assert_eq!(snapshot.worker(0).unwrap().state(), Some(WorkerState::Parked));
    assert_eq!(snapshot.worker(0).unwrap().local_queue_depth(), Some(1));
}

#[wasm_bindgen_test]
async fn the_live_record_has_the_spawn_location() {
    let monitor = monitor();
    let reader = monitor.metrics();
    let seen = Rc::new(RefCell::new(String::new()));
    let out = Rc::clone(&seen);
    let line = line!() + 1;
    monitor.spawn_local(async move {
        let snapshot = reader.snapshot();
        let worker = snapshot.worker(0).unwrap();
        assert_eq!(worker.state(), Some(WorkerState::Polling));
        worker.spawn_location_name().clone_into(&mut out.borrow_mut());
    });
    next_turn().await;
    let seen = seen.take();
    assert!(
        seen.contains(&format!("{}:{line}:", file!())),
        "{seen}, spawned on line {line}"
    );
}

#[wasm_bindgen_test]
fn the_clock_moves_in_steps_of_its_resolution() {
    let clock = || PerformanceClock::new().expect("every host that tests run on has a clock");
    // A measurement that is interrupted at each step finds too large a step. Ten in a row are not.
    let step = (0..10).map(|_| clock().resolution()).min().unwrap();
    assert!(
        step > Duration::ZERO && step <= Duration::from_millis(1),
        "{step:?}"
    );

    let clock = clock();
    let start = now();
    let before = clock.now();
    spin(2.0);
    let nanos = clock.now().ticks() - before.ticks();
    // Both ends are rounded to a nanosecond.
    let most = (now() - start) * 1e6 + 1.0;
    assert!(
        nanos >= 1_999_999 && nanos as f64 <= most,
        "{nanos} ns for 2 ms, within {most} ns"
    );
    // After 2020, as nanoseconds since the Unix epoch.
    assert!(before.ticks() > 1_577_836_800_000_000_000);
}

#[wasm_bindgen_test]
fn a_thread_has_one_current_monitor() {
    let first = Monitor::current().expect("the defaults are valid");
    drop(first.measure(pending::<()>()));
    let again = Monitor::current().expect("the defaults are valid");
    assert_eq!(
        again.snapshot().spawned_tasks_count(),
        first.snapshot().spawned_tasks_count()
    );
    assert_eq!(monitor().install(), Err(AlreadyInstalled));
}

/// Counts the readings of `performance.now()` until it is dropped.
struct CountedReads {
    performance: Object,
    reads: Rc<Cell<u32>>,
    /// Called in place of the host's function.
    _now: Closure<dyn FnMut() -> JsValue>,
}

impl CountedReads {
    fn start() -> Self {
        let get = |object: &JsValue, name: &str| Reflect::get(object, &name.into()).expect("it exists");
        let performance = get(&global(), "performance");
        let now: Function = get(&performance, "now").unchecked_into();
        let reads = Rc::new(Cell::new(0));
        let (counted, host) = (Rc::clone(&reads), performance.clone());
        let now = Closure::new(move || {
            counted.set(counted.get() + 1);
            now.call0(&host).expect("it does not throw")
        });
        Reflect::set(&performance, &"now".into(), now.as_ref()).expect("it can be replaced");
        Self {
            performance: performance.unchecked_into(),
            reads,
            _now: now,
        }
    }
}

impl Drop for CountedReads {
    fn drop(&mut self) {
        // The function of the prototype is then visible again.
        Reflect::delete_property(&self.performance, &"now".into()).expect("it was added");
    }
}

#[wasm_bindgen_test]
async fn a_wake_reads_the_clock_only_if_its_poll_is_sampled() {
    const YIELDS: u32 = 2_000;
    let one_in_100 = Sampling::OneIn(NonZeroU32::new(100).unwrap());
    let monitor = Monitor::builder()
        .poll_time_sampling(Sampling::Off)
        .schedule_latency_sampling(one_in_100)
        .build()
        .expect("the settings are valid");
    let reads = CountedReads::start();
    monitor.spawn_local(async {
        for _ in 0..YIELDS {
            yield_now().await;
        }
    });
    next_turn().await;
    let read = reads.reads.get();
    drop(reads);
    let snapshot = monitor.snapshot();
    let worker = snapshot.worker(0).unwrap();
    assert_eq!(worker.poll_count(), Some(u64::from(YIELDS) + 1));
    let samples = worker.schedule_latency().unwrap().samples();
    assert!((1..200).contains(&samples), "{samples} samples");
    // Two for each sample, and a few for the turn and for polls that are not timed.
    assert!(read < YIELDS / 2, "{read} reads, {samples} samples");
}
