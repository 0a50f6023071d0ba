//! The layout of a histogram, which maps values to buckets. It is chosen at run time and checked once.

use core::fmt;

use super::error::HistogramError;
use super::h2_index::{Groups, full_index, full_start, top_index};
use super::layout::HistogramLayout;
use super::limits;
use super::range::BucketRange;

/// Fractional bits of the quotient that replaces a division by the width of a linear bucket: 16 bits of bucket number
/// (see [`HistogramConfig::MAX_BUCKETS`]) and these need 63 bits, so the product never wraps.
const RECIPROCAL_BITS: u32 = 47;

/// The computation of a bucket between the first and the last.
// No tag is zero, so that zeros are `None` in an `Option` of a histogram, and an empty snapshot is all zeros: in a `static`
// it takes no flash.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Rule {
    /// H2, and powers of two, which are H2 with precision 0.
    Log { power_of_two: bool } = 1,
    /// `((value >> shift) * reciprocal) >> RECIPROCAL_BITS` is the bucket or one less.
    Linear { shift: u32, reciprocal: u64 } = 2,
}

/// The layout of a histogram: it maps each value to a bucket.
///
/// ```
/// use metrics_core::HistogramConfig;
///
/// // Ten buckets of 100 ns; the last one has no upper bound.
/// let config = HistogramConfig::linear(100, 10)?;
/// assert_eq!(config.index(250), 2);
/// assert_eq!(config.index(u64::MAX), 9);
/// assert!(HistogramConfig::linear(0, 10).is_err());
/// # Ok::<(), metrics_core::HistogramError>(())
/// ```
///
/// A configuration is checked once, at construction: [`index`](Self::index) accepts any `u64` and never fails. There
/// are three layouts: [`linear`](Self::linear), [`power_of_two`](Self::power_of_two) and [`h2`](Self::h2), the
/// default. In each, the first bucket starts at 0 and the last one has no upper bound, so no value is lost.
///
/// Two configurations are equal if their kinds and their buckets are equal. Parameters are rounded to bucket edges as
/// Tokio's `LogHistogram` rounds them, so different parameters may give equal configurations.
///
/// <https://h2histogram.org> describes the H2 layout. The index of a value `v` is `(w << p) + (v >> w)`, with `h =
/// floor(log2(v | 2^p))` and `w = h - p`. Values below the bucket of `min` belong to the first bucket, and values
/// above `max` to the last.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HistogramConfig {
    /// Smaller values are in bucket 0. For a linear layout, the width.
    first_end: u64,
    /// Values from here on are in the last bucket.
    last_start: u64,
    groups: Groups,
    /// The untruncated index of bucket 0; 0 if linear.
    offset: u32,
    last: u32,
    rule: Rule,
}

impl HistogramConfig {
    /// H2, 100 ns to 60 s with precision 2 (a bucket is at most 25 % of its lower bound wide): 119 buckets, with the
    /// bounds of Tokio's `LogHistogram::default()`.
    ///
    /// The edges are rounded outwards: the first bucket ends at 96 ns, and the last one starts at about 60.1 s.
    pub const DEFAULT: Self = Self::h2_of_checked(100, 60_000_000_000, 2);

    /// The highest H2 precision, as in Tokio: a bucket is at most 2^-10 (0.098 %) of its lower bound wide.
    pub const MAX_PRECISION: u32 = limits::MAX_PRECISION;

    /// The largest number of buckets of any layout. The largest H2 layout needs 56 320.
    pub const MAX_BUCKETS: usize = limits::MAX_BUCKETS;

    /// Creates an H2 (base-2 log-linear) layout, which splits each power of two into `2^precision` buckets of equal
    /// width.
    ///
    /// All values below `min` share the first bucket, which ends at or below `min`. The last bucket starts at the
    /// first edge at or above `max` and has no upper bound. Between them, a bucket is at most `2^-precision` of its
    /// lower bound wide, but at least 1. A `max` beyond the last edge truncates nothing.
    ///
    /// # Errors
    ///
    /// Returns [`HistogramError::PrecisionTooHigh`] above [`MAX_PRECISION`](Self::MAX_PRECISION), and
    /// [`HistogramError::MinAboveMax`] if `min > max`.
    pub const fn h2(min: u64, max: u64, precision: u32) -> Result<Self, HistogramError> {
        if precision > Self::MAX_PRECISION {
            return Err(HistogramError::PrecisionTooHigh {
                precision,
                limit: Self::MAX_PRECISION,
            });
        }
        if min > max {
            return Err(HistogramError::MinAboveMax { min, max });
        }
        Ok(Self::h2_of_checked(min, max, precision))
    }

