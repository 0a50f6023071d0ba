//! The serialised form of snapshots and intervals.
//!
//! Field names are those of the list of metrics. A `u64` is a decimal string in human-readable formats, for people and
//! JavaScript, and native in others. Durations are in nanoseconds. A metric that is not measured is null. Static and
//! heap storage have the same form, so a host can read what firmware writes. The module `decode` reads it.

use super::measurements::WorkerNumbers;
use super::{Interval, Snapshot, WorkerInterval, WorkerSinceError};
use crate::catalog::{
    ON_DEMAND, RuntimeNumber, WorkerNumber, with_histograms, with_runtime_numbers, with_worker_numbers,
};
use crate::histogram::HistogramInterval;
use crate::live::LocationId;
use crate::serde_u64::{self, U64};
use crate::storage::Storage;
use crate::tasks::TaskCounts;
use core::time::Duration;
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, SerializeStruct, Serializer};

/// Incremented when a field is renamed, removed or changes its meaning. For JSON, a new field does not increment it. A
/// binary format can be read only by the version that wrote it.
pub const SNAPSHOT_SCHEMA: u32 = 2;

macro_rules! fields {
    ($($(#[$doc:meta])* $kind:ident $unit:ident $number:ident $variant:ident $exported:literal $unlike:literal,)*) => {
        with_histograms!(fields_with_histograms [$($number)*]);
    };
}

macro_rules! fields_with_histograms {
    ([$($number:ident)*]
     Worker { $($of_workers:tt)* } Runtime { $($of_the_runtime:tt)* }
     OnDemand { $($(#[$doc:meta])* $histogram:ident $variant:ident $exported:literal $unlike:literal,)* }) => {
        /// The fields of a snapshot, in the order of binary formats.
        pub(super) const FIELDS: &[&str] = &[
            "schema",
            "name",
            "epoch",
            "started_at",
            "uptime",
            "num_workers",
            "tasks",
            $(stringify!($number),)*
            "blocking_queue_wait",
            $(stringify!($histogram),)*
            "total",
            "workers",
            "external",
            "locations",
        ];
    };
}
with_runtime_numbers!(fields);

impl<S: Storage> Serialize for Snapshot<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let mut out = serializer.serialize_struct("Snapshot", FIELDS.len())?;
        out.serialize_field("schema", &SNAPSHOT_SCHEMA)?;
        out.serialize_field("name", self.name())?;
        out.serialize_field("epoch", &U64(self.epoch))?;
        out.serialize_field("started_at", &self.started_at.map(U64))?;
        out.serialize_field("uptime", &self.uptime.map(U64))?;
        out.serialize_field("num_workers", &WorkerCount(self.num_workers))?;
        out.serialize_field("tasks", &self.tasks)?;
        for &number in RuntimeNumber::ALL {
            out.serialize_field(number.name(), &self.runtime.get(number).map(U64))?;
        }
        out.serialize_field("blocking_queue_wait", &self.blocking_queue_wait)?;
        for name in ON_DEMAND {
            out.serialize_field(name.name(), &self.on_demand(name))?;
        }
        out.serialize_field("total", &self.total)?;
        out.serialize_field("workers", self.workers())?;
        out.serialize_field("external", &self.external())?;
        out.serialize_field("locations", &self.locations())?;
        out.end()
    }
}

/// A number of workers: 32 bits, and zero if it is not known, which is null in human-readable formats.
pub(super) struct WorkerCount(pub(super) usize);

impl Serialize for WorkerCount {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let workers = u32::try_from(self.0).unwrap_or(u32::MAX);
        if serializer.is_human_readable() && workers == 0 {
            serializer.serialize_none()
        } else {
            workers.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for WorkerCount {
    fn deserialize<Z: Deserializer<'de>>(deserializer: Z) -> Result<Self, Z::Error> {
        let workers = if deserializer.is_human_readable() {
            Option::deserialize(deserializer)?.unwrap_or(0)
        } else {
            u32::deserialize(deserializer)?
        };
        Ok(Self(workers as usize))
    }
}

/// A worker's index: 32 bits, which JavaScript can represent as a number.
pub(super) mod index {
    use serde::de::{Deserialize, Deserializer};
    use serde::ser::Serializer;

    // Serde calls it with a reference.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub(crate) fn serialize<Z: Serializer>(index: &usize, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.serialize_u32(u32::try_from(*index).unwrap_or(u32::MAX))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
        u32::deserialize(deserializer).map(|index| index as usize)
    }
}

impl Serialize for LocationId {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.serialize_u32(self.as_u32())
    }
}

impl<'de> Deserialize<'de> for LocationId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u32::deserialize(deserializer).map(Self::from_u32)
    }
}

