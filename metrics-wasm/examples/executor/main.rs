//! An executor of our own in a page: `microtask.rs` is the part to read.

mod microtask;

use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console)]
    fn log(text: &str);
}

fn main() {
    let metrics = match microtask::install("example") {
        Ok(metrics) => metrics,
        Err(error) => return log(&format!("no executor: {error:?}")),
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