    /// Creates a layout of `buckets` buckets of equal `width`. The last one has no upper bound.
    ///
    /// # Errors
    ///
    /// Returns [`HistogramError::ZeroBuckets`], [`HistogramError::ZeroWidth`], [`HistogramError::TooManyBuckets`]
    /// above [`MAX_BUCKETS`](Self::MAX_BUCKETS), or [`HistogramError::UnreachableBuckets`] if the last bucket would
    /// start above `u64::MAX`.
    pub const fn linear(width: u64, buckets: usize) -> Result<Self, HistogramError> {
        if let Err(error) = Self::check_buckets(width, buckets) {
            return Err(error);
        }
        let last = buckets as u32 - 1;
        let Some(last_start) = width.checked_mul(last as u64) else {
            // At least 1: the bucket that starts at 0. At most `last`, as the product overflowed.
            let reachable = u64::MAX / width + 1;
            return Err(HistogramError::UnreachableBuckets {
                buckets,
                reachable: reachable as usize,
            });
        };
        // The value is truncated to 32 bits before the multiplication.
        let shift = (64 - last_start.leading_zeros()).saturating_sub(32);
        // floor(2^(47 + shift) / width) without 128 bits: where the numerator would not fit, both sides lose the
        // same bits, and the width (then above 2^(15 + shift)) rounds up so that the quotient never is too big.
        let cut = shift.saturating_sub(16);
        let divisor = if cut == 0 { width } else { (width >> cut) + 1 };
        let reciprocal = (1 << (RECIPROCAL_BITS + shift - cut)) / divisor;
        Ok(Self {
            first_end: width,
            last_start,
            groups: Groups::NONE,
            offset: 0,
            last,
            rule: Rule::Linear { shift, reciprocal },
        })
    }

    /// Creates a layout of `buckets` buckets, each as wide as all buckets below it together: Tokio's legacy log scale.
    ///
    /// The width of the first bucket is `first_bucket`, rounded up to a power of two. The last bucket has no upper
    /// bound.
    ///
    /// # Errors
    ///
    /// Returns [`HistogramError::ZeroBuckets`], [`HistogramError::ZeroWidth`], [`HistogramError::FirstBucketTooWide`]
    /// above `2^63`, or [`HistogramError::UnreachableBuckets`] if the last bucket would start above `u64::MAX`.
    pub const fn power_of_two(first_bucket: u64, buckets: usize) -> Result<Self, HistogramError> {
        // No separate limit: more than 65 buckets never fit in 64 bits.
        if let Err(error) = Self::check_buckets(first_bucket, if buckets == 0 { 0 } else { 1 }) {
            return Err(error);
        }
        let Some(first_end) = first_bucket.checked_next_power_of_two() else {
            return Err(HistogramError::FirstBucketTooWide {
                first_bucket,
                limit: 1 << 63,
            });
        };
        let offset = first_end.trailing_zeros();
        let reachable = 65 - offset as usize;
        if buckets > reachable {
            return Err(HistogramError::UnreachableBuckets { buckets, reachable });
        }
        let last = buckets as u32 - 1;
        let last_start = if last == 0 {
            0
        } else {
            full_start(offset + last, 0)
        };
        Ok(Self {
            first_end,
            last_start,
            groups: Groups::of(0),
            offset,
            last,
            rule: Rule::Log { power_of_two: true },
        })
    }

    const fn check_buckets(width: u64, buckets: usize) -> Result<(), HistogramError> {
        if buckets == 0 {
            return Err(HistogramError::ZeroBuckets);
        }
        if width == 0 {
            return Err(HistogramError::ZeroWidth);
        }
        if buckets > Self::MAX_BUCKETS {
            return Err(HistogramError::TooManyBuckets {
                required: buckets,
                limit: Self::MAX_BUCKETS,
            });
        }
        Ok(())
    }

    /// The caller ensures `min <= max` and `precision <= MAX_PRECISION`.
    const fn h2_of_checked(min: u64, max: u64, precision: u32) -> Self {
        // One bucket below that of `min` remains for smaller values.
        let groups = Groups::of(precision);
        let offset = full_index(min, groups).saturating_sub(1);
        // The first bucket that starts at or above `max`, if there is one, and is not the first of all.
        let mut last = full_index(if max == 0 { 1 } else { max }, groups);
        if last < top_index(precision) && full_start(last, precision) < max {
            last += 1;
        }
        let last_start = full_start(last, precision);
        Self {
            first_end: full_start(offset + 1, precision),
            last_start,
            groups,
            offset,
            last: last - offset,
            rule: Rule::Log { power_of_two: false },
        }
    }

    /// Returns the number of buckets, from 1 to [`MAX_BUCKETS`](Self::MAX_BUCKETS).
    #[inline]
    pub const fn num_buckets(&self) -> usize {
        self.last as usize + 1
    }

    /// Returns the bucket of `value`. It is always less than [`num_buckets`](Self::num_buckets).
    #[inline]
    pub const fn index(&self, value: u64) -> usize {
        let index = self.index_fast(value);
        if index >= self.last as usize {
            return self.index_outlined(value);
        }
        index
    }

