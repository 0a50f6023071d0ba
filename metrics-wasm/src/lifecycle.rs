//! The times at which a page does not run: hidden, frozen, in the back-forward cache, or left.

use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::{JsCast, JsValue, wasm_bindgen};

#[wasm_bindgen]
extern "C" {
    #[derive(Clone)]
    type Document;

    /// Browsers throttle the timers of a hidden page.
    #[wasm_bindgen(method, getter)]
    fn hidden(this: &Document) -> bool;

    #[wasm_bindgen(thread_local_v2, js_name = document)]
    static DOCUMENT: Option<Document>;

    type EventTarget;

    #[wasm_bindgen(method, catch, js_name = addEventListener)]
    fn add_event_listener(this: &EventTarget, event: &str, listener: &JsValue) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = removeEventListener)]
    fn remove_event_listener(this: &EventTarget, event: &str, listener: &JsValue) -> Result<(), JsValue>;

    /// Reaches every page and worker of the origin.
    type BroadcastChannel;

    #[wasm_bindgen(constructor, catch)]
    fn new(name: &str) -> Result<BroadcastChannel, JsValue>;

    #[wasm_bindgen(method, catch, js_name = postMessage)]
    fn post_message(this: &BroadcastChannel, message: &JsValue) -> Result<(), JsValue>;

    #[wasm_bindgen(method, setter, js_name = onmessage)]
    fn set_onmessage(this: &BroadcastChannel, listener: &JsValue);

    #[wasm_bindgen(method)]
    fn close(this: &BroadcastChannel);

    #[wasm_bindgen(thread_local_v2, js_name = DedicatedWorkerGlobalScope)]
    static DEDICATED_WORKER: Option<JsValue>;
}

/// The name of the channel on which a page forwards its events to its workers.
const CHANNEL: &str = "metrics-wasm page lifecycle";

/// Returns `true` if this is a page. A worker has no document.
pub(crate) fn is_page() -> bool {
    DOCUMENT.with(Option::is_some)
}

/// Returns `true` in a dedicated worker, which does not run while its page is frozen.
pub(crate) fn is_dedicated_worker() -> bool {
    DEDICATED_WORKER.with(Option::is_some)
}

/// Returns `true` if the page is hidden, so that its timers are throttled. A worker is never hidden.
pub(crate) fn is_hidden() -> bool {
    DOCUMENT.with(|document| document.as_ref().is_some_and(Document::hidden))
}

/// Calls a function at events of the page, until it is dropped.
pub(crate) struct Lifecycle {
    listener: Closure<dyn FnMut()>,
    targets: Vec<(EventTarget, &'static [&'static str])>,
    /// Set in a worker.
    channel: Option<BroadcastChannel>,
}

impl Lifecycle {
    /// Listens to every event at which the page may stop running, or run again. A dedicated worker gets no such event itself, so the
    /// page forwards each. Returns `None` elsewhere.
    pub(crate) fn on_change(mut changed: impl FnMut() + 'static) -> Option<Self> {
        if is_dedicated_worker() {
            return Self::of_page(changed);
        }
        let changed = move || {
            changed();
            forward();
        };
        Self::listen(
            &["visibilitychange", "freeze", "resume"],
            &["pagehide", "pageshow"],
            changed,
        )
    }

    /// Listens to the events that the page forwards.
    fn of_page(changed: impl FnMut() + 'static) -> Option<Self> {
        let channel = BroadcastChannel::new(CHANNEL).ok()?;
        let listener = Closure::new(changed);
        channel.set_onmessage(listener.as_ref());
        Some(Self {
            listener,
            targets: Vec::new(),
            channel: Some(channel),
        })
    }

    /// Listens to the event at which the visitor leaves the page. Returns `None` if this is no page.
    #[cfg(feature = "js")]
    pub(crate) fn on_page_hide(hidden: impl FnMut() + 'static) -> Option<Self> {
        Self::listen(&[], &["pagehide"], hidden)
    }

    fn listen(
        of_document: &'static [&'static str],
        of_window: &'static [&'static str],
        listener: impl FnMut() + 'static,
    ) -> Option<Self> {
        let document: EventTarget = DOCUMENT.with(Clone::clone)?.unchecked_into();
        let window: EventTarget = js_sys::global().unchecked_into();
        let lifecycle = Self {
            listener: Closure::new(listener),
            targets: vec![(document, of_document), (window, of_window)],
            channel: None,
        };
        lifecycle.each(EventTarget::add_event_listener);
        Some(lifecycle)
    }

    fn each(&self, call: fn(&EventTarget, &str, &JsValue) -> Result<(), JsValue>) {
        for (target, events) in &self.targets {
            for event in *events {
                // Every event target has these methods. A host without this event never dispatches it.
                let _ = call(target, event, self.listener.as_ref());
            }
        }
    }
}

impl Drop for Lifecycle {
    fn drop(&mut self) {
        self.each(EventTarget::remove_event_listener);
        if let Some(channel) = &self.channel {
            channel.close();
        }
    }
}

/// Reports to the workers of this page that it stops running, or runs again. Workers of other pages of the origin receive it too, and
/// lose at most the measurement in progress.
fn forward() {
    // A page with an open channel may be excluded from the back-forward cache.
    if let Ok(channel) = BroadcastChannel::new(CHANNEL) {
        // The message can be cloned, and the channel is open.
        let _ = channel.post_message(&JsValue::NULL);
        channel.close();
    }
}
