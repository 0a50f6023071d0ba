//! One writer per slot: a lease can't be copied, and two threads can't hold it at once.
#![cfg(all(feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
#![allow(missing_docs)]

use metrics_core::{Builder, HeapStorage, MetricSet, NoClock, Registry, RuntimeMetrics, Worker};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use std::sync::Arc;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

type Leased = Worker<Arc<Registry<HeapStorage, NoClock>>>;

assert_not_impl_any!(Leased: Clone, Copy, Sync);
assert_impl_all!(Leased: Send);

#[test]
fn every_lease_has_a_slot_of_its_own() {
    let registry = Builder::new()
        .measures(MetricSet::ALL)
        .workers(1)
        .build(NoClock)
        .unwrap();
    let metrics = RuntimeMetrics::new(registry.clone());
    // Of one index, of another, of any, and of an external thread: no two of them may share a slot.
    let lease = |index| Worker::lease(registry.clone(), index).unwrap();
    let mut workers: Vec<Leased> = (0..3)
        .flat_map(|_| {
            [
                lease(0),
                lease(1),
                Worker::lease_any(registry.clone()).unwrap(),
                Worker::lease_external(registry.clone()).unwrap(),
            ]
        })
        .collect();
    // While a slot is free, a lease looks at every slot, also at those of its index that are held.
    drop(workers.remove(8));
    workers.push(lease(0));
    let mut slots: Vec<usize> = metrics.live_threads().map(|thread| thread.slot).collect();
    slots.dedup();
    assert_eq!(slots.len(), workers.len());

    // Two workers with one slot would overwrite each other's totals.
    for worker in &workers {
        worker.inc_root_polls();
    }
    for worker in &workers {
        worker.submit();
    }
    assert_eq!(metrics.root_polls().unwrap(), Some(workers.len() as u64));
}
