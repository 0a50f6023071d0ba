//! Decoding a serialised snapshot, within a memory limit and with one check of the whole.

use super::budget::Budget;
use super::locations_wire::Locations;
use super::measurements::{HistogramReading, Measurements};
use super::wire::{FIELDS, SNAPSHOT_SCHEMA, WorkerCount};
use super::{Snapshot, WorkerSnapshot};
use crate::catalog::{ON_DEMAND, RuntimeNumber};
use crate::histogram::HistogramSnapshot;
use crate::serde_storage::text;
use crate::serde_u64::U64;
use crate::slot::EXTERNAL;
use crate::storage::{Rows, Storage};
use core::fmt;
use core::marker::PhantomData;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

/// Decodes a [`Snapshot`] within a memory limit.
///
/// A few bytes can describe a histogram of thousands of buckets. Decoding a `Snapshot` without a seed therefore fails
/// if it would need more than 128 MiB, or more than 4 MiB plus 200 times the bytes read. Use a seed to set another
/// limit:
///
/// ```
/// use metrics_core::{Builder, HeapStorage, NoClock, RuntimeMetrics, SnapshotSeed};
/// use serde::de::DeserializeSeed;
///
/// let metrics = RuntimeMetrics::new(Builder::new().build(NoClock)?);
/// let json = serde_json::to_string(&metrics.snapshot())?;
///
/// let mut decoder = serde_json::Deserializer::from_str(&json);
/// let snapshot = SnapshotSeed::<HeapStorage>::new().limit(1 << 30).deserialize(&mut decoder)?;
/// assert_eq!(snapshot.epoch(), metrics.snapshot().epoch());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SnapshotSeed<S> {
    budget: Budget,
    storage: PhantomData<S>,
}

impl<S: Storage> SnapshotSeed<S> {
    /// The default limit, in bytes.
    pub const DEFAULT_LIMIT: usize = 128 << 20;

    /// Creates a seed with the default limits.
    pub const fn new() -> Self {
        Self {
            budget: Budget::of_bytes_read(Self::DEFAULT_LIMIT),
            storage: PhantomData,
        }
    }

    /// Sets the memory in bytes that decoding may use, however little is read.
    #[must_use]
    pub const fn limit(mut self, bytes: usize) -> Self {
        self.budget = Budget::of(bytes);
        self
    }
}

impl<S: Storage> Default for SnapshotSeed<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'de, S: Storage> Deserialize<'de> for Snapshot<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SnapshotSeed::new().deserialize(deserializer)
    }
}

impl<'de, S: Storage> DeserializeSeed<'de> for SnapshotSeed<S> {
    type Value = Snapshot<S>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Snapshot<S>, D::Error> {
        deserializer.deserialize_struct("Snapshot", FIELDS, self)
    }
}

impl<'de, S: Storage> Visitor<'de> for SnapshotSeed<S> {
    type Value = Snapshot<S>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a snapshot")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Snapshot<S>, A::Error> {
        let (mut decoder, mut fields) = (Decoder::new(self.budget), InOrder(seq));
        for field in FIELDS {
            decoder.field(field, &mut fields)?;
        }
        decoder.finish()
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Snapshot<S>, A::Error> {
        let (mut decoder, mut fields) = (Decoder::new(self.budget), ByName(map));
        while let Some(name) = fields.0.next_key_seed(FieldName)? {
            decoder.field(name, &mut fields)?;
        }
        decoder.finish()
    }
}

/// Returns the value of the next field in any format.
trait NextValue<'de> {
    type Error: Error;

    fn next_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Self::Error>;

    fn next<V: Deserialize<'de>>(&mut self) -> Result<V, Self::Error> {
        self.next_seed(PhantomData)
    }
}

struct InOrder<A>(A);

impl<'de, A: SeqAccess<'de>> NextValue<'de> for InOrder<A> {
    type Error = A::Error;

    fn next_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        let missing =
            || A::Error::custom("a field of the snapshot is missing: it was written by another version");
        self.0.next_element_seed(seed)?.ok_or_else(missing)
    }
}

struct ByName<A>(A);

impl<'de, A: MapAccess<'de>> NextValue<'de> for ByName<A> {
    type Error = A::Error;

    fn next_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.0.next_value_seed(seed)
    }
}

/// The name of a field; empty for a name that this version does not know.
struct FieldName;

impl<'de> DeserializeSeed<'de> for FieldName {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<&'static str, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for FieldName {
    type Value = &'static str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<&'static str, E> {
        Ok(FIELDS.iter().find(|&&field| field == name).copied().unwrap_or(""))
    }
}

/// A snapshot in the process of decoding.
struct Decoder<S: Storage> {
    snapshot: Snapshot<S>,
    budget: Budget,
    has_schema: bool,
}

