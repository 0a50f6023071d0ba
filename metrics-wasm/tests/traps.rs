//! A trap in a measured poll, which is what a panic is if it aborts. Nothing on the stack is dropped then.
#![cfg(target_family = "wasm")]

mod common;

use common::{next_turn, until, yield_now};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Waker};
use metrics_wasm::Monitor;
use metrics_wasm::metrics_core::WorkerState;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::{Closure, JsValue};
use wasm_bindgen_futures::js_sys::{Function, Reflect, global};
use wasm_bindgen_test::wasm_bindgen_test;

type Task = Pin<Box<dyn Future<Output = ()>>>;

fn monitor() -> Monitor {
    Monitor::builder().build().expect("the defaults are valid")
}

/// Polls a task through JavaScript, as the host calls an executor. Returns whether it trapped.
fn poll(task: &Rc<RefCell<Task>>) -> bool {
    let task = Rc::clone(task);
    let job = Closure::<dyn FnMut()>::new(move || {
        let _ = task
            .borrow_mut()
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
    });
    let job: Function = job.into_js_value().into();
    job.call0(&JsValue::UNDEFINED).is_err()
}

fn shared(task: impl Future<Output = ()> + 'static) -> Rc<RefCell<Task>> {
    Rc::new(RefCell::new(Box::pin(task)))
}

/// Ends like a panic that aborts.
async fn trap() {
    core::arch::wasm32::unreachable()
}

#[wasm_bindgen_test]
async fn a_trap_in_a_poll_counts_as_a_panic_and_later_polls_are_measured() {
    let monitor = monitor();
    assert!(poll(&shared(monitor.measure(trap()))));
    for _ in 0..10 {
        monitor.spawn_local(yield_now());
    }
    until("the tasks are done", || {
        monitor.snapshot().completed_tasks_count() == Some(10)
    })
    .await;
    until("the trap is counted", || {
        monitor.snapshot().panicked_tasks_count() == Some(1)
    })
    .await;
    let snapshot = monitor.snapshot();
    let worker = snapshot.worker(0).unwrap();
    assert_eq!((worker.poll_count(), worker.nested_polls()), (Some(21), Some(0)));
    assert_eq!(worker.poll_time().unwrap().samples(), 21);
    assert_eq!(worker.state(), Some(WorkerState::Parked));
    assert_eq!(snapshot.num_alive_tasks(), Some(0));
    assert_eq!(worker.local_queue_depth(), Some(0));
}

#[wasm_bindgen_test]
async fn a_trap_in_a_nested_poll_ends_both_tasks() {
    let monitor = monitor();
    let inner = monitor.measure(trap());
    assert!(poll(&shared(monitor.measure(inner))));
    until("both are counted", || {
        monitor.snapshot().panicked_tasks_count() == Some(2)
    })
    .await;
    let snapshot = monitor.snapshot();
    let worker = snapshot.worker(0).unwrap();
    assert_eq!((worker.poll_count(), worker.nested_polls()), (Some(1), Some(1)));
    assert_eq!(snapshot.num_alive_tasks(), Some(0));
}

/// Replaces the host's `queueMicrotask` until it is dropped, and keeps the jobs.
struct HeldMicrotasks {
    original: JsValue,
    held: Rc<RefCell<Vec<Function>>>,
}

impl HeldMicrotasks {
    fn new() -> Self {
        let held: Rc<RefCell<Vec<Function>>> = Rc::default();
        let jobs = Rc::clone(&held);
        let keep = Closure::<dyn Fn(Function)>::new(move |job| jobs.borrow_mut().push(job));
        let original = Reflect::get(&global(), &"queueMicrotask".into()).unwrap();
        Reflect::set(&global(), &"queueMicrotask".into(), &keep.into_js_value()).unwrap();
        Self { original, held }
    }
}

impl Drop for HeldMicrotasks {
    fn drop(&mut self) {
        Reflect::set(&global(), &"queueMicrotask".into(), &self.original).unwrap();
    }
}

#[wasm_bindgen_test]
async fn a_microtask_that_the_host_runs_inside_a_poll_is_no_trap() {
    let monitor = monitor();
    let microtasks = HeldMicrotasks::new();
    let held = Rc::clone(&microtasks.held);
    let task = monitor.measure(async move {
        // The end of the turn, while the poll is in progress.
        for job in held.take() {
            job.call0(&JsValue::UNDEFINED).unwrap();
        }
        assert_eq!(held.borrow().len(), 0);
    });
    assert!(!poll(&shared(task)));
    drop(microtasks);
    next_turn().await;
    next_turn().await;
    let snapshot = monitor.snapshot();
    assert_eq!(snapshot.panicked_tasks_count(), Some(0));
    assert_eq!(snapshot.completed_tasks_count(), Some(1));
    assert_eq!(snapshot.total().poll_count(), Some(1));
    monitor.spawn_local(yield_now());
    next_turn().await;
    assert_eq!(monitor.snapshot().total().poll_count(), Some(3));
}
