//! Bindings to the JavaScript host. Each name is looked up on the global object, so no `window` is needed.
//!
//! A name that the host does not have is `None`, and a call that throws returns `Err`.

use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

#[wasm_bindgen]
extern "C" {
    /// The `Performance` interface. Hosts provide different parts of it.
    #[derive(Clone)]
    pub(crate) type Performance;

    /// Returns the milliseconds since the time origin of this global object.
    #[wasm_bindgen(method)]
    pub(crate) fn now(this: &Performance) -> f64;

    /// Returns the milliseconds from the Unix epoch to the time origin. `None` in workers of old browsers.
    #[wasm_bindgen(method, getter, js_name = timeOrigin)]
    pub(crate) fn time_origin(this: &Performance) -> Option<f64>;

    #[wasm_bindgen(thread_local_v2, js_name = performance)]
    pub(crate) static PERFORMANCE: Option<Performance>;

    /// Runs `job` as a microtask: after the current job, and before rendering, timers and input.
    #[wasm_bindgen(catch, js_name = queueMicrotask)]
    pub(crate) fn queue_microtask(job: &JsValue) -> Result<(), JsValue>;

    /// Runs `job` as a task of its own, after at least `ms` milliseconds.
    #[wasm_bindgen(catch, js_name = setTimeout)]
    pub(crate) fn set_timeout(job: &JsValue, ms: f64) -> Result<Timer, JsValue>;

    /// A number in browsers, an object in Node.
    pub(crate) type Timer;
}
