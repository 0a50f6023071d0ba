//! Shared by the tests on a JavaScript host.
#![allow(dead_code, reason = "each test binary uses its own part")]

use core::future::poll_fn;
use core::task::Poll;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_futures::js_sys::{Function, Promise, Reflect, global};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(job: &Function, ms: f64);

    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    pub(crate) fn now() -> f64;
}

/// How many milliseconds a test waits at most: longer than the slowest machine needs, so that a failing test ends.
pub(crate) const PATIENCE: f64 = 60_000.0;

/// Waits until a condition holds, checking it in separate turns of the host. On a busy machine no fixed delay is right.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = now();
    while !is_so() {
        let waited = now() - start;
        assert!(waited < PATIENCE, "after {waited} ms still not: {what}");
        sleep(1.0).await;
    }
}

/// Ends after `ms` milliseconds in a new turn of the host, when every microtask queued before has run.
pub(crate) async fn sleep(ms: f64) {
    let promise = Promise::new(&mut |resolve, _| set_timeout(&resolve, ms));
    let _ = JsFuture::from(promise).await;
}

/// Ends in the host's next turn, when every microtask queued before has run.
pub(crate) async fn next_turn() {
    sleep(0.0).await;
}

/// Wakes itself and is pending once.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Keeps the thread busy for `ms` milliseconds.
pub(crate) fn spin(ms: f64) {
    let end = now() + ms;
    while now() < end {}
}

/// Whether the host is Node.
pub(crate) fn is_node() -> bool {
    has("process")
}

/// Whether the host is a page, and not a worker.
pub(crate) fn is_page() -> bool {
    has("document")
}

fn has(name: &str) -> bool {
    Reflect::has(&global(), &name.into()).unwrap_or(false)
}
