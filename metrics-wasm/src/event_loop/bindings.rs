//! The parts of a host that only watching its event loop needs.

use wasm_bindgen::prelude::{Closure, JsValue, wasm_bindgen};

#[wasm_bindgen]
extern "C" {
    /// Runs `job` as a task of its own, `ms` milliseconds from now at the earliest.
    #[wasm_bindgen(catch, js_name = setTimeout)]
    pub(super) fn set_timeout(job: &Closure<dyn FnMut()>, ms: f64) -> Result<Timer, JsValue>;

    #[wasm_bindgen(catch, js_name = clearTimeout)]
    pub(super) fn clear_timeout(timer: &Timer) -> Result<(), JsValue>;

    /// A number in browsers, an object in Node.
    pub(super) type Timer;

    /// Node: the timer does not keep the process alive.
    #[wasm_bindgen(method, catch)]
    pub(super) fn unref(this: &Timer) -> Result<JsValue, JsValue>;

    pub(super) type Document;

    /// Browsers throttle the timers of a page that nobody sees.
    #[wasm_bindgen(method, getter)]
    pub(super) fn hidden(this: &Document) -> bool;

    #[wasm_bindgen(thread_local_v2, js_name = document)]
    pub(super) static DOCUMENT: Option<Document>;

    /// Node's event loop keeps account of itself.
    pub(super) type Utilization;

    #[wasm_bindgen(method, getter)]
    pub(super) fn active(this: &Utilization) -> f64;

    pub(super) type NodePerformance;

    #[wasm_bindgen(method, catch, js_name = eventLoopUtilization)]
    pub(super) fn event_loop_utilization(this: &NodePerformance) -> Result<Utilization, JsValue>;

    #[wasm_bindgen(thread_local_v2, js_name = performance)]
    pub(super) static NODE_PERFORMANCE: Option<NodePerformance>;

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

    /// A `PerformanceEntry`, its times in milliseconds since the time origin.
    pub(super) type Entry;

    #[wasm_bindgen(method, getter, js_name = startTime)]
    pub(super) fn start_time(this: &Entry) -> f64;

    #[wasm_bindgen(method, getter)]
    pub(super) fn duration(this: &Entry) -> f64;
}

/// Whether the page can't be seen, and so has its timers throttled. A worker is never hidden.
pub(super) fn is_hidden() -> bool {
    DOCUMENT.with(|document| document.as_ref().is_some_and(Document::hidden))
}

/// Milliseconds that Node's event loop was busy; `None` where the host keeps no account.
pub(super) fn active_millis() -> Option<f64> {
    NODE_PERFORMANCE
        .with(|performance| performance.as_ref()?.event_loop_utilization().ok())
        .map(|utilization| utilization.active())
}
