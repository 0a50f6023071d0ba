//! Recording: the hooks, written once, and the two kinds of cells they write.

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod batch;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod buckets;
mod hooks;
mod load;
mod on_demand;
mod poll;
mod sampling;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod segments;
mod shared_histogram;
mod slot_histogram;
mod stalls;

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub(crate) use batch::{Batch, BatchHistogram};
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub(crate) use buckets::HeapBuckets;
#[cfg(not(metrics_core_loom))]
pub(crate) use hooks::HooksState;
#[cfg(metrics_core_bench)]
pub(crate) use hooks::RecordValue;
pub(crate) use hooks::{Hooks, NEVER};
pub(crate) use load::LoadCell;
pub use load::LoadState;
pub use on_demand::LagKind;
pub(crate) use on_demand::{OnDemandCells, position};
pub use poll::{PollStart, Recorded};
pub(crate) use sampling::seed as sampling_seed;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub(crate) use segments::{CHUNK, Segments};
pub(crate) use shared_histogram::SharedHistogram;
pub(crate) use slot_histogram::{BucketCells, SlotHistogram};
pub use stalls::StallKind;
pub(crate) use stalls::{DURATION_LAYOUT, StallCells};
