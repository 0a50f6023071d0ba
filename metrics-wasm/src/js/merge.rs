//! Adds the snapshots of several workers.

use super::host_fields::{EarlierHost, HostSnapshot};
use super::json;
use super::type_error;
use crate::runtime::Snapshot;
use js_sys::Array;
use metrics_core::histogram::HistogramMergeError;
use wasm_bindgen::prelude::{JsCast, JsError, JsValue};

/// Adds the snapshots of an array.
pub(super) fn merge(snapshots: &JsValue) -> Result<(Snapshot, HostSnapshot), JsValue> {
    let expected = "snapshots must be an array of at least one snapshot";
    let snapshots = snapshots.dyn_ref::<Array>().ok_or_else(|| type_error(expected))?;
    let mut merged: Option<Snapshot> = None;
    let mut hosts: Vec<EarlierHost> = Vec::new();
    for (index, snapshot) in snapshots.iter().enumerate() {
        let (snapshot, host) = json::read_snapshot(&format!("snapshots[{index}]"), &snapshot)?;
        hosts.push(host);
        match &mut merged {
            Some(merged) => merged.merge(&snapshot).map_err(JsError::from)?,
            None => merged = Some(snapshot),
        }
    }
    let host = HostSnapshot::merge(&hosts).map_err(JsError::from)?;
    merged
        .map(|merged| (merged, host))
        .ok_or_else(|| type_error(expected))
}

/// Adds values with `add`. `None` if one of them is, or if there are none.
pub(super) fn all<'a, T: Clone + 'a>(
    mut values: impl Iterator<Item = Option<&'a T>>,
    mut add: impl FnMut(&mut T, &T) -> Result<(), HistogramMergeError>,
) -> Result<Option<T>, HistogramMergeError> {
    let Some(mut sum) = values.next().flatten().cloned() else {
        return Ok(None);
    };
    for value in values {
        let Some(value) = value else { return Ok(None) };
        add(&mut sum, value)?;
    }
    Ok(Some(sum))
}
