//! A build without the feature `record`, on a real host: `cargo test --package metrics-wasm --no-default-features`.
#![cfg(all(target_family = "wasm", not(feature = "record")))]

mod common;

use common::next_turn;
use core::cell::Cell;
use core::time::Duration;
use metrics_wasm::{EventLoop, Measured, Monitor, spawn_local};
use std::rc::Rc;
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
async fn tasks_run_and_no_metric_has_a_number() {
    let monitor = Monitor::builder().build().unwrap();
    let ran = Rc::new(Cell::new(0));
    let task = || {
        let ran = Rc::clone(&ran);
        async move { ran.set(ran.get() + 1) }
    };
    spawn_local(task());
    monitor.spawn_local(task());
    next_turn().await;
    assert_eq!(ran.get(), 2);
    let snapshot = Monitor::current().unwrap().snapshot();
    assert_eq!((snapshot.total().poll_count(), snapshot.tasks()), (None, None));
    let metrics = monitor.metrics();
    assert_eq!(
        (metrics.poll_count(), metrics.worker_local_queue_depth(0)),
        (Ok(None), Ok(None))
    );
}

#[wasm_bindgen_test]
fn a_measured_future_has_the_size_of_the_future() {
    assert_eq!(size_of::<Measured<[u8; 64]>>(), 64);
    assert_eq!(size_of::<Monitor>(), 0);
}

#[wasm_bindgen_test]
fn an_event_loop_is_not_watched() {
    let event_loop = EventLoop::watch(&Monitor::current().unwrap()).unwrap();
    let listener = event_loop.on_stall(Duration::ZERO, |_| ());
    let track = event_loop.show_in_devtools(Duration::ZERO);
    assert!(!event_loop.watch_frames());
    assert!(event_loop.snapshot().is_none());
    drop((listener, track));
}
