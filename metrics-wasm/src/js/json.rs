//! JSON of plain objects that contain `BigInts`.

use super::host_fields::EarlierHost;
use super::value::name_of;
use crate::runtime::Snapshot;
use js_sys::{Array, Function, JSON, Object, Proxy, Reflect, TypeError};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::{JsCast, JsValue};

/// Returns the `toJSON` method of each object in a snapshot. `JSON.stringify` calls it; it throws on a `BigInt` itself.
///
/// A closure does not receive `this`, and a Content Security Policy may forbid compiling a function from text. The trap of a proxy
/// receives `this` without either.
fn to_json_function() -> Option<Function> {
    let trap = Closure::<dyn Fn(JsValue, JsValue, JsValue) -> JsValue>::new(|_, this, _| copy(&this));
    let handler = Object::new();
    let trap = trap.into_js_value();
    Reflect::set(&handler, &JsValue::from_str("apply"), &trap).ok()?;
    Proxy::new(&trap, &handler).dyn_into().ok()
}

thread_local! {
    static TO_JSON: Option<JsValue> = to_json_function().and_then(|function| {
        let descriptor = Object::new();
        Reflect::set(&descriptor, &JsValue::from_str("value"), &function).ok()?;
        Some(descriptor.into())
    });
}

/// Adds `toJSON` to `object`. The property is not enumerable, so loops and structured clones skip it.
pub(super) fn add_to_json(object: &Object) {
    TO_JSON.with(|descriptor| {
        if let Some(descriptor) = descriptor {
            // A fresh plain object takes any property.
            let _ = Reflect::define_property(object, &name_of("toJSON"), descriptor.unchecked_ref());
        }
    });
}

/// Copies the value, with a decimal string for each `BigInt`.
fn copy(value: &JsValue) -> JsValue {
    if value.is_bigint() {
        return js_sys::BigInt::unchecked_from_js_ref(value)
            .to_string(10)
            .map_or(JsValue::NULL, Into::into);
    }
    if let Some(array) = value.dyn_ref::<Array>() {
        return array
            .iter()
            .map(|element| copy(&element))
            .collect::<Array>()
            .into();
    }
    if value.is_object() && !value.is_function() {
        let object = Object::new();
        for entry in Object::entries(value.unchecked_ref()).iter() {
            let entry: Array = entry.unchecked_into();
            // A fresh plain object takes any property.
            let _ = Reflect::set(&object, &entry.get(0), &copy(&entry.get(1)));
        }
        return object.into();
    }
    value.clone()
}

/// Returns the JSON text of a value, with a decimal string for each `BigInt`.
pub(super) fn text(value: &JsValue) -> Option<String> {
    JSON::stringify(&copy(value)).ok()?.as_string()
}

/// Reads a snapshot. Its 64-bit integers are `BigInts`, as in `snapshot()`, or decimal strings, as in parsed JSON. `name` is that of the
/// argument.
///
/// # Errors
/// Returns a `TypeError` if `value` is not a snapshot.
pub(super) fn read_snapshot(name: &str, value: &JsValue) -> Result<(Snapshot, EarlierHost), JsValue> {
    let text = JSON::stringify(&copy(value))
        .ok()
        .and_then(|text| text.as_string());
    let parsed = text.map(|text| Ok((serde_json::from_str(&text)?, serde_json::from_str(&text)?)));
    let reason = match parsed {
        Some(Ok(snapshot)) => return Ok(snapshot),
        Some(Err(error)) => format!(": {}", serde_json::Error::to_string(&error)),
        None => String::new(),
    };
    let message = format!("{name} must be a snapshot that snapshot() returned, or its JSON{reason}");
    Err(TypeError::new(&message).into())
}
