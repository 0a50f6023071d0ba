//! The API for JavaScript: a class that reads this thread's monitor and watches its event loop.

mod host_fields;
mod json;
mod stall_object;
mod value;

use crate::event_loop::{EventLoop, EventLoopSnapshot, Histogram, Stall, StallListener};
use crate::monitor::Monitor;
use crate::prometheus;
use crate::runtime::Snapshot;
use core::cell::RefCell;
use core::mem::ManuallyDrop;
use core::time::Duration;
use host_fields::{EarlierHost, HostInterval, HostSnapshot};
use js_sys::{Error, Function, Object, TypeError};
use metrics_core::Quantile;
use stall_object::stall_object;
use value::to_js;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::{JsCast, JsError, JsValue, wasm_bindgen};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("types.ts");
#[wasm_bindgen(typescript_custom_section)]
const NUMBERS: &str = include_str!("numbers.ts");

#[wasm_bindgen]
extern "C" {
    /// Reports an exception as uncaught. Node has no such function.
    #[wasm_bindgen(thread_local_v2, js_name = reportError)]
    static REPORT_ERROR: Option<Function>;

    #[wasm_bindgen(js_namespace = console, js_name = error)]
    fn console_error(error: &JsValue);
}

/// The metrics of this thread: those of its measured tasks, and those of its event loop.
#[wasm_bindgen]
#[derive(Debug)]
pub struct RuntimeMetrics {
    monitor: Monitor,
}

thread_local! {
    /// The watch of this thread's event loop. All readers share it, so that they report the same numbers.
    static EVENT_LOOP: RefCell<Option<EventLoop>> = const { RefCell::new(None) };
}

