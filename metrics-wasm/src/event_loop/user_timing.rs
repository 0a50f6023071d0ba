//! Stalls as user timings, which the browser's developer tools show on a track of their own.

use super::bindings::UserTiming;
use super::stall::{Stall, StallSource};
use crate::clock::PerformanceClock;
use crate::location;
use core::time::Duration;
use js_sys::{Array, Object, Reflect};
use wasm_bindgen::prelude::JsValue;

/// The name of the track.
const TRACK: &str = "Async runtime";

/// Adds a measure that the developer tools show. Hosts without user timings ignore it.
pub(super) fn measure(stall: &Stall) {
    UserTiming::with(|timing| {
        let name = name(stall);
        if let Ok(options) = options(stall) {
            // The host has `performance.measure`, and the options are valid.
            let _ = timing.measure(&name, &options);
        }
        // The trace that the developer tools record keeps the measure. The page's own list would grow without a limit.
        let _ = timing.clear_measures(&name);
    });
}

fn name(stall: &Stall) -> String {
    let kind = match stall.source {
        StallSource::Poll => "poll",
        StallSource::Turn => "turn",
        StallSource::LongTask => "long task",
        StallSource::Probe => "late timer",
    };
    match location::resolve(stall.spawn_location) {
        Some(location) => format!("{kind}: {location}"),
        None => kind.to_owned(),
    }
}

fn options(stall: &Stall) -> Result<JsValue, JsValue> {
    let start = Duration::from_nanos(stall.start.ticks().saturating_sub(PerformanceClock::origin()));
    let measured = format!("{:?}", stall.measured);
    let properties = Array::of1(&Array::of2(&"measured polls".into(), &measured.into()));
    let devtools = object(&[
        ("dataType", "track-entry".into()),
        ("track", TRACK.into()),
        (
            "color",
            if stall.source == StallSource::Poll {
                "primary"
            } else {
                "error"
            }
            .into(),
        ),
        ("properties", properties.into()),
    ])?;
    object(&[
        ("start", millis(start)),
        ("duration", millis(stall.duration)),
        ("detail", object(&[("devtools", devtools)])?),
    ])
}

fn millis(duration: Duration) -> JsValue {
    JsValue::from_f64(duration.as_secs_f64() * 1e3)
}

fn object(fields: &[(&str, JsValue)]) -> Result<JsValue, JsValue> {
    let object = Object::new();
    for (name, value) in fields {
        Reflect::set(&object, &JsValue::from_str(name), value)?;
    }
    Ok(object.into())
}
