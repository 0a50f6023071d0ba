//! The serialised form of a `u64`: a string of decimal digits in human-readable formats, and native in others.
//!
//! A JSON number is a double to most readers, and sums of nanoseconds pass `2^53` within days. For
//! `#[serde(with = "crate::serde_u64")]`; for an `Option<u64>`, `"crate::serde_u64::option"`.

use core::fmt;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};

/// A `u64` in this form, for places without field attributes, such as elements of a sequence.
#[derive(Clone, Copy)]
pub(crate) struct U64(pub(crate) u64);

impl Serialize for U64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(&self.0)
        } else {
            serializer.serialize_u64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for U64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(Digits).map(Self)
        } else {
            u64::deserialize(deserializer).map(Self)
        }
    }
}

struct Digits;

impl Visitor<'_> for Digits {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string of decimal digits, at most 18446744073709551615")
    }

    fn visit_str<E: Error>(self, string: &str) -> Result<u64, E> {
        // `parse` would also accept a sign.
        let digits = string.bytes().all(|byte| byte.is_ascii_digit());
        let value = if digits { string.parse().ok() } else { None };
        value.ok_or_else(|| E::invalid_value(Unexpected::Str(string), &self))
    }
}

// Serde calls it with a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
pub(crate) fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    U64(*value).serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    U64::deserialize(deserializer).map(|value| value.0)
}

pub(crate) mod option {
    //! The form of an `Option<u64>`: `None` is null, or its equivalent in the format.

    use serde::de::{Deserialize, Deserializer};
    use serde::ser::{Serialize, Serializer};

    use super::U64;

    #[allow(clippy::ref_option)]
    pub(crate) fn serialize<S: Serializer>(value: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(U64).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
        Ok(Option::<U64>::deserialize(deserializer)?.map(|value| value.0))
    }
}

pub(crate) mod duration {
    //! The form of an `Option<Duration>`: its nanoseconds. A duration that does not fit in a `u64` is truncated to
    //! `u64::MAX`.

    use super::option;
    use core::time::Duration;
    use serde::de::Deserializer;
    use serde::ser::Serializer;

    #[allow(clippy::ref_option)]
    pub(crate) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let nanos = value.map(|value| u64::try_from(value.as_nanos()).unwrap_or(u64::MAX));
        option::serialize(&nanos, serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(option::deserialize(deserializer)?.map(Duration::from_nanos))
    }
}
