//! The smallest app that has something to measure: what metrics add to its module is asserted by `cargo xtask wasm --test size`.

use core::future::poll_fn;
use core::task::Poll;
use wasm_bindgen::prelude::wasm_bindgen;

#[cfg(feature = "hooks")]
use metrics_wasm::spawn_local;
#[cfg(not(feature = "hooks"))]
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

/// Reads one snapshot: the polls so far, where they are recorded.
#[wasm_bindgen]
pub fn polls() -> Option<f64> {
    #[cfg(feature = "record")]
    return metrics_wasm::Monitor::current()
        .ok()
        .and_then(|monitor| monitor.snapshot().total().poll_count())
        .map(|polls| polls as f64);
    #[cfg(not(feature = "record"))]
    None
}
