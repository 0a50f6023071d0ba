//! What of an item must be the same on both sides: its JSON without ids, places, documentation and names of arguments, with
//! every path as that of the layer that defines it.

use serde_json::{Map, Value, json};

use super::docs::{Crate, Item};

/// Keys that say where an item is or how it is documented, not what it is.
const SILENT: &[&str] = &["id", "docs", "links", "span", "impls", "has_body"];

/// The shape of `value`, which is a part of an item of `home`.
pub(super) fn of(home: &Crate, value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(|value| of(home, value)).collect(),
        Value::Object(map) => {
            let mut shape = Map::new();
            for (key, value) in map {
                let value = match key.as_str() {
                    key if SILENT.contains(&key) => continue,
                    "path" if map.contains_key("id") => path(home, &map["id"], value),
                    "inputs" => types(home, value),
                    // What stands for an `impl Trait` argument is named by its source text.
                    "name" if is_synthetic(map) => continue,
                    _ => of(home, value),
                };
                if !is_empty(&value) {
                    shape.insert(key.clone(), value);
                }
            }
            Value::Object(shape)
        }
        plain => plain.clone(),
    }
}

/// The shape of a function: with what of its attributes a caller can tell.
pub(super) fn of_function(function: Item<'_>, inner: &Value) -> Value {
    let mut shape = of(function.home, inner);
    shape["track_caller"] = json!(function.has_attribute("trackcaller"));
    shape["must_use"] = json!(function.has_attribute("mustuse"));
    shape
}

fn is_synthetic(map: &Map<String, Value>) -> bool {
    map.get("kind")
        .is_some_and(|kind| kind["type"]["is_synthetic"] == true)
}

/// No arguments, no bounds: the same whether said or not.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(is_empty),
        _ => false,
    }
}

/// The types of arguments, without their names.
fn types(home: &Crate, inputs: &Value) -> Value {
    let inputs = inputs.as_array().into_iter().flatten();
    inputs
        .map(|input| match input.as_array().map(Vec::as_slice) {
            Some([name, kind]) if name.is_string() => of(home, kind),
            _ => of(home, input),
        })
        .collect()
}

/// A path as both sides have it: the layer and the name for our own crates, the definition's for others.
fn path(home: &Crate, id: &Value, written: &Value) -> Value {
    let Some(path) = home.path(id) else {
        return written.clone();
    };
    let layer = match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["metrics_core" | "metrics_mock", "base", ..] | ["metrics_core", ..] => "core",
        ["metrics_std", ..] | ["metrics_mock", "server", ..] => "std",
        ["metrics_wasm", ..] | ["metrics_mock", "wasm", ..] => "wasm",
        _ => return json!(path.join("::")),
    };
    json!(format!("{layer}::{}", path.last().map_or("", String::as_str)))
}