#[wasm_bindgen]
impl RuntimeMetrics {
    /// Reads this thread's monitor and starts to watch its event loop.
    ///
    /// # Errors
    /// Throws if the monitor can't be built. The default monitor always can.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Result<RuntimeMetrics, JsError> {
        let monitor = Monitor::current()?;
        EVENT_LOOP.with_borrow_mut(|event_loop| {
            if event_loop.is_none() {
                // Without timers or a clock the rest still works.
                *event_loop = EventLoop::watch(&monitor).ok();
            }
        });
        Ok(Self { monitor })
    }

    /// Stops watching the event loop of this thread. No `onStall` callback is called any more, for any reader. Tasks are still
    /// measured, and a new `RuntimeMetrics` starts a new watch.
    pub fn stop(&self) {
        drop(EVENT_LOOP.take());
    }

    /// Returns all metrics as a plain object. Its 64-bit integers are `BigInt`s, which `JSON.stringify` writes as decimal strings.
    ///
    /// # Errors
    /// Throws if the host refuses to set a property of a plain object.
    #[wasm_bindgen(unchecked_return_type = "Snapshot")]
    pub fn snapshot(&self) -> Result<JsValue, JsError> {
        let host = HostSnapshot::new(self.monitor.self_wake_count(), event_loop_snapshot());
        join(&to_js(&self.monitor.snapshot())?, &to_js(&host)?)
    }

    /// Returns what was added since an earlier `snapshot()` of this page, or its JSON: differences of counters, histograms of the
    /// interval, busy ratios.
    ///
    /// # Errors
    /// Throws if `previous` is not a snapshot, or is a snapshot of another runtime or page load.
    #[wasm_bindgen(unchecked_return_type = "Interval")]
    pub fn since(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Snapshot")] previous: &JsValue,
    ) -> Result<JsValue, JsValue> {
        const EXPECTED: &str = "previous must be a snapshot that snapshot() returned, or its JSON";
        let text = json::text(previous).ok_or_else(|| type_error(EXPECTED))?;
        let invalid = |error: serde_json::Error| type_error(&format!("{EXPECTED}: {error}"));
        let before: Snapshot = serde_json::from_str(&text).map_err(invalid)?;
        let host_before: EarlierHost = serde_json::from_str(&text).map_err(invalid)?;
        let interval = self.monitor.snapshot().since(&before).map_err(JsError::from)?;
        let host = HostInterval::new(
            &host_before,
            self.monitor.self_wake_count(),
            event_loop_snapshot().as_ref(),
            interval.wall(),
        );
        let host = to_js(&host).map_err(JsError::from)?;
        let interval = to_js(&interval).map_err(JsError::from)?;
        Ok(join(&interval, &host)?)
    }

    /// Returns a quantile of `poll_time`, `schedule_latency`, `loop_lag` or `long_task_time` in nanoseconds: an estimate, and the
    /// bounds of the true value. `q` is from 0 to 1. Returns `undefined` without samples, and if the host does not measure the
    /// histogram.
    ///
    /// # Errors
    /// Throws if there is no histogram with this name, and if `q` is not from 0 to 1.
    #[wasm_bindgen(unchecked_return_type = "Quantile | undefined")]
    pub fn quantile(
        &self,
        #[wasm_bindgen(unchecked_param_type = "HistogramName")] name: &JsValue,
        q: f64,
    ) -> Result<JsValue, JsValue> {
        if !(0.0..=1.0).contains(&q) {
            return Err(type_error(&format!("q must be a number from 0 to 1, not {q}")));
        }
        let snapshot = self.monitor.snapshot();
        let total = snapshot.total();
        let of = |histogram: &Histogram| histogram.quantile(q);
        let found: Option<Quantile> = match name.as_string().as_deref() {
            Some("poll_time") => total.poll_time().and_then(|reading| of(reading.histogram())),
            Some("schedule_latency") => total
                .schedule_latency()
                .and_then(|reading| of(reading.histogram())),
            Some("loop_lag") => event_loop_snapshot().and_then(|event_loop| of(&event_loop.loop_lag)),
            Some("long_task_time") => {
                event_loop_snapshot().and_then(|event_loop| of(event_loop.long_task_time.as_ref()?))
            }
            _ => {
                return Err(type_error(&format!(
                    "name must be \"poll_time\", \"schedule_latency\", \"loop_lag\" or \"long_task_time\", not {name:?}"
                )));
            }
        };
        let found = found.map(|found| to_js(&found)).transpose();
        Ok(found.map_err(JsError::from)?.unwrap_or(JsValue::UNDEFINED))
    }

    /// Calls `callback` once for each stall of at least `ms` milliseconds, in the first turn of the event loop after the stall.
    /// Returns a function that removes the callback. The callback stays registered if that function is garbage-collected.
    ///
    /// # Errors
    /// Throws if `ms` is not a duration or `callback` is not a function, and if the event loop is not watched: because the host has
    /// no timers or no clock, or because `stop()` was called.
    #[wasm_bindgen(js_name = onStall, unchecked_return_type = "() => void")]
    pub fn on_stall(
        &self,
        ms: f64,
        #[wasm_bindgen(unchecked_param_type = "(stall: Stall) => void")] callback: &JsValue,
    ) -> Result<JsValue, JsValue> {
        let threshold = Duration::try_from_secs_f64(ms / 1e3)
            .map_err(|_| type_error(&format!("ms must be a number of milliseconds, not {ms}")))?;
        let callback = callback
            .dyn_ref::<Function>()
            .ok_or_else(|| type_error(&format!("callback must be a function, not {callback:?}")))?
            .clone();
        let callback = move |stall: &Stall| {
            let called = stall_object(stall).and_then(|stall| callback.call1(&JsValue::UNDEFINED, &stall));
            if let Err(exception) = called {
                report_uncaught(&exception);
            }
        };
        let listener = EVENT_LOOP.with_borrow(|event_loop| {
            let event_loop = event_loop.as_ref()?;
            Some(event_loop.on_stall(threshold, callback))
        });
        let listener = listener.ok_or_else(|| {
            Error::new(
                "the event loop is not watched: this global object has no setTimeout() or no performance.now(), or stop() was called",
            )
        })?;
        // If the function below is garbage-collected, the callback must stay registered.
        let listener: ManuallyDrop<RefCell<Option<StallListener>>> =
            ManuallyDrop::new(RefCell::new(Some(listener)));
        Ok(Closure::<dyn Fn()>::new(move || drop(listener.take())).into_js_value())
    }

    /// Returns the metrics as Prometheus text (format 0.0.4), for a page that sends them to a server.
    pub fn prometheus(&self) -> String {
        prometheus::text(
            &self.monitor.snapshot(),
            event_loop_snapshot().as_ref(),
            self.monitor.self_wake_count(),
        )
    }
}

fn event_loop_snapshot() -> Option<EventLoopSnapshot> {
    EVENT_LOOP.with_borrow(|event_loop| event_loop.as_ref()?.snapshot())
}

/// Reports what a callback threw as the host reports an uncaught exception. The other callbacks still run.
fn report_uncaught(exception: &JsValue) {
    REPORT_ERROR.with(|report| match report {
        Some(report) => drop(report.call1(&JsValue::UNDEFINED, exception)),
        None => console_error(exception),
    });
}

fn type_error(message: &str) -> JsValue {
    TypeError::new(message).into()
}

/// An object with the properties of both.
fn join(one: &JsValue, other: &JsValue) -> Result<JsValue, JsError> {
    Object::try_from(one)
        .zip(Object::try_from(other))
        .map(|(one, other)| Object::assign(one, other).into())
        .ok_or_else(|| JsError::new("a snapshot is an object"))
}
