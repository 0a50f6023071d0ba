//! Ranges of values: of a bucket, and of what is known about a value.

/// The values of one bucket: from `start`, up to but not including `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BucketRange {
    /// The smallest value of the bucket.
    pub start: u64,
    /// The first value above the bucket; `None` for the last bucket, which reaches infinity.
    pub end: Option<u64>,
}

impl BucketRange {
    /// Whether `value` belongs into the bucket.
    pub const fn contains(&self, value: u64) -> bool {
        self.start <= value && value <= self.largest()
    }

    /// The largest value of the bucket; `u64::MAX` for the last one.
    pub const fn largest(&self) -> u64 {
        match self.end {
            // A range from `HistogramConfig` is never empty; one made by hand may be, and must not wrap.
            Some(end) => end.saturating_sub(1),
            None => u64::MAX,
        }
    }
}

/// What is known about one value: it is at least `lower` and at most `upper`. Exact where they are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ValueBounds {
    /// The smallest value that it can be.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub lower: u64,
    /// The largest value that it can be.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub upper: u64,
}

impl ValueBounds {
    /// Of a value that is known.
    pub(super) const fn exact(value: u64) -> Self {
        Self {
            lower: value,
            upper: value,
        }
    }

    /// Of a value known to lie in `range` and in `self`; `None` if that can't be.
    pub(super) fn within(self, range: BucketRange) -> Option<Self> {
        let lower = self.lower.max(range.start);
        let upper = self.upper.min(range.largest());
        (lower <= upper).then_some(Self { lower, upper })
    }
}
