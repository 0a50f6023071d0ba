//! The page's tests draw a recorded snapshot of a server. It must have the schema that this version writes.
#![cfg(feature = "js")]

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn the_recorded_snapshot_has_the_current_schema() {
    let recorded = include_str!("js/snapshot.json");
    let snapshot: metrics_wasm::Snapshot = serde_json::from_str(recorded).unwrap();
    let again = serde_json::to_value(&snapshot).unwrap();
    let before: serde_json::Value = serde_json::from_str(recorded).unwrap();
    assert_eq!(
        again, before,
        "the fields have changed: add the new one to tests/js/snapshot.json, as null"
    );
}
