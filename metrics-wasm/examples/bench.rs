//! Measures the cost of a measured poll: JavaScript times the same tasks with and without metrics.

use core::cell::Cell;
use core::future::poll_fn;
use core::task::{Poll, Waker};
use metrics_wasm::{EventLoop, Monitor};
use std::rc::Rc;
use wasm_bindgen::prelude::wasm_bindgen;

/// Runs `tasks` tasks of `polls` polls each. Each poll but the last wakes its own task and does nothing else.
///
/// `mode` is "bare" to spawn them by `wasm_bindgen_futures` alone, "measured" to measure them with both histograms, or "watched" to
/// listen for stalls as well.
#[wasm_bindgen]
pub async fn run(mode: String, tasks: u32, polls: u32) {
    let left = Rc::new(Cell::new(tasks));
    let over: Rc<Cell<Option<Waker>>> = Rc::default();
    let watch = match (mode.as_str(), Monitor::current()) {
        ("watched", Ok(monitor)) => EventLoop::watch(&monitor).ok().map(|watch| {
            let listener = watch.on_stall(core::time::Duration::from_secs(10), |_| ());
            (watch, listener)
        }),
        _ => None,
    };
    for _ in 0..tasks {
        let (left, over) = (Rc::clone(&left), Rc::clone(&over));
        let task = async move {
            yields(polls).await;
            left.set(left.get() - 1);
            if left.get() == 0
                && let Some(waker) = over.take()
            {
                waker.wake();
            }
        };
        if mode == "bare" {
            wasm_bindgen_futures::spawn_local(task);
        } else {
            metrics_wasm::spawn_local(task);
        }
    }
    poll_fn(|cx| {
        if left.get() == 0 {
            return Poll::Ready(());
        }
        over.set(Some(cx.waker().clone()));
        Poll::Pending
    })
    .await;
    drop(watch);
}

async fn yields(polls: u32) {
    let mut left = polls;
    poll_fn(|cx| {
        left -= 1;
        if left == 0 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The number of polls that this thread's monitor counted.
#[wasm_bindgen]
pub fn polls() -> Option<u64> {
    Monitor::current().ok()?.snapshot().total().poll_count()
}
