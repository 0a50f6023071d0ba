//! Errors of histogram configuration and arithmetic.

use core::error::Error;
use core::fmt;

use super::layout::HistogramLayout;
use super::limits::{MAX_COUNT, MAX_PRECISION};

/// An error in a histogram's configuration. It is detected before any arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum HistogramError {
    /// The number of buckets is 0.
    ZeroBuckets,
    /// The width of linear buckets, or of the first power-of-two bucket, is 0.
    ZeroWidth,
    /// `min` is above `max`.
    MinAboveMax {
        /// The smallest value to resolve.
        min: u64,
        /// The largest value to resolve.
        max: u64,
    },
    /// The H2 precision exceeds the limit.
    PrecisionTooHigh {
        /// The precision requested.
        precision: u32,
        /// [`HistogramConfig::MAX_PRECISION`](super::HistogramConfig::MAX_PRECISION).
        limit: u32,
    },
    /// The maximum error is not between 0 and 1, both excluded.
    MaxErrorOutOfRange,
    /// The maximum error needs a precision above the limit.
    MaxErrorTooSmall,
    /// The number of buckets exceeds [`HistogramConfig::MAX_BUCKETS`](super::HistogramConfig::MAX_BUCKETS) or the
    /// caller's own limit.
    TooManyBuckets {
        /// The number of buckets that the layout needs.
        required: usize,
        /// The number of buckets allowed.
        limit: usize,
    },
    /// No `u64` can fall into some buckets: the last one would start above `u64::MAX`.
    UnreachableBuckets {
        /// The number of buckets requested.
        buckets: usize,
        /// The largest possible number of buckets of that width.
        reachable: usize,
    },
    /// The width of the first power-of-two bucket can't be rounded up to a power of two.
    FirstBucketTooWide {
        /// The width requested.
        first_bucket: u64,
        /// The largest possible width.
        limit: u64,
    },
    /// A duration exceeds the nanoseconds that a `u64` holds (584 years).
    DurationTooLong,
    /// A builder has a linear or power-of-two layout and H2 parameters, or both a linear and a power-of-two layout.
    MixedLayouts,
}

impl fmt::Display for HistogramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ZeroBuckets => f.write_str("a histogram needs at least 1 bucket, but 0 were requested"),
            Self::ZeroWidth => f.write_str("a bucket's width must be at least 1, but 0 was requested"),
            Self::MinAboveMax { min, max } => {
                write!(
                    f,
                    "the minimum, {min}, is above the maximum, {max}: lower one or raise the other"
                )
            }
            Self::PrecisionTooHigh { precision, limit } => {
                write!(
                    f,
                    "a precision of {precision} is above the limit: use {limit} or less"
                )
            }
            Self::MaxErrorOutOfRange => f.write_str("the maximum error must be above 0 and below 1"),
            Self::MaxErrorTooSmall => write!(
                f,
                "the maximum error is below that of the highest precision: use 2^-{MAX_PRECISION} or more"
            ),
            Self::TooManyBuckets { required, limit } => write!(
                f,
                "the layout needs {required} buckets, but {limit} are allowed: use a coarser precision, a narrower \
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
                "a duration exceeds 64 bits of nanoseconds: use {} s or less",
                u64::MAX / 1_000_000_000
            ),
            Self::MixedLayouts => f.write_str(
                "a histogram has one layout: set either linear(), or power_of_two(), or the range and \
                 precision of H2",
            ),
        }
    }
}

impl Error for HistogramError {}

/// A histogram has more buckets than its storage holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CapacityError {
    /// The number of buckets to store.
    pub required: usize,
    /// The number of buckets that the storage holds.
    pub capacity: usize,
}

impl fmt::Display for CapacityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a histogram of {} buckets exceeds the storage's {}: enlarge the storage or use fewer buckets",
            self.required, self.capacity
        )
    }
}

impl Error for CapacityError {}

/// An error from adding two histograms. The first one is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum HistogramMergeError {
    /// Their buckets differ.
    LayoutMismatch {
        /// The layout of the histogram that is added to.
        expected: HistogramLayout,
        /// The layout of the histogram to add.
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
                    "the histograms have more than {MAX_COUNT} samples in total, the limit: merge fewer"
                )
            }
        }
    }
}

impl Error for HistogramMergeError {}

/// An error from subtracting two histograms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum HistogramSinceError {
    /// The histograms have different buckets.
    LayoutMismatch {
        /// The layout of the later histogram.
        expected: HistogramLayout,
        /// The layout of the other histogram.
        found: HistogramLayout,
    },
    /// The other histogram is not an earlier state of this one: a count or the sum would decrease, or they are
    /// inconsistent.
    NotEarlier,
}

impl fmt::Display for HistogramSinceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LayoutMismatch { expected, found } => mismatch(f, expected, found),
            Self::NotEarlier => f.write_str(
                "not an earlier state of the same histogram: a count would decrease; subtract the older state \
                 from the newer one",
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
