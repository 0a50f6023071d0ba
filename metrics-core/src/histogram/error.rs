//! Every way in which a histogram's configuration or arithmetic can be wrong.

use core::error::Error;
use core::fmt;

use super::layout::HistogramLayout;
use super::limits::{MAX_COUNT, MAX_PRECISION};

/// Why a histogram's configuration can't work. Nothing was computed from it before it was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum HistogramError {
    /// No bucket was asked for.
    ZeroBuckets,
    /// Linear buckets, or the first of the power-of-two buckets, of width 0.
    ZeroWidth,
    /// `min` is not below `max`.
    MinNotBelowMax {
        /// The smallest value to tell apart.
        min: u64,
        /// The largest value to tell apart.
        max: u64,
    },
    /// An H2 precision above the limit.
    PrecisionTooHigh {
        /// What was asked for.
        precision: u32,
        /// [`HistogramConfig::MAX_PRECISION`](super::HistogramConfig::MAX_PRECISION).
        limit: u32,
    },
    /// A greatest error outside of 0 to 1, both excluded.
    MaxErrorOutOfRange,
    /// A greatest error that would need a precision above the limit.
    MaxErrorTooSmall,
    /// More buckets than the limit, which is [`HistogramConfig::MAX_BUCKETS`](super::HistogramConfig::MAX_BUCKETS) or the caller's own.
    TooManyBuckets {
        /// How many the layout needs.
        required: usize,
        /// How many it may have.
        limit: usize,
    },
    /// Buckets that no `u64` can fall into: the last one would start above `u64::MAX`.
    UnreachableBuckets {
        /// How many were asked for.
        buckets: usize,
        /// How many of that width there can be.
        reachable: usize,
    },
    /// The first of the power-of-two buckets can't be rounded up to a power of two.
    FirstBucketTooWide {
        /// What was asked for.
        first_bucket: u64,
        /// The widest possible.
        limit: u64,
    },
    /// A duration of more nanoseconds than a `u64` holds (584 years).
    DurationTooLong,
    /// A builder was given a linear or power-of-two layout and H2 parameters, or both of the former.
    MixedLayouts,
}

impl fmt::Display for HistogramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ZeroBuckets => f.write_str("a histogram needs at least 1 bucket, but 0 were asked for"),
            Self::ZeroWidth => {
                f.write_str("a bucket must be at least 1 wide, but a width of 0 was asked for")
            }
            Self::MinNotBelowMax { min, max } => {
                write!(
                    f,
                    "the minimum, {min}, must be below the maximum, {max}: lower one or raise the other"
                )
            }
            Self::PrecisionTooHigh { precision, limit } => {
                write!(
                    f,
                    "a precision of {precision} is above the limit: use {limit} or less"
                )
            }
            Self::MaxErrorOutOfRange => f.write_str("the greatest error must be above 0 and below 1"),
            Self::MaxErrorTooSmall => write!(
                f,
                "the greatest error is below what the finest precision gives: use 2^-{MAX_PRECISION} or more"
            ),
            Self::TooManyBuckets { required, limit } => write!(
                f,
                "{required} buckets are needed where {limit} are allowed: use a coarser precision, a narrower \
                 range or wider buckets"
            ),
            Self::UnreachableBuckets { buckets, reachable } => write!(
                f,
                "{buckets} buckets of this width reach beyond the largest value: use at most {reachable}, or \
                 narrower ones"
            ),
            Self::FirstBucketTooWide { first_bucket, limit } => {
                write!(
                    f,
                    "a first bucket of {first_bucket} has no power of two above it: use {limit} or less"
                )
            }
            Self::DurationTooLong => write!(
                f,
                "a duration is longer than 64 bits of nanoseconds hold: use {} s or less",
                u64::MAX / 1_000_000_000
            ),
            Self::MixedLayouts => f.write_str(
                "a histogram has one layout: give either linear(), or power_of_two(), or the range and \
                 precision of H2",
            ),
        }
    }
}

impl Error for HistogramError {}

/// A histogram has more buckets than its storage can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CapacityError {
    /// How many buckets were to be stored.
    pub required: usize,
    /// How many there is room for, now.
    pub capacity: usize,
}

impl fmt::Display for CapacityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a histogram of {} buckets does not fit into storage for {}: enlarge it or use fewer buckets",
            self.required, self.capacity
        )
    }
}

impl Error for CapacityError {}

/// Why two histograms can't be added up. The one to be added to is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum HistogramMergeError {
    /// Their buckets differ.
    LayoutMismatch {
        /// Of the one to be added to.
        expected: HistogramLayout,
        /// Of the one to add.
        found: HistogramLayout,
    },
    /// Together they hold more samples than
    /// [`HistogramSnapshot::MAX_COUNT`](super::HistogramSnapshot::MAX_COUNT).
    CountOverflow,
}

impl fmt::Display for HistogramMergeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LayoutMismatch { expected, found } => mismatch(f, expected, found),
            Self::CountOverflow => {
                write!(
                    f,
                    "together the histograms hold more than {MAX_COUNT} samples, the limit: merge fewer"
                )
            }
        }
    }
}

impl Error for HistogramMergeError {}

/// Why a histogram can't be subtracted from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum HistogramSinceError {
    /// Their buckets differ.
    LayoutMismatch {
        /// Of the later one.
        expected: HistogramLayout,
        /// Of the one that was to be the earlier.
        found: HistogramLayout,
    },
    /// What was to be the earlier one is no earlier state of the other: a count or the sum would go back, or
    /// they do not fit together.
    NotEarlier,
}

impl fmt::Display for HistogramSinceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LayoutMismatch { expected, found } => mismatch(f, expected, found),
            Self::NotEarlier => f.write_str(
                "not an earlier state of the same histogram: a count would go back; subtract the older from \
                 the newer, both of one source",
            ),
        }
    }
}

impl Error for HistogramSinceError {}

fn mismatch(f: &mut fmt::Formatter<'_>, expected: &HistogramLayout, found: &HistogramLayout) -> fmt::Result {
    write!(
        f,
        "the histograms have different buckets, {expected:?} and {found:?}: record both with one layout"
    )
}
