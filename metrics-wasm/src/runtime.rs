//! The core's types over this host's heap and clock.

use crate::clock::PerformanceClock;
use metrics_core::HeapStorage;
use std::sync::Arc;

/// A registry that stores the metrics of one runtime and reads time from [`PerformanceClock`].
pub type Registry = metrics_core::Registry<HeapStorage, PerformanceClock>;
/// A worker whose hooks an executor calls. Lease it with `Worker::lease(registry, 0)`.
pub type Worker = metrics_core::Worker<Arc<Registry>>;
/// A handle that reads the metrics of one runtime. `P` is the probe that reports what the registry does not store, such as queue depths.
pub type RuntimeMetrics<P = metrics_core::NoProbe> = metrics_core::RuntimeMetrics<Arc<Registry>, P>;
/// The metrics of one runtime at one moment.
pub type Snapshot = metrics_core::Snapshot<HeapStorage>;
