//! The parts that all exporters share: the runtimes that they read, and the edges of the buckets that they write.

mod edges;
mod families;
mod sources;

pub use edges::{Edges, EdgesError};
pub(crate) use families::{Exported, Series, Value, families};
#[cfg(feature = "serve")]
pub(crate) use sources::ReaderPool;
pub use sources::{DuplicateName, ExportedRuntimes};

/// Exporters write durations in seconds. This is the nearest double for anything below 104 days.
pub(crate) fn in_seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}
