//! The serialised form of configurations, snapshots and intervals, which all storages share.
//!
//! - A configuration is its [layout](HistogramLayout): kind and parameters.
//! - A snapshot is `config`, `count`, `sum`, `min`, `max`, `buckets`: the last as pairs of index and count, in
//!   ascending order, of the buckets that hold a sample, because most are empty. `min` and `max` are null if there is no sample.
//! - An interval is the same with `min` and `max` as `lower` and `upper`.
//!
//! A `u64` is a string of decimal digits in human-readable formats, as in [`serde_u64`](crate::serde_u64).
//! Deserialising validates everything: parameters are checked as in a constructor, each bucket must exist and come
//! after the one before, the counts must add up to `count`, and sum, minimum and maximum must be possible for these
//! buckets.

use core::fmt;
use core::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeSeq, Serializer};

use super::config::HistogramConfig;
use super::counts::Counts;
use super::difference::{Extremes, HistogramInterval, occupied};
use super::layout::HistogramLayout;
use super::limits;
use super::quantile;
use super::range::ValueBounds;
use super::snapshot::HistogramSnapshot;
use crate::serde_u64::U64;

impl Serialize for HistogramConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.layout().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for HistogramConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        HistogramLayout::deserialize(deserializer)?
            .try_into()
            .map_err(D::Error::custom)
    }
}

const IMPOSSIBLE: &str = "sum, minimum or maximum is not possible for these buckets";

/// Both kinds of histogram, borrowed. `E` is the form of an extreme.
#[derive(serde::Serialize)]
struct Borrowed<'a, E> {
    config: HistogramConfig,
    count: U64,
    sum: U64,
    min: Option<E>,
    max: Option<E>,
    buckets: Sparse<&'a [u64]>,
}

#[derive(serde::Deserialize)]
#[serde(bound(deserialize = "E: Deserialize<'de>, C: Counts"))]
struct Owned<E, C> {
    config: HistogramConfig,
    count: U64,
    sum: U64,
    min: Option<E>,
    max: Option<E>,
    buckets: Sparse<C>,
}

/// Counts as pairs of index and count, without zero counts.
struct Sparse<C>(C);

impl Serialize for Sparse<&[u64]> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let occupied = || (0_u32..).zip(self.0).filter(|(_, count)| **count != 0);
        let mut seq = serializer.serialize_seq(Some(occupied().count()))?;
        for (index, &count) in occupied() {
            seq.serialize_element(&(index, U64(count)))?;
        }
        seq.end()
    }
}

impl<'de, C: Counts> Deserialize<'de> for Sparse<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Pairs(PhantomData))
    }
}

struct Pairs<C>(PhantomData<C>);

impl<'de, C: Counts> Visitor<'de> for Pairs<C> {
    type Value = Sparse<C>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pairs of a bucket's index and count, by ascending index")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Sparse<C>, A::Error> {
        let mut counts = C::default();
        while let Some((index, U64(count))) = seq.next_element::<(u32, U64)>()? {
            let index = index as usize;
            // The limits of the configuration are not known yet if a map has another order.
            if index >= HistogramConfig::MAX_BUCKETS {
                return Err(A::Error::custom(format_args!(
                    "no histogram has a bucket {index}"
                )));
            }
            if index < counts.as_slice().len() {
                return Err(A::Error::custom(format_args!("bucket {index} is out of order")));
            }
            counts.try_resize(index + 1).map_err(A::Error::custom)?;
            if let Some(last) = counts.as_mut_slice().last_mut() {
                *last = count;
            }
        }
        Ok(Sparse(counts))
    }
}

impl<E, C: Counts> Owned<E, C> {
    /// Checks the properties that both kinds share. `bounds` returns the bounds of an extreme.
    fn check<D: Error>(
        self,
        bounds: impl Fn(E) -> ValueBounds,
    ) -> Result<(HistogramConfig, C, u64, Option<Extremes>), D> {
        let Self {
            config,
            count: U64(count),
            sum: U64(sum),
            min,
            max,
            buckets: Sparse(mut counts),
        } = self;
        let buckets = config.num_buckets();
        if counts.as_slice().len() > buckets {
            return Err(D::custom(format_args!(
                "a bucket that the layout of {buckets} buckets does not have"
            )));
        }
        counts.try_resize(buckets).map_err(D::custom)?;
        let total = counts
            .as_slice()
            .iter()
            .try_fold(0_u64, |sum, &count| sum.checked_add(count));
        if total != Some(count) {
            return Err(D::custom(format_args!(
                "the buckets' counts do not add up to {count}"
            )));
        }
        if count > limits::MAX_COUNT {
            return Err(D::custom(format_args!(
                "{count} samples are more than {}",
                limits::MAX_COUNT
            )));
        }
        // A full bucket of a small chip counts no further samples, but their values are in the sum.
        let is_full = counts
            .as_slice()
            .iter()
            .any(|&count| count >= u64::from(u32::MAX));
        let extremes = match (
            min.map(&bounds),
            max.map(&bounds),
            occupied(&config, counts.as_slice()),
        ) {
            (None, None, None) if sum == 0 => None,
            (Some(min), Some(max), Some((lowest, highest)))
                if min.within(lowest) == Some(min)
                    && max.within(highest) == Some(max)
                    && min.lower <= max.upper
                    && (is_full || u128::from(sum) <= times(count, max.upper)) =>
            {
                Some(Extremes { min, max })
            }
            _ => {
                return Err(D::custom(
                    "sum, minimum or maximum is not possible for these buckets",
                ));
            }
        };
        Ok((config, counts, sum, extremes))
    }
}

/// The sum of this many samples, if each had this value.
fn times(count: u64, value: u64) -> u128 {
    u128::from(count) * u128::from(value)
}

impl<C: Counts> Serialize for HistogramSnapshot<C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Borrowed {
            config: *self.config(),
            count: U64(self.count()),
            sum: U64(self.sum()),
            min: self.min().map(U64),
            max: self.max().map(U64),
            buckets: Sparse(self.buckets()),
        }
        .serialize(serializer)
    }
}

impl<'de, C: Counts> Deserialize<'de> for HistogramSnapshot<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Owned::<U64, C>::deserialize(deserializer)?;
        let (config, counts, sum, extremes) = wire.check(|U64(value)| ValueBounds::exact(value))?;
        let (min, max) = extremes.map_or((u64::MAX, 0), |known| (known.min.lower, known.max.lower));
        // This does not hold for an interval: its sum is too small if the sum of a snapshot was saturated.
        let count = quantile::count(counts.as_slice());
        if u128::from(sum) < times(count, min).min(u128::from(u64::MAX)) {
            return Err(D::Error::custom(IMPOSSIBLE));
        }
        Ok(Self::from_parts(config, counts, sum, min, max))
    }
}

impl<C: Counts> Serialize for HistogramInterval<C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Borrowed {
            config: *self.config(),
            count: U64(self.count()),
            sum: U64(self.sum()),
            min: self.min(),
            max: self.max(),
            buckets: Sparse(self.buckets()),
        }
        .serialize(serializer)
    }
}

impl<'de, C: Counts> Deserialize<'de> for HistogramInterval<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Owned::<ValueBounds, C>::deserialize(deserializer)?;
        let (config, counts, sum, extremes) = wire.check(|bounds| bounds)?;
        Ok(Self::from_parts(config, counts, sum, extremes))
    }
}
