//! A page with its own executor, which `microtask.rs` implements.

mod microtask;

use core::time::Duration;
use wasm_bindgen::prelude::wasm_bindgen;

/// How long tasks run before the host gets its turn: about a third of a frame at 60 frames per second.
const BUDGET: Duration = Duration::from_millis(5);

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console)]
    fn log(text: &str);
}

fn main() {
    let metrics = match microtask::install("example", BUDGET) {
        Ok(metrics) => metrics,
        Err(error) => return log(&format!("no executor: {error}")),
    };
    let task = microtask::spawn(async move {
        log(&format!(
            "{} has {:?} worker",
            metrics.name(),
            metrics.num_workers()
        ));
    });
    if let Some(task) = task {
        task.detach();
    }
}
