//! Bindings to the parts of the host that only the watch of the event loop needs.

use crate::host::Timer;
use js_sys::Function;
use wasm_bindgen::prelude::{Closure, JsCast, JsValue, wasm_bindgen};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_name = clearTimeout)]
    pub(super) fn clear_timeout(timer: &Timer) -> Result<(), JsValue>;

    type NodeTimer;

    /// Node only: stops the timer from keeping the process alive. A getter, because a call that throws leaks memory.
    #[wasm_bindgen(method, getter)]
    fn unref(this: &NodeTimer) -> Option<Function>;

    #[wasm_bindgen(catch, js_name = requestAnimationFrame)]
    pub(super) fn request_animation_frame(callback: &JsValue) -> Result<f64, JsValue>;

    #[wasm_bindgen(catch, js_name = cancelAnimationFrame)]
    pub(super) fn cancel_animation_frame(request: f64) -> Result<(), JsValue>;

    /// The times that Node measures for its event loop.
    type Utilization;

    #[wasm_bindgen(method, getter)]
    fn active(this: &Utilization) -> f64;

    type NodePerformance;

    /// Node only. A getter, because a call that throws leaks memory.
    #[wasm_bindgen(method, getter, js_name = eventLoopUtilization)]
    fn event_loop_utilization(this: &NodePerformance) -> Option<Function>;

    #[wasm_bindgen(thread_local_v2, js_name = performance)]
    static NODE_PERFORMANCE: Option<NodePerformance>;

    /// The User Timing part of `Performance`.
    pub(super) type UserTiming;

    #[wasm_bindgen(method, catch)]
    pub(super) fn measure(this: &UserTiming, name: &str, options: &JsValue) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = clearMeasures)]
    pub(super) fn clear_measures(this: &UserTiming, name: &str) -> Result<(), JsValue>;

    #[wasm_bindgen(thread_local_v2, js_name = performance)]
    static USER_TIMING: Option<UserTiming>;

    pub(super) type PerformanceObserver;

    #[wasm_bindgen(constructor, catch)]
    pub(super) fn new(callback: &Closure<dyn FnMut(EntryList)>) -> Result<PerformanceObserver, JsValue>;

    #[wasm_bindgen(static_method_of = PerformanceObserver, catch, getter, js_name = supportedEntryTypes)]
    pub(super) fn supported_entry_types() -> Result<Vec<String>, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(super) fn observe(this: &PerformanceObserver, options: &JsValue) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(super) fn disconnect(this: &PerformanceObserver) -> Result<(), JsValue>;

    pub(super) type EntryList;

    #[wasm_bindgen(method, js_name = getEntries)]
    pub(super) fn entries(this: &EntryList) -> Vec<Entry>;

    /// A `PerformanceEntry`. Its times are milliseconds since the time origin.
    pub(super) type Entry;

    #[wasm_bindgen(method, getter, js_name = startTime)]
    pub(super) fn start_time(this: &Entry) -> f64;

    #[wasm_bindgen(method, getter)]
    pub(super) fn duration(this: &Entry) -> f64;

    /// Those of a long animation frame. Other entries have none.
    #[wasm_bindgen(method, getter)]
    pub(super) fn scripts(this: &Entry) -> Option<Vec<ScriptTiming>>;

    /// A `PerformanceScriptTiming`.
    #[wasm_bindgen(extends = Entry)]
    pub(super) type ScriptTiming;

    #[wasm_bindgen(method, getter, js_name = sourceURL)]
    pub(super) fn source_url(this: &ScriptTiming) -> Option<String>;

    #[wasm_bindgen(method, getter, js_name = sourceFunctionName)]
    pub(super) fn source_function_name(this: &ScriptTiming) -> Option<String>;

    #[wasm_bindgen(method, getter, js_name = sourceCharPosition)]
    pub(super) fn source_char_position(this: &ScriptTiming) -> Option<i32>;

    #[wasm_bindgen(method, getter)]
    pub(super) fn invoker(this: &ScriptTiming) -> Option<String>;
}

/// Stops a timer from keeping a Node process alive. Does nothing in a browser.
pub(super) fn unref(timer: &Timer) {
    if let Some(unref) = timer.unchecked_ref::<NodeTimer>().unref() {
        // `unref` of Node's own timer does not throw.
        let _ = unref.call0(timer.as_ref());
    }
}

/// Returns the milliseconds that Node's event loop was busy. `None` on other hosts.
pub(super) fn active_millis() -> Option<f64> {
    NODE_PERFORMANCE.with(|performance| {
        let performance = performance.as_ref()?;
        let utilization = performance.event_loop_utilization()?.call0(performance.as_ref());
        Some(utilization.ok()?.unchecked_into::<Utilization>().active())
    })
}

impl UserTiming {
    /// Calls `f` if this global object has a `performance`.
    pub(super) fn with(f: impl FnOnce(&Self)) {
        USER_TIMING.with(|timing| timing.as_ref().map(f));
    }
}
