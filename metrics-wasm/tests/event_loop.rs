//! The watch over the event loop, in Node, a page and a dedicated worker.
#![cfg(target_family = "wasm")]

mod common;

use common::{sleep, spin};
use core::cell::RefCell;
use core::time::Duration;
use metrics_wasm::{Builder, EventLoop, Monitor, PerformanceClock, Stall, StallSource, WatchError};
use std::rc::Rc;
use wasm_bindgen_test::wasm_bindgen_test;

fn watched() -> (Monitor, EventLoop) {
    let monitor = Builder::new().build().expect("the defaults are valid");
    let event_loop =
        EventLoop::watch_every(&monitor, Duration::from_millis(10)).expect("hosts of tests have timers");
    (monitor, event_loop)
}

fn record(event_loop: &EventLoop, ms: u64) -> (Rc<RefCell<Vec<Stall>>>, metrics_wasm::StallListener) {
    let stalls: Rc<RefCell<Vec<Stall>>> = Rc::default();
    let seen = Rc::clone(&stalls);
    let listener = event_loop.on_stall(Duration::from_millis(ms), move |stall| {
        seen.borrow_mut().push(*stall)
    });
    (stalls, listener)
}

#[wasm_bindgen_test]
async fn a_block_outside_any_poll_is_one_stall() {
    let (_monitor, event_loop) = watched();
    let (stalls, _listener) = record(&event_loop, 100);
    sleep(30.0).await;
    spin(200.0);
    assert!(stalls.borrow().is_empty(), "nobody can tell while it lasts");
    sleep(100.0).await;
    let stalls = stalls.borrow();
    let [stall] = stalls[..] else { panic!("{stalls:?}") };
    assert!(
        matches!(stall.source, StallSource::LongTask | StallSource::Probe),
        "{stall:?}"
    );
    assert!((180..400).contains(&stall.duration.as_millis()), "{stall:?}");
    let snapshot = event_loop.snapshot();
    assert!(snapshot.loop_lag.max().unwrap() >= 180_000_000);
    assert!(
        snapshot.loop_busy_duration_total >= Duration::from_millis(150),
        "{snapshot:?}"
    );
    if let Some(long_tasks) = snapshot.long_task_time {
        assert!(long_tasks.max().unwrap() >= 190_000_000, "{long_tasks:?}");
    }
}

#[wasm_bindgen_test]
async fn a_block_in_a_poll_names_its_task() {
    let (monitor, event_loop) = watched();
    let (stalls, _listener) = record(&event_loop, 100);
    sleep(30.0).await;
    let line = line!() + 1;
    monitor.spawn_local(async { spin(150.0) });
    sleep(200.0).await;
    let stalls = stalls.borrow();
    let [stall] = stalls[..] else { panic!("{stalls:?}") };
    assert_eq!(stall.source, StallSource::Poll);
    assert!((149..400).contains(&stall.duration.as_millis()), "{stall:?}");
    assert_eq!(
        metrics_wasm::location(stall.site).map(core::panic::Location::line),
        Some(line)
    );
}

#[wasm_bindgen_test]
async fn a_listener_that_is_dropped_hears_no_more() {
    let (_monitor, event_loop) = watched();
    let (few, listener) = record(&event_loop, 50);
    let (all, _listener) = record(&event_loop, 50);
    let (none, _too_long) = record(&event_loop, 10_000);
    sleep(20.0).await;
    spin(120.0);
    sleep(100.0).await;
    drop(listener);
    spin(120.0);
    sleep(100.0).await;
    assert_eq!(
        (few.borrow().len(), all.borrow().len(), none.borrow().len()),
        (1, 2, 0),
        "{all:?}"
    );
}

#[wasm_bindgen_test]
async fn a_watch_that_is_dropped_ends() {
    let (_monitor, event_loop) = watched();
    let (stalls, _listener) = record(&event_loop, 50);
    drop(event_loop);
    spin(120.0);
    sleep(60.0).await;
    assert!(stalls.borrow().is_empty());
}

#[wasm_bindgen_test]
fn without_a_clock_there_is_no_watch() {
    let monitor = Builder::new()
        .clock(PerformanceClock::ABSENT)
        .build()
        .expect("the defaults are valid");
    assert_eq!(EventLoop::watch(&monitor).map(drop), Err(WatchError::NoClock));
}
