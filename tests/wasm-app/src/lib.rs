//! The smallest app that has something to measure: what metrics add to its module is asserted by `cargo xtask wasm --test size`.

use core::future::poll_fn;
use core::task::Poll;
use wasm_bindgen::prelude::wasm_bindgen;

#[cfg(feature = "metrics")]
use metrics_wasm as metrics;
// What an app does by renaming the dependency.
#[cfg(all(feature = "mock", not(feature = "metrics")))]
use metrics_mock as metrics;

#[cfg(any(feature = "metrics", feature = "mock"))]
use metrics::spawn_local;
#[cfg(not(any(feature = "metrics", feature = "mock")))]
use wasm_bindgen_futures::spawn_local;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console)]
    fn log(text: &str);
}

/// Spawns one task that is polled twice.
#[wasm_bindgen]
pub fn work() {
    spawn_local(async {
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
        log("done");
    });
}

/// Reads one snapshot: the polls so far, where they are measured.
#[wasm_bindgen]
pub fn polls() -> Option<f64> {
    #[cfg(any(feature = "metrics", feature = "mock"))]
    return metrics::Monitor::current()
        .ok()
        .and_then(|monitor| monitor.snapshot().total().poll_count())
        .map(|polls| polls as f64);
    #[cfg(not(any(feature = "metrics", feature = "mock")))]
    None
}
