//! What all exporters share: the runtimes that they read, and the edges of the buckets that they write.

mod edges;
mod sources;

pub use edges::{Edges, EdgesError};
pub use sources::DuplicateName;
pub(crate) use sources::Sources;

use core::time::Duration;

/// Exporters write durations in seconds.
pub(crate) fn in_seconds(nanos: u64) -> f64 {
    Duration::from_nanos(nanos).as_secs_f64()
}
