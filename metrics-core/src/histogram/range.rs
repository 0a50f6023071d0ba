//! Ranges of values: the range of a bucket, and the bounds of a value.

/// The values of one bucket: from `start` up to but excluding `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BucketRange {
    /// The smallest value of the bucket.
    pub start: u64,
    /// The first value above the bucket; `None` for the last bucket, which has no upper bound.
    pub end: Option<u64>,
}

impl BucketRange {
    /// Returns `true` if the bucket contains `value`.
    pub const fn contains(&self, value: u64) -> bool {
        self.start <= value && value <= self.largest()
    }

    /// Returns the largest value of the bucket; `u64::MAX` for the last one.
    pub const fn largest(&self) -> u64 {
        match self.end {
            // A range from `HistogramConfig` is never empty. One that a caller creates may be, and must not wrap.
            Some(end) => end.saturating_sub(1),
            None => u64::MAX,
        }
    }
}

/// The bounds of a value: it is at least `lower` and at most `upper`. It is exact if they are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ValueBounds {
    /// The smallest possible value.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub lower: u64,
    /// The largest possible value.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub upper: u64,
}

impl ValueBounds {
    /// Creates the bounds of a known value.
    pub(super) const fn exact(value: u64) -> Self {
        Self {
            lower: value,
            upper: value,
        }
    }

    /// Returns the bounds of a value that lies in `range` and in `self`; `None` if that is impossible.
    pub(super) fn within(self, range: BucketRange) -> Option<Self> {
        let lower = self.lower.max(range.start);
        let upper = self.upper.min(range.largest());
        (lower <= upper).then_some(Self { lower, upper })
    }
}
