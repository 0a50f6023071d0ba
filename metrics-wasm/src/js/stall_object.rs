//! Stalls as JavaScript objects.

use crate::clock::PerformanceClock;
use crate::event_loop::{Script, Stall, StallSource};
use crate::location;
use core::time::Duration;
use js_sys::{Object, Reflect};
use wasm_bindgen::prelude::JsValue;

/// Converts a stall to an object. Its times are milliseconds of `performance.now()`.
pub(super) fn stall_object(stall: &Stall) -> Result<JsValue, JsValue> {
    let start = stall.start.ticks().saturating_sub(PerformanceClock::origin());
    let source = match stall.source {
        StallSource::Poll => "poll",
        StallSource::Turn => "turn",
        StallSource::LongTask => "longtask",
        StallSource::Probe => "probe",
    };
    let spawn_location = location::resolve(stall.spawn_location);
    let script = stall.script.as_ref().map(script_object).transpose()?;
    object(&[
        ("start", millis(Duration::from_nanos(start))),
        ("duration", millis(stall.duration)),
        ("source", JsValue::from_str(source)),
        ("measured", millis(stall.measured)),
        (
            "spawn_location",
            spawn_location.map_or(JsValue::NULL, |location| JsValue::from_str(&location.to_string())),
        ),
        ("script", script.unwrap_or(JsValue::NULL)),
    ])
}

fn script_object(script: &Script) -> Result<JsValue, JsValue> {
    object(&[
        ("source", JsValue::from_str(&script.source)),
        ("function", JsValue::from_str(&script.function)),
        ("position", script.position.map_or(JsValue::NULL, JsValue::from)),
        ("invoker", JsValue::from_str(&script.invoker)),
        ("duration", millis(script.duration)),
    ])
}

fn object(fields: &[(&str, JsValue)]) -> Result<JsValue, JsValue> {
    let object = Object::new();
    for (key, value) in fields {
        Reflect::set(&object, &JsValue::from_str(key), value)?;
    }
    Ok(object.into())
}

fn millis(duration: Duration) -> JsValue {
    JsValue::from_f64(duration.as_secs_f64() * 1e3)
}
