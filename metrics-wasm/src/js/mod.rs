//! The API for JavaScript: a class that reads this thread's monitor and watches its event loop.

mod host_fields;
mod json;
mod merge;
mod options;
mod stall_object;
mod summary;
mod value;

use crate::event_loop::{DEFAULT_PERIOD, EventLoop, EventLoopSnapshot, Histogram, Stall, StallListener};
use crate::lifecycle::Lifecycle;
use crate::monitor::Monitor;
use crate::prometheus;
use core::cell::RefCell;
use core::mem::ManuallyDrop;
use core::time::Duration;
use host_fields::{HostInterval, HostSnapshot};
use js_sys::{Error, Function, Object, TypeError};
use metrics_core::Quantile;
use options::Options;
use stall_object::stall_object;
use summary::Summary;
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
    /// Throws if an option is invalid, or if it comes too late: the first measured task or reader of a thread builds its monitor, and the
    /// first reader starts the watch.
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(unchecked_optional_param_type = "RuntimeMetricsOptions")] options: &JsValue,
    ) -> Result<RuntimeMetrics, JsValue> {
        let options = Options::read(options).map_err(|message| type_error(&message))?;
        if let Some(builder) = options.monitor() {
            let monitor = builder.build().map_err(JsError::from)?;
            monitor.install().map_err(JsError::from)?;
        }
        let monitor = Monitor::current().map_err(JsError::from)?;
        let period = options.period().map_err(|message| type_error(&message))?;
        EVENT_LOOP.with_borrow_mut(|event_loop| {
            if event_loop.is_none() {
                // Without timers or a clock the rest still works.
                *event_loop = EventLoop::watch_every(&monitor, period.unwrap_or(DEFAULT_PERIOD)).ok();
            } else if period.is_some() {
                return Err(Error::new(
                    "this thread's event loop is already watched: pass the period to the first RuntimeMetrics, or call stop() before",
                ));
            }
            if let (Some(event_loop), true) = (event_loop.as_ref(), options.frames()) {
                // A host without frames reports null.
                event_loop.watch_frames();
            }
            Ok(())
        })?;
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

    /// Returns the change since an earlier `snapshot()` of this page, or since its JSON: differences of counters, histograms of the
    /// interval, busy ratios.
    ///
    /// # Errors
    /// Throws if `previous` is not a snapshot, or is a snapshot of another runtime or page load.
    #[wasm_bindgen(unchecked_return_type = "Interval")]
    pub fn since(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Snapshot | SnapshotJson")] previous: &JsValue,
    ) -> Result<JsValue, JsValue> {
        let (before, host_before) = json::read_snapshot("previous", previous)?;
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

    /// Adds the snapshots of several workers, or their JSON, as `postMessage` brings them. The workers of each get the next free indices. A
    /// metric of the total that one of them does not measure is `null`. Spawn locations are left out.
    ///
    /// # Errors
    /// Throws if `snapshots` is not an array of at least one snapshot, and if the layouts of their histograms differ.
    #[wasm_bindgen(unchecked_return_type = "Snapshot")]
    pub fn merge(
        #[wasm_bindgen(unchecked_param_type = "readonly (Snapshot | SnapshotJson)[]")] snapshots: &JsValue,
    ) -> Result<JsValue, JsValue> {
        let (merged, host) = merge::merge(snapshots)?;
        let merged = to_js(&merged).map_err(JsError::from)?;
        Ok(join(&merged, &to_js(&host).map_err(JsError::from)?)?)
    }

    /// Returns a quantile of `poll_time`, `schedule_latency`, `loop_lag`, `long_task_time` or `frame_delay` in nanoseconds: an estimate,
    /// and the bounds of the true value. `q` is from 0 to 1. Returns `undefined` without samples, and if the host does not measure the
    /// histogram.
    ///
    /// # Errors
    /// Throws if there is no histogram with this name, and if `q` is not from 0 to 1.
    #[wasm_bindgen(unchecked_return_type = "Quantile | undefined")]
    pub fn quantile(
        &self,
        #[wasm_bindgen(unchecked_param_type = "HistogramName")] name: &JsValue,
        #[wasm_bindgen(unchecked_param_type = "number")] q: &JsValue,
    ) -> Result<JsValue, JsValue> {
        let q = q
            .as_f64()
            .filter(|q| (0.0..=1.0).contains(q))
            .ok_or_else(|| type_error(&format!("q must be a number from 0 to 1, not {q:?}")))?;
        let snapshot = self.monitor.snapshot();
        let total = snapshot.total();
        let of = |histogram: &Histogram| histogram.quantile(q);
        let found: Option<Quantile> = match name.as_string().as_deref() {
            Some("poll_time") => total.poll_time().and_then(|reading| of(reading.histogram())),
            Some("schedule_latency") => total
                .schedule_latency()
                .and_then(|reading| of(reading.histogram())),
            Some("loop_lag") => snapshot.loop_lag().and_then(of),
            Some("long_task_time") => {
                event_loop_snapshot().and_then(|event_loop| of(event_loop.long_task_time.as_ref()?))
            }
            Some("frame_delay") => {
                event_loop_snapshot().and_then(|event_loop| of(event_loop.frame_delay.as_ref()?))
            }
            _ => {
                return Err(type_error(&format!(
                    "name must be \"poll_time\", \"schedule_latency\", \"loop_lag\", \"long_task_time\" or \"frame_delay\", not {name:?}"
                )));
            }
        };
        let found = found.map(|found| to_js(&found)).transpose();
        Ok(found.map_err(JsError::from)?.unwrap_or(JsValue::UNDEFINED))
    }

    /// Returns the last polls and parks of this thread as JSON in Chrome's trace format, which ui.perfetto.dev opens. Returns
    /// `undefined` without the option `flight_recorder`, and without a clock.
    pub fn trace(&self) -> Option<String> {
        let mut text = String::new();
        // Writing to a string can't fail.
        let _ = self
            .monitor
            .metrics()
            .flight_recording()?
            .write_chrome_trace(&mut text);
        Some(text)
    }

    /// Returns which polls made other tasks wait, from the same polls: the `limit` rows with the longest time. Returns `undefined` as
    /// `trace` does.
    ///
    /// # Errors
    /// Throws if `limit` is not a number, and if the host refuses to set a property of a plain object.
    #[wasm_bindgen(unchecked_return_type = "BlameReport | undefined")]
    #[allow(
        clippy::cast_sign_loss,
        reason = "the cast saturates: a negative limit returns no row"
    )]
    pub fn blame(
        &self,
        #[wasm_bindgen(unchecked_param_type = "number")] limit: &JsValue,
    ) -> Result<JsValue, JsValue> {
        let limit = limit
            .as_f64()
            .ok_or_else(|| type_error(&format!("limit must be a number, not {limit:?}")))?;
        let recording = self.monitor.metrics().flight_recording();
        let report = recording.map(|recording| to_js(&recording.blame_report(limit as usize)));
        Ok(report
            .transpose()
            .map_err(JsError::from)?
            .unwrap_or(JsValue::UNDEFINED))
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
        #[wasm_bindgen(unchecked_param_type = "number")] ms: &JsValue,
        #[wasm_bindgen(unchecked_param_type = "(stall: Stall) => void")] callback: &JsValue,
    ) -> Result<JsValue, JsValue> {
        let threshold = duration(ms)?;
        let callback = function(callback)?;
        let callback = move |stall: &Stall| {
            let called = stall_object(stall).and_then(|stall| callback.call1(&JsValue::UNDEFINED, &stall));
            if let Err(exception) = called {
                report_uncaught(&exception);
            }
        };
        listen(|event_loop| event_loop.on_stall(threshold, callback))
    }

    /// Shows each stall of at least `ms` milliseconds in the Performance panel of the browser's developer tools, on a track of its own.
    /// Returns a function that ends it.
    ///
    /// # Errors
    /// Throws as `onStall` does.
    #[wasm_bindgen(js_name = showInDevTools, unchecked_return_type = "() => void")]
    pub fn show_in_devtools(
        &self,
        #[wasm_bindgen(unchecked_param_type = "number")] ms: &JsValue,
    ) -> Result<JsValue, JsValue> {
        let threshold = duration(ms)?;
        listen(|event_loop| event_loop.show_in_devtools(threshold))
    }

    /// Returns the most important numbers as a plain object without `BigInts`, small enough for `navigator.sendBeacon`. Durations are
    /// milliseconds.
    ///
    /// # Errors
    /// Throws if the host refuses to set a property of a plain object.
    #[wasm_bindgen(unchecked_return_type = "Summary")]
    pub fn summary(&self) -> Result<JsValue, JsError> {
        let snapshot = self.monitor.snapshot();
        Ok(to_js(&Summary::new(&snapshot, event_loop_snapshot().as_ref()))?)
    }

    /// Calls `callback` with the `summary()` when the visitor leaves the page, at the event `pagehide`. Returns a function that removes
    /// the callback.
    ///
    /// # Errors
    /// Throws if `callback` is not a function, and in a worker, which gets no such event.
    #[wasm_bindgen(js_name = onPageHide, unchecked_return_type = "() => void")]
    pub fn on_page_hide(
        &self,
        #[wasm_bindgen(unchecked_param_type = "(summary: Summary) => void")] callback: &JsValue,
    ) -> Result<JsValue, JsValue> {
        let callback = function(callback)?;
        let metrics = Self {
            monitor: self.monitor.clone(),
        };
        let hidden = move || {
            let called = metrics.summary().map_err(JsValue::from);
            if let Err(exception) = called.and_then(|summary| callback.call1(&JsValue::UNDEFINED, &summary)) {
                report_uncaught(&exception);
            }
        };
        let lifecycle = Lifecycle::on_page_hide(hidden).ok_or_else(|| {
            Error::new(
                "this global object is no page and gets no event pagehide: send summary() from a timer",
            )
        })?;
        Ok(stop_function(lifecycle))
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

/// Registers a listener of the watch, and returns the function that removes it.
fn listen(register: impl FnOnce(&EventLoop) -> StallListener) -> Result<JsValue, JsValue> {
    let listener = EVENT_LOOP.with_borrow(|event_loop| event_loop.as_ref().map(register));
    let listener = listener.ok_or_else(|| {
        Error::new(
            "the event loop is not watched: this global object has no setTimeout() or no performance.now(), or stop() was called",
        )
    })?;
    Ok(stop_function(listener))
}

/// Returns a function that drops `handle`. If the function is garbage-collected, `handle` stays.
fn stop_function<T: 'static>(handle: T) -> JsValue {
    let handle: ManuallyDrop<RefCell<Option<T>>> = ManuallyDrop::new(RefCell::new(Some(handle)));
    Closure::<dyn Fn()>::new(move || drop(handle.take())).into_js_value()
}

fn duration(ms: &JsValue) -> Result<Duration, JsValue> {
    ms.as_f64()
        .and_then(|ms| Duration::try_from_secs_f64(ms / 1e3).ok())
        .ok_or_else(|| type_error(&format!("ms must be a number of milliseconds, not {ms:?}")))
}

fn function(callback: &JsValue) -> Result<Function, JsValue> {
    callback
        .dyn_ref::<Function>()
        .cloned()
        .ok_or_else(|| type_error(&format!("callback must be a function, not {callback:?}")))
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

/// Returns an object with the properties of both.
fn join(one: &JsValue, other: &JsValue) -> Result<JsValue, JsError> {
    Object::try_from(one)
        .zip(Object::try_from(other))
        .map(|(one, other)| Object::assign(one, other).into())
        .ok_or_else(|| JsError::new("a snapshot is an object"))
}
