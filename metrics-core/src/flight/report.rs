//! Which polls made other tasks wait, with names: for people and for other processes.

use super::blame::Culprit;
use super::event::FlightEvent;
use super::recording::FlightRecording;
use crate::live::LocationId;
use crate::time::Timestamp;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// The largest rows of a [`Blame`](crate::Blame), with the names of the spawn locations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct BlameReport {
    /// The time from the first event of any thread to the copy. `None` without an event.
    #[cfg_attr(feature = "serde", serde(with = "nanos::option"))]
    pub span: Option<Duration>,
    /// Whether only some polls were recorded, because polls are sampled.
    pub is_sampled: bool,
    /// The rows, those with the longest time first.
    pub rows: Vec<BlameReportRow>,
}

/// How long the tasks of one spawn location waited because of one culprit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct BlameReportRow {
    /// The spawn location of the tasks that waited. Empty if it is not known.
    pub victim: String,
    /// What their worker did meanwhile.
    pub culprit: NamedCulprit,
    /// The time in victim-seconds: if three tasks wait for one second each, it is three seconds.
    #[cfg_attr(feature = "serde", serde(with = "nanos"))]
    pub waited: Duration,
}

/// A [`Culprit`] with the name of its spawn location.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum NamedCulprit {
    /// [`Culprit::Polls`] of this spawn location. Empty if it is not known.
    Polls(String),
    /// [`Culprit::ShortPolls`].
    ShortPolls,
    /// [`Culprit::NoPoll`].
    NoPoll,
    /// [`Culprit::NotRecorded`].
    NotRecorded,
}

impl FlightRecording {
    /// Computes which polls made other tasks wait, and returns the `limit` rows with the longest time.
    pub fn blame_report(&self, limit: usize) -> BlameReport {
        let name = |location: LocationId| self.location_name(location).to_owned();
        let rows = self.blame().rows.into_iter().take(limit);
        let rows = rows.map(|row| BlameReportRow {
            victim: name(row.victim),
            culprit: match row.culprit {
                Culprit::Polls(location) => NamedCulprit::Polls(name(location)),
                Culprit::ShortPolls => NamedCulprit::ShortPolls,
                Culprit::NoPoll => NamedCulprit::NoPoll,
                Culprit::NotRecorded => NamedCulprit::NotRecorded,
            },
            waited: row.waited,
        });
        BlameReport {
            span: self.span(),
            is_sampled: self.is_sampled,
            rows: rows.collect(),
        }
    }

    /// Returns the recording without the events that began before `start`.
    #[must_use]
    pub fn since(&self, start: Timestamp) -> Self {
        let mut since = self.clone();
        for thread in &mut since.threads {
            let (events, now) = (thread.len(), thread.now);
            let begins_later = |event: &FlightEvent| event.start >= start;
            thread
                .words
                .retain(|&words| begins_later(&FlightEvent::from_words(words, now)));
            thread.in_progress = thread.in_progress.filter(begins_later);
            thread.has_overwritten |= thread.len() < events;
        }
        since
    }
}

/// A duration in nanoseconds, in the form of a `u64`.
#[cfg(feature = "serde")]
mod nanos {
    use crate::serde_u64::U64;
    use core::time::Duration;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    fn of(duration: Duration) -> U64 {
        U64(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }

    // Serde calls it with a reference.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        of(*duration).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        U64::deserialize(deserializer).map(|U64(nanos)| Duration::from_nanos(nanos))
    }

    pub(super) mod option {
        use super::{Deserialize, Deserializer, Duration, Serialize, Serializer, U64, of};

        #[allow(clippy::trivially_copy_pass_by_ref, clippy::ref_option)]
        pub(crate) fn serialize<S: Serializer>(
            duration: &Option<Duration>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            duration.map(of).serialize(serializer)
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Duration>, D::Error> {
            let nanos = Option::<U64>::deserialize(deserializer)?;
            Ok(nanos.map(|U64(nanos)| Duration::from_nanos(nanos)))
        }
    }
}
