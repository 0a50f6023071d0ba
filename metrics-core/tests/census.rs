//! The census of locations that have nothing else to show.
#![cfg(all(feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
#![allow(missing_docs)]

use metrics_core::{Builder, LocationId, NoClock, Probe, RuntimeMetrics, TaskActivity};
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Reports one task.
struct One(TaskActivity);

impl Probe for One {
    fn census(&self, each: &mut dyn FnMut(LocationId, TaskActivity)) -> bool {
        each(LocationId::from_u32(2), self.0);
        true
    }
}

#[test]
fn a_location_with_one_task_is_present_whatever_the_task_does() {
    let waiting = TaskActivity::Waiting {
        since: None,
        is_wakeable: true,
    };
    for (task, counts) in [
        (TaskActivity::Queued, [1, 0, 0]),
        (TaskActivity::Polling, [0, 1, 0]),
        (waiting, [0, 0, 1]),
    ] {
        let registry = Builder::new().locations(4).census().build(NoClock).unwrap();
        let snapshot = RuntimeMetrics::with_probe(registry, One(task)).snapshot();
        let rows: Vec<_> = snapshot
            .locations()
            .unwrap()
            .iter()
            .map(|row| {
                let census = row.census().unwrap();
                let counts = [census.queued, census.polling, census.waiting];
                (row.location().as_u32(), counts)
            })
            .collect();
        assert_eq!(rows, [(2, counts)], "{task:?}");
    }
}
