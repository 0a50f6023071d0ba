//! The API for JavaScript: a class that reads this thread's monitor and watches its event loop.

mod json;
mod value;

use crate::{
    EventLoop, EventLoopSnapshot, Histogram, Monitor, Snapshot, Stall, StallListener, StallSource, prometheus,
};
use core::cell::RefCell;
use core::mem::ManuallyDrop;
use core::time::Duration;
use js_sys::{Function, Object, Reflect};
use metrics_core::{HistogramInterval, Quantile};
use serde::{Deserialize, Serialize};
use std::rc::Rc;
use value::to_js;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::{JsError, JsValue, wasm_bindgen};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("types.ts");

/// The metrics of this thread: of the tasks that its monitor measures, and of the event loop they run on.
#[wasm_bindgen]
#[derive(Debug)]
pub struct RuntimeMetrics {
    monitor: Monitor,
    /// `None` where the host has no timers or no clock.
    event_loop: Option<Rc<EventLoop>>,
}

thread_local! {
    /// One watch a thread, whoever reads it, so that two readers see the same.
    static EVENT_LOOP: RefCell<Option<Rc<EventLoop>>> = const { RefCell::new(None) };
}

/// What the wrapper and the event loop add to a runtime's snapshot.
#[derive(Serialize)]
struct HostWire {
    self_wake_count: u64,
    event_loop: Option<EventLoopWire>,
}

#[derive(Serialize)]
struct EventLoopWire {
    loop_lag: Histogram,
    long_task_time: Option<Histogram>,
    loop_busy_duration_total: u64,
}

/// The same in a snapshot that comes back, as JSON.
#[derive(Deserialize)]
struct Earlier {
    self_wake_count: String,
    event_loop: Option<EarlierEventLoop>,
}

#[derive(Deserialize)]
struct EarlierEventLoop {
    loop_lag: Histogram,
    long_task_time: Option<Histogram>,
    loop_busy_duration_total: String,
}

#[derive(Serialize)]
struct HostInterval {
    self_wake_count: u64,
    event_loop: Option<EventLoopInterval>,
}

#[derive(Serialize)]
struct EventLoopInterval {
    busy_ratio: Option<f64>,
    loop_lag: HistogramInterval<Vec<u64>>,
    long_task_time: Option<HistogramInterval<Vec<u64>>>,
    loop_busy_duration_total: u64,
}

#[wasm_bindgen]
impl RuntimeMetrics {
    /// Reads this thread's monitor and starts to watch its event loop.
    ///
    /// # Errors
    /// Throws where the monitor can't be made, which with defaults does not happen.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Result<RuntimeMetrics, JsError> {
        let monitor = Monitor::current()?;
        let event_loop = EVENT_LOOP.with_borrow_mut(|watched| {
            if watched.is_none() {
                *watched = EventLoop::watch(&monitor).ok().map(Rc::new);
            }
            watched.clone()
        });
        Ok(Self { monitor, event_loop })
    }

    /// Everything, as a plain object: 64-bit integers are `BigInts`, and `JSON.stringify` writes them as decimal strings.
    ///
    /// # Errors
    /// Throws only where the host refuses to set a property of a plain object.
    #[wasm_bindgen(unchecked_return_type = "Snapshot")]
    pub fn snapshot(&self) -> Result<JsValue, JsError> {
        let host = HostWire {
            self_wake_count: self.monitor.self_wake_count(),
            event_loop: self.event_loop().map(|event_loop| EventLoopWire {
                loop_busy_duration_total: nanos(event_loop.loop_busy_duration_total),
                loop_lag: event_loop.loop_lag,
                long_task_time: event_loop.long_task_time,
            }),
        };
        join(&to_js(&self.monitor.snapshot())?, &to_js(&host)?)
    }

    /// What happened since an earlier `snapshot()` of this page, which may have been through JSON: differences of counters,
    /// histograms of the interval alone, busy ratios.
    ///
    /// # Errors
    /// Throws if `previous` is no snapshot, or one of another runtime or page load.
    #[wasm_bindgen(unchecked_return_type = "Interval")]
    pub fn since(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Snapshot")] previous: &JsValue,
    ) -> Result<JsValue, JsError> {
        let text = json::text(previous)
            .ok_or_else(|| JsError::new("previous is no snapshot, as snapshot() gives it"))?;
        let not_one = |error: serde_json::Error| {
            JsError::new(&format!(
                "previous is no snapshot, as snapshot() gives it: {error}"
            ))
        };
        let before: Snapshot = serde_json::from_str(&text).map_err(not_one)?;
        let host_before: Earlier = serde_json::from_str(&text).map_err(not_one)?;
        let interval = self.monitor.snapshot().since(&before)?;
        let host = HostInterval {
            self_wake_count: grown(self.monitor.self_wake_count(), &host_before.self_wake_count),
            event_loop: match (self.event_loop(), host_before.event_loop) {
                (Some(now), Some(before)) => {
                    Some(EventLoopInterval::between(&now, &before, interval.wall())?)
                }
                _ => None,
            },
        };
        join(&to_js(&interval)?, &to_js(&host)?)
    }

    /// A quantile, from 0 to 1, of `poll_time`, `schedule_latency`, `loop_lag` or `long_task_time`, in nanoseconds: an estimate and
    /// the bounds that the true value lies between. `undefined` while there is no sample, and where the host does not measure it.
    ///
    /// # Errors
    /// Throws for an unknown name and for a `q` outside 0 to 1.
    #[wasm_bindgen(unchecked_return_type = "Quantile | undefined")]
    pub fn quantile(
        &self,
        #[wasm_bindgen(unchecked_param_type = "HistogramName")] name: &str,
        q: f64,
    ) -> Result<JsValue, JsError> {
        if !(0.0..=1.0).contains(&q) {
            return Err(JsError::new(&format!(
                "a quantile is a number from 0 to 1, not {q}"
            )));
        }
        let snapshot = self.monitor.snapshot();
        let total = snapshot.total();
        let of = |histogram: &Histogram| histogram.quantile(q);
        let found: Option<Quantile> = match name {
            "poll_time" => total.poll_time().and_then(|reading| of(reading.histogram())),
            "schedule_latency" => total
                .schedule_latency()
                .and_then(|reading| of(reading.histogram())),
            "loop_lag" => self.event_loop().and_then(|event_loop| of(&event_loop.loop_lag)),
            "long_task_time" => self
                .event_loop()
                .and_then(|event_loop| of(event_loop.long_task_time.as_ref()?)),
            _ => {
                return Err(JsError::new(&format!(
                    "there is no histogram {name:?}: poll_time, schedule_latency, loop_lag, long_task_time are all"
                )));
            }
        };
        Ok(found.map_or(Ok(JsValue::UNDEFINED), |found| to_js(&found))?)
    }

    /// Calls back for each time that the thread was held for at least `ms` milliseconds, at the first turn of the event loop after it.
    /// Returns a function that ends the calls; until then they go on, whether or not anybody holds it.
    ///
    /// # Errors
    /// Throws if `ms` is no length of time, and where the host has no timers or no clock.
    #[wasm_bindgen(js_name = onStall, unchecked_return_type = "() => void")]
    pub fn on_stall(
        &self,
        ms: f64,
        #[wasm_bindgen(unchecked_param_type = "(stall: Stall) => void")] callback: Function,
    ) -> Result<JsValue, JsError> {
        let threshold = Duration::try_from_secs_f64(ms / 1e3)
            .map_err(|_| JsError::new(&format!("a stall lasts some milliseconds, not {ms}")))?;
        let Some(event_loop) = &self.event_loop else {
            return Err(JsError::new(
                "stalls can't be seen here: this global has no setTimeout() or no performance.now()",
            ));
        };
        let listener = event_loop.on_stall(threshold, move |stall| {
            if let Ok(stall) = stall_object(stall) {
                // What the callback throws is its own affair; the others are to hear of the stall all the same.
                let _ = callback.call1(&JsValue::UNDEFINED, &stall);
            }
        });
        // The host drops the function below when nobody holds it any more. That is not being told to stop.
        let listener: ManuallyDrop<RefCell<Option<StallListener>>> =
            ManuallyDrop::new(RefCell::new(Some(listener)));
        Ok(Closure::<dyn Fn()>::new(move || drop(listener.take())).into_js_value())
    }

    /// The snapshot as text for Prometheus (format 0.0.4), for a page that sends it on.
    pub fn prometheus(&self) -> String {
        prometheus::text(
            &self.monitor.snapshot(),
            self.event_loop().as_ref(),
            self.monitor.self_wake_count(),
        )
    }

    fn event_loop(&self) -> Option<EventLoopSnapshot> {
        self.event_loop
            .as_ref()
            .and_then(|event_loop| event_loop.snapshot())
    }
}