/// The text type of any storage.
#[derive(serde::Deserialize)]
#[serde(bound = "")]
struct Name<S: Storage>(#[serde(deserialize_with = "text::deserialize")] S::Text);

impl<S: Storage> Decoder<S> {
    fn new(budget: Budget) -> Self {
        Self {
            snapshot: Snapshot::EMPTY,
            budget,
            has_schema: false,
        }
    }

    /// Decodes the histogram of this name in [`ON_DEMAND`], or returns `false` if there is none.
    fn on_demand<'de, N: NextValue<'de>>(&mut self, field: &str, next: &mut N) -> Result<bool, N::Error> {
        let Some(list) = ON_DEMAND
            .iter()
            .zip(&mut self.snapshot.on_demand)
            .find_map(|(name, list)| (name.name() == field).then_some(list))
        else {
            return Ok(false);
        };
        if let Some(histogram) = next.next::<Option<HistogramSnapshot<S::Counts>>>()? {
            self.budget.spend_on_histogram(&histogram)?;
            list.clear();
            // Static storage keeps none.
            let _ = list.try_push(histogram);
        }
        Ok(true)
    }

    fn field<'de, N: NextValue<'de>>(&mut self, field: &str, next: &mut N) -> Result<(), N::Error> {
        let snapshot = &mut self.snapshot;
        match field {
            "schema" => {
                check_schema(next.next()?)?;
                self.has_schema = true;
            }
            "name" => snapshot.name = next.next::<Name<S>>()?.0,
            "epoch" => snapshot.epoch = next.next::<U64>()?.0,
            "started_at" => snapshot.started_at = number(next)?,
            "uptime" => snapshot.uptime = number(next)?,
            "num_workers" => snapshot.num_workers = next.next::<WorkerCount>()?.0,
            "tasks" => snapshot.tasks = next.next()?,
            "blocking_queue_wait" => {
                snapshot.blocking_queue_wait = next.next()?;
                if let Some(histogram) = &snapshot.blocking_queue_wait {
                    self.budget.spend_on_histogram(histogram)?;
                }
            }
            "total" => {
                snapshot.total = next.next()?;
                self.budget.spend_on_measurements(&snapshot.total)?;
            }
            "workers" => {
                let budget = &mut self.budget;
                snapshot.workers = next.next_seed(Workers {
                    budget,
                    storage: PhantomData::<S>,
                })?;
            }
            "external" => {
                if let Some(worker) = next.next::<Option<WorkerSnapshot<S>>>()? {
                    self.budget.spend_on_worker(&worker)?;
                    let full = |_| N::Error::custom(FULL);
                    snapshot.external.try_push(worker).map_err(full)?;
                }
            }
            "locations" => {
                let budget = &mut self.budget;
                snapshot.locations = next.next_seed(Locations::<S>::new(budget))?;
            }
            _ => match RuntimeNumber::ALL.iter().find(|number| number.name() == field) {
                Some(&known) => snapshot.runtime.set(known, number(next)?),
                None if self.on_demand(field, next)? => {}
                None => {
                    next.next::<IgnoredAny>()?;
                }
            },
        }
        Ok(())
    }

    fn finish<E: Error>(self) -> Result<Snapshot<S>, E> {
        if !self.has_schema {
            return Err(E::missing_field("schema"));
        }
        self.snapshot.check().map_err(E::custom)?;
        Ok(self.snapshot)
    }
}

const FULL: &str = "more workers than this storage holds: read it with heap storage";

fn check_schema<E: Error>(schema: u32) -> Result<(), E> {
    if schema == SNAPSHOT_SCHEMA {
        return Ok(());
    }
    Err(E::custom(format_args!(
        "the snapshot has schema {schema} and this version reads schema {SNAPSHOT_SCHEMA}: use the version that wrote it"
    )))
}

fn number<'de, N: NextValue<'de>>(next: &mut N) -> Result<Option<u64>, N::Error> {
    Ok(next.next::<Option<U64>>()?.map(|U64(number)| number))
}

/// Decodes the list of workers, and fails if it needs too much memory.
struct Workers<'a, S> {
    budget: &'a mut Budget,
    storage: PhantomData<S>,
}

impl<'de, S: Storage> DeserializeSeed<'de> for Workers<'_, S> {
    type Value = S::Rows<WorkerSnapshot<S>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, S: Storage> Visitor<'de> for Workers<'_, S> {
    type Value = S::Rows<WorkerSnapshot<S>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of workers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut workers = S::Rows::EMPTY;
        while let Some(worker) = seq.next_element::<WorkerSnapshot<S>>()? {
            self.budget.spend_on_worker(&worker)?;
            workers.try_push(worker).map_err(|_| A::Error::custom(FULL))?;
        }
        Ok(workers)
    }
}

impl<S: Storage> Snapshot<S> {
    /// Checks that the values are consistent with a snapshot of a runtime, where the types don't ensure it.
    fn check(&self) -> Result<(), &'static str> {
        let workers = self.workers();
        if !workers.is_sorted_by(|one, next| one.index < next.index) {
            return Err("the workers of a snapshot are sorted by index, each once: these are not");
        }
        if self.num_workers > EXTERNAL {
            return Err("the number of workers is too large");
        }
        if workers.last().is_some_and(|last| last.index >= EXTERNAL) {
            return Err("the index of a worker is too large");
        }
        if self.external().is_some_and(|external| external.index != EXTERNAL) {
            return Err("external threads have the index of a worker");
        }
        let locations = self.locations().unwrap_or_default();
        if !locations.is_sorted_by(|one, next| one.key() < next.key()) {
            return Err("the locations of a snapshot are sorted by number, each once: these are not");
        }
        let has_time = |worker: &WorkerSnapshot<S>| {
            worker.state_for.is_some()
                || worker.busy_in_progress.is_some()
                || worker.stale.is_some_and(|stale| stale.age.is_some())
        };
        if self.uptime.is_none() && self.all().any(has_time) {
            return Err("a worker has a time, but the snapshot has no clock");
        }
        // The difference and the sum of histograms rely on it.
        if !self.has_one_layout(Measurements::poll_time)
            || !self.has_one_layout(Measurements::schedule_latency)
        {
            return Err("the histograms of the workers have different layouts");
        }
        Ok(())
    }

    fn has_one_layout(&self, of: fn(&Measurements<S>) -> Option<&HistogramReading<S>>) -> bool {
        let workers = self.all().map(WorkerSnapshot::measurements);
        let mut readings = workers.chain([&self.total]).filter_map(of);
        let Some(first) = readings.next() else { return true };
        readings.all(|reading| reading.histogram().config() == first.histogram().config())
    }
}
