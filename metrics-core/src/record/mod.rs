//! Recording: the hooks, written once, and the two kinds of cells they write.

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod batch;
mod bucket_cells;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod buckets;
mod hooks;
mod sampling;
mod shared_histogram;
mod slot_histogram;
mod stalls;

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub(crate) use batch::{Batch, BatchHistogram};
pub(crate) use bucket_cells::BucketCells;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub(crate) use bucket_cells::{CHUNK, block_shift, each_bit, each_block};
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub(crate) use buckets::HeapBuckets;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub(crate) use hooks::Flags;
#[cfg(not(metrics_core_loom))]
pub(crate) use hooks::HooksState;
#[cfg(metrics_core_bench)]
pub(crate) use hooks::RecordValue;
pub(crate) use hooks::{Hooks, NEVER};
pub use hooks::{PollStart, Recorded};
pub(crate) use sampling::seed as sampling_seed;
pub(crate) use shared_histogram::SharedHistogram;
pub(crate) use slot_histogram::SlotHistogram;
pub(crate) use stalls::StallCells;
pub use stalls::StallKind;