impl EventLoopInterval {
    fn between(
        now: &EventLoopSnapshot,
        before: &EarlierEventLoop,
        wall: Option<Duration>,
    ) -> Result<Self, JsError> {
        let busy = grown(
            nanos(now.loop_busy_duration_total),
            &before.loop_busy_duration_total,
        );
        let ratio = |wall: Duration| (Duration::from_nanos(busy).as_secs_f64() / wall.as_secs_f64()).min(1.0);
        let long_task_time = match (&now.long_task_time, &before.long_task_time) {
            (Some(now), Some(before)) => Some(now.since(before)?),
            _ => None,
        };
        Ok(Self {
            busy_ratio: wall.filter(|wall| !wall.is_zero()).map(ratio),
            loop_lag: now.loop_lag.since(&before.loop_lag)?,
            long_task_time,
            loop_busy_duration_total: busy,
        })
    }
}

/// A stall with its times in the milliseconds of `performance.now()`.
fn stall_object(stall: &Stall) -> Result<JsValue, JsValue> {
    let object = Object::new();
    let set = |key: &str, value: JsValue| Reflect::set(&object, &JsValue::from_str(key), &value).map(drop);
    let since = stall
        .start
        .ticks()
        .saturating_sub(crate::PerformanceClock::origin());
    set(
        "start",
        JsValue::from_f64(Duration::from_nanos(since).as_secs_f64() * 1e3),
    )?;
    set("duration", JsValue::from_f64(stall.duration.as_secs_f64() * 1e3))?;
    let source = match stall.source {
        StallSource::Poll => "poll",
        StallSource::LongTask => "longtask",
        StallSource::Probe => "probe",
    };
    set("source", JsValue::from_str(source))?;
    let site = crate::location(stall.site).map_or(JsValue::NULL, |site| JsValue::from_str(&site.to_string()));
    set("site", site)?;
    Ok(object.into())
}

/// All properties of both.
fn join(one: &JsValue, other: &JsValue) -> Result<JsValue, JsError> {
    Object::try_from(one)
        .zip(Object::try_from(other))
        .map(|(one, other)| Object::assign(one, other).into())
        .ok_or_else(|| JsError::new("a snapshot is an object"))
}

/// How much a counter grew since it was written down in decimal.
fn grown(now: u64, before: &str) -> u64 {
    now.saturating_sub(before.parse().unwrap_or(now))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
