//! The kind and the parameters of a layout, as a public value.

/// A histogram's kind and parameters, as [`HistogramConfig::layout`](super::HistogramConfig::layout) describes them.
///
/// Values have the unit of the recorded values, which is nanoseconds everywhere in this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum HistogramLayout {
    /// Buckets of equal width.
    Linear {
        /// The width of a bucket.
        #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
        width: u64,
        /// The number of buckets, including the last, which has no upper bound.
        buckets: u32,
    },
    /// Buckets that double in width: Tokio's legacy log scale.
    PowerOfTwo {
        /// The width of the first bucket, a power of two.
        #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
        first_bucket: u64,
        /// The number of buckets, including the last, which has no upper bound.
        buckets: u32,
    },
    /// Base-2 log-linear: each power of two is split into `2^precision` equal buckets.
    H2 {
        /// All smaller values share the first bucket. 0 if the first bucket holds only 0.
        #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
        min: u64,
        /// The start of the last bucket, which has no upper bound. `u64::MAX` if the layout is not truncated at the
        /// top.
        #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
        max: u64,
        /// The base-2 logarithm of the number of buckets per power of two.
        precision: u32,
    },
}