macro_rules! numbers {
    (
        $($group:ident {
            $($(#[$doc:meta])* $unit:ident $name:ident $worker_name:ident $variant:ident $exported:literal $unlike:literal,)*
        })*
    ) => {
        /// [`WorkerNumbers`] by name.
        #[derive(serde::Serialize, serde::Deserialize)]
        struct NamedNumbers {
            $($(#[serde(with = "serde_u64::option")] $name: Option<u64>,)*)*
        }

        impl Serialize for WorkerNumbers {
            fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
                NamedNumbers {
                    $($($name: self.get(WorkerNumber::$variant),)*)*
                }
                .serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for WorkerNumbers {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let named = NamedNumbers::deserialize(deserializer)?;
                let mut numbers = Self::NONE;
                $($(numbers.set(WorkerNumber::$variant, named.$name);)*)*
                Ok(numbers)
            }
        }
    };
}
with_worker_numbers!(numbers);

#[derive(serde::Serialize)]
#[serde(bound = "")]
struct WorkerIntervalFields<'a, S: Storage> {
    #[serde(with = "index")]
    worker: usize,
    error: Option<WorkerSinceError>,
    utilization: Option<f64>,
    numbers: WorkerNumbers,
    poll_time: Option<&'a HistogramInterval<S::Counts>>,
    schedule_latency: Option<&'a HistogramInterval<S::Counts>>,
}

impl<S: Storage> Serialize for WorkerInterval<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let mut numbers = WorkerNumbers::NONE;
        for &number in WorkerNumber::COUNTERS {
            numbers.set(number, self.counter(number));
        }
        WorkerIntervalFields::<S> {
            worker: self.index(),
            error: self.error(),
            utilization: self.utilization(),
            numbers,
            poll_time: self.poll_time(),
            schedule_latency: self.schedule_latency(),
        }
        .serialize(serializer)
    }
}

macro_rules! interval {
    (Worker { $($of_workers:tt)* } Runtime { $($of_the_runtime:tt)* }
     OnDemand { $($(#[$doc:meta])* $name:ident $variant:ident $exported:literal $unlike:literal,)* }) => {
        #[derive(serde::Serialize)]
        #[serde(bound = "")]
        struct IntervalFields<'a, S: Storage> {
            schema: u32,
            #[serde(with = "serde_u64::duration")]
            wall: Option<Duration>,
            tasks: Option<TaskCounts>,
            blocking_queue_wait: Option<&'a HistogramInterval<S::Counts>>,
            $($name: Option<&'a HistogramInterval<S::Counts>>,)*
            total: &'a WorkerInterval<S>,
            workers: &'a [WorkerInterval<S>],
        }

        impl<S: Storage> Serialize for Interval<S> {
            fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
                IntervalFields::<S> {
                    schema: SNAPSHOT_SCHEMA,
                    wall: self.wall(),
                    tasks: self.tasks(),
                    blocking_queue_wait: self.blocking_queue_wait(),
                    $($name: self.$name(),)*
                    total: self.total(),
                    workers: self.workers(),
                }
                .serialize(serializer)
            }
        }
    };
}
with_histograms!(interval);
