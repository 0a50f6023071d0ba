//! The serialised form of a spawn location: flat, with null for what was not measured.

use super::budget::Budget;
use super::locations::{LocationKind, LocationSnapshot};
use crate::live::LocationId;
use crate::locations::{BUCKETS, LocationCensus, LocationValues};
use crate::serde_u64::U64;
use crate::storage::{Rows, Storage};
use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

/// A list of locations.
type List<S> = <S as Storage>::Locations<LocationSnapshot<S>>;

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(bound = "")]
struct Fields<S: Storage> {
    kind: LocationKind,
    location: LocationId,
    #[serde(with = "crate::serde_storage::text")]
    name: S::Text,
    spawned: U64,
    ended: U64,
    poll_count: U64,
    poll_time: Option<U64>,
    longest_poll: Option<U64>,
    poll_time_buckets: [U64; BUCKETS],
    measured_latencies: U64,
    schedule_latency: Option<U64>,
    longest_schedule_latency: Option<U64>,
    stall_count: Option<U64>,
    queued: Option<U64>,
    polling: Option<U64>,
    waiting: Option<U64>,
    unwakeable: Option<U64>,
    longest_wait: Option<U64>,
}

impl<S: Storage> Serialize for LocationSnapshot<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let nanos = |duration: Option<core::time::Duration>| duration.map(|time| U64(time.as_nanos() as u64));
        Fields::<S> {
            kind: self.kind,
            location: self.location,
            name: self.name.clone(),
            spawned: U64(self.spawned),
            ended: U64(self.ended),
            poll_count: U64(self.poll_count()),
            poll_time: nanos(self.poll_time()),
            longest_poll: nanos(self.longest_poll()),
            poll_time_buckets: self.values.poll_time_buckets.map(U64),
            measured_latencies: U64(self.measured_latencies()),
            schedule_latency: nanos(self.schedule_latency()),
            longest_schedule_latency: nanos(self.longest_schedule_latency()),
            stall_count: self.stalls.map(U64),
            queued: self.census.map(|census| U64(census.queued)),
            polling: self.census.map(|census| U64(census.polling)),
            waiting: self.census.map(|census| U64(census.waiting)),
            unwakeable: self.census.map(|census| U64(census.unwakeable)),
            longest_wait: nanos(self.census.and_then(|census| census.longest_wait)),
        }
        .serialize(serializer)
    }
}

impl<'de, S: Storage> Deserialize<'de> for LocationSnapshot<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Fields::<S>::deserialize(deserializer)?;
        let is_measured = fields.poll_time_buckets.iter().any(|&U64(count)| count != 0);
        let has_latency = fields.measured_latencies.0 != 0;
        if fields.poll_time.is_some() != is_measured
            || fields.longest_poll.is_some() != is_measured
            || fields.schedule_latency.is_some() != has_latency
            || fields.longest_schedule_latency.is_some() != has_latency
        {
            return Err(D::Error::custom(
                "a location has a time if and only if polls of it were measured",
            ));
        }
        let census = census(&fields).map_err(D::Error::custom)?;
        let nanos = |time: Option<U64>| time.map_or(0, |U64(nanos)| nanos);
        let location = Self {
            kind: fields.kind,
            location: fields.location,
            name: fields.name,
            spawned: fields.spawned.0,
            ended: fields.ended.0,
            values: LocationValues {
                polls: fields.poll_count.0,
                poll_time: nanos(fields.poll_time),
                longest_poll: nanos(fields.longest_poll),
                poll_time_buckets: fields.poll_time_buckets.map(|U64(count)| count),
                latencies: fields.measured_latencies.0,
                latency: nanos(fields.schedule_latency),
                longest_latency: nanos(fields.longest_schedule_latency),
            },
            stalls: fields.stall_count.map(|U64(count)| count),
            census,
        };
        location.check().map_err(D::Error::custom)?;
        Ok(location)
    }
}

fn census<S: Storage>(fields: &Fields<S>) -> Result<Option<LocationCensus>, &'static str> {
    let counts = [fields.queued, fields.polling, fields.waiting, fields.unwakeable];
    let [Some(queued), Some(polling), Some(waiting), Some(unwakeable)] = counts else {
        let is_absent = counts.iter().all(Option::is_none) && fields.longest_wait.is_none();
        return is_absent
            .then_some(None)
            .ok_or("a location has a whole census or none");
    };
    if unwakeable.0 > waiting.0 || (waiting.0 == 0 && fields.longest_wait.is_some()) {
        return Err("only tasks of a location that wait have a wait and can be without a waker");
    }
    Ok(Some(LocationCensus {
        queued: queued.0,
        polling: polling.0,
        waiting: waiting.0,
        unwakeable: unwakeable.0,
        longest_wait: fields.longest_wait.map(|U64(nanos)| Duration::from_nanos(nanos)),
    }))
}

impl<S: Storage> LocationSnapshot<S> {
    fn check(&self) -> Result<(), &'static str> {
        let values = &self.values;
        let measured = values
            .poll_time_buckets
            .iter()
            .try_fold(0_u64, |sum, &bucket| sum.checked_add(bucket));
        let is_single = matches!(self.kind, LocationKind::Location | LocationKind::Group);
        if is_single == (self.location == LocationId::UNKNOWN) {
            return Err("a location has a number, and tasks of no single location have none");
        }
        if self.is_group() && (values.latencies != 0 || self.census.is_some()) {
            return Err("a group has no schedule latency and no census");
        }
        if self.ended > self.spawned {
            return Err("more tasks of a location ended than were spawned");
        }
        if measured.is_none_or(|measured| measured > values.polls) {
            return Err("more polls of a location were measured than there were");
        }
        if values.latencies > values.polls {
            return Err("more schedule latencies of a location were measured than there were polls");
        }
        if values.longest_poll > values.poll_time || values.longest_latency > values.latency {
            return Err("one poll of a location took longer than all of them together");
        }
        Ok(())
    }
}

const FULL: &str = "more locations than this storage holds: read it with heap storage";
/// The fewest bytes that a location uses in any format: one for each of its fields and buckets.
const LOCATION_BYTES: usize = 29;

/// Decodes the list of locations, and fails if it needs too much memory. Null stands for no list.
pub(super) struct Locations<'a, S> {
    budget: &'a mut Budget,
    storage: PhantomData<S>,
}

impl<'a, S> Locations<'a, S> {
    pub(super) fn new(budget: &'a mut Budget) -> Self {
        Self {
            budget,
            storage: PhantomData,
        }
    }
}

impl<'de, S: Storage> DeserializeSeed<'de> for Locations<'_, S> {
    type Value = Option<List<S>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, S: Storage> Visitor<'de> for Locations<'_, S> {
    type Value = Option<List<S>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of locations")
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut locations = List::<S>::EMPTY;
        while let Some(location) = seq.next_element::<LocationSnapshot<S>>()? {
            let name = location.name.as_ref().len();
            let memory = size_of::<LocationSnapshot<S>>().saturating_add(name);
            self.budget.spend(memory, LOCATION_BYTES.saturating_add(name))?;
            let full = |_| A::Error::custom(FULL);
            locations.try_push(location).map_err(full)?;
        }
        Ok(Some(locations))
    }
}