    /// Returns the same as [`index`](Self::index) below the last bucket, and an index past the last bucket for its
    /// values and for all values of a linear layout. A caller with one count per bucket calls [`index`](Self::index)
    /// if the lookup fails.
    // Branch-free: after a clock read, more than one select would wait for the result of the read.
    #[inline]
    pub(crate) const fn index_fast(&self, value: u64) -> usize {
        // Values below the end of the first bucket have an index of at most `offset`.
        full_index(value, self.groups).saturating_sub(self.offset) as usize
    }

    /// Returns the index in the last bucket of a logarithmic layout, and in every bucket of a linear layout.
    #[cold]
    #[inline(never)]
    const fn index_outlined(&self, value: u64) -> usize {
        if value >= self.last_start {
            return self.last as usize;
        }
        match self.rule {
            // Not reached: `index_fast` handles every bucket of a logarithmic layout but the last.
            Rule::Log { .. } => 0,
            Rule::Linear { shift, reciprocal } => {
                // Cutting the value and rounding the reciprocal (twice) each cost less than 2^-15 of a bucket, so
                // the estimate is right or 1 too small. Its successor is at most `last`, whose start fits.
                let estimate = ((value >> shift) * reciprocal) >> RECIPROCAL_BITS;
                (estimate + ((estimate + 1) * self.first_end <= value) as u64) as usize
            }
        }
    }

    /// Returns the range of values of a bucket; `None` if there is no such bucket.
    pub const fn bucket_range(&self, index: usize) -> Option<BucketRange> {
        let last = self.last as usize;
        if index > last {
            return None;
        }
        let end = if index == last {
            None
        } else {
            Some(self.bucket_start(index as u32 + 1))
        };
        Some(BucketRange {
            start: self.bucket_start(index as u32),
            end,
        })
    }

    /// Returns the start of a bucket; `index` must not be above `last`.
    const fn bucket_start(&self, index: u32) -> u64 {
        if index == 0 {
            return 0;
        }
        match self.rule {
            Rule::Log { .. } => full_start(self.offset + index, self.groups.precision),
            Rule::Linear { .. } => self.first_end * index as u64,
        }
    }

    /// Returns the kind and its parameters. A configuration created from them is equal to this one.
    ///
    /// The parameters may differ from those requested: they are the edges to which those were rounded.
    pub const fn layout(&self) -> HistogramLayout {
        let buckets = self.last + 1;
        match self.rule {
            Rule::Linear { .. } => HistogramLayout::Linear {
                width: self.first_end,
                buckets,
            },
            Rule::Log { power_of_two: true } => HistogramLayout::PowerOfTwo {
                first_bucket: self.first_end,
                buckets,
            },
            Rule::Log { power_of_two: false } => HistogramLayout::H2 {
                min: if self.offset == 0 { 0 } else { self.first_end },
                max: if self.offset + self.last == top_index(self.groups.precision) {
                    u64::MAX
                } else {
                    self.last_start
                },
                precision: self.groups.precision,
            },
        }
    }

    /// Returns the largest ratio of a bucket's width to its lower bound: `2^-precision` for H2, 1 for powers of two,
    /// and `None` for linear buckets, whose error is absolute.
    ///
    /// It applies only between the first and the last bucket. Buckets of width 1 are exact.
    pub const fn relative_error(&self) -> Option<f64> {
        match self.rule {
            Rule::Log { .. } => Some(1.0 / (1_u32 << self.groups.precision) as f64),
            Rule::Linear { .. } => None,
        }
    }

    /// Returns the position of bucket 0 in a grid that all layouts of this kind and precision share, and whether the
    /// grid is logarithmic, so that only power-of-two steps on it nest.
    pub(super) const fn grid(&self) -> (u32, bool) {
        match self.rule {
            Rule::Log { .. } => (self.offset, true),
            Rule::Linear { .. } => (0, false),
        }
    }
}

impl Default for HistogramConfig {
    /// Returns [`HistogramConfig::DEFAULT`].
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl TryFrom<HistogramLayout> for HistogramConfig {
    type Error = HistogramError;

    fn try_from(layout: HistogramLayout) -> Result<Self, HistogramError> {
        match layout {
            HistogramLayout::Linear { width, buckets } => Self::linear(width, buckets as usize),
            HistogramLayout::PowerOfTwo {
                first_bucket,
                buckets,
            } => Self::power_of_two(first_bucket, buckets as usize),
            HistogramLayout::H2 { min, max, precision } => Self::h2(min, max, precision),
        }
    }
}

impl fmt::Debug for HistogramConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HistogramConfig").field(&self.layout()).finish()
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for HistogramConfig {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "HistogramConfig({})", self.layout());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn it_stays_small_enough_to_copy() {
        assert!(size_of::<HistogramConfig>() <= 64);
    }
}
