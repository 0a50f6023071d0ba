//! The example for leptos: tasks that `any_spawner` spawns are measured.
#![cfg(target_family = "wasm")]

mod common;
#[path = "../examples/any_spawner.rs"]
mod example;

use any_spawner::Executor;
use common::{next_turn, yield_now};
use metrics_wasm::Monitor;
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
async fn tasks_of_any_spawner_are_measured() {
    example::install().expect("nothing else set an executor");
    Executor::spawn_local(yield_now());
    Executor::spawn(yield_now());
    next_turn().await;
    let snapshot = Monitor::current().expect("the defaults are valid").snapshot();
    assert_eq!(snapshot.completed_tasks_count(), Some(2));
    assert_eq!(snapshot.total().poll_count(), Some(4));
}
