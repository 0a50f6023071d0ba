//! Snapshots of nothing, in metrics-core's one schema.

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Error as _, Serialize, Serializer};

use metrics_core::{SinceError, Storage};

use super::{Interval, Snapshot, WorkerInterval};

impl<S: Storage> Serialize for Snapshot<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        metrics_core::Snapshot::<S>::default().serialize(serializer)
    }
}

/// Reads a snapshot of the one schema, and forgets it.
impl<'de, S: Storage> Deserialize<'de> for Snapshot<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        metrics_core::Snapshot::<S>::deserialize(deserializer).map(|_| Self::default())
    }
}

impl<S: Storage> Serialize for Interval<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        nothing::<S>().map_err(Z::Error::custom)?.serialize(serializer)
    }
}

impl<S: Storage> Serialize for WorkerInterval<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        nothing::<S>()
            .map_err(Z::Error::custom)?
            .total()
            .serialize(serializer)
    }
}

/// metrics-core's interval in which nothing was measured.
fn nothing<S: Storage>() -> Result<metrics_core::Interval<S>, SinceError> {
    let empty = metrics_core::Snapshot::<S>::default();
    empty.since(&empty)
}
