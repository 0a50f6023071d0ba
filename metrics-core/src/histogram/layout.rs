//! The kind and the parameters of a layout, as a public value.

/// A histogram's kind and parameters, as [`HistogramConfig::layout`](super::HistogramConfig::layout) describes them.
///
/// Values are whatever the histogram records; nanoseconds everywhere in this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum HistogramLayout {
    /// Buckets of one width.
    Linear {
        /// Width of a bucket.
        #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
        width: u64,
        /// Number of buckets, the last one (which reaches infinity) included.
        buckets: u32,
    },
    /// Each bucket twice as wide as the one before: Tokio's legacy log scale.
    PowerOfTwo {
        /// Width of the first bucket, a power of two.
        #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
        first_bucket: u64,
        /// Number of buckets, the last one (which reaches infinity) included.
        buckets: u32,
    },
    /// Base-2 log-linear: each power of two split into `2^precision` equal buckets.
    H2 {
        /// Everything below shares the first bucket; 0 where the first bucket holds nothing but 0.
        #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
        min: u64,
        /// The last bucket starts here and reaches infinity; `u64::MAX` where nothing is cut off at the top.
        #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
        max: u64,
        /// Logarithm of the number of buckets to a power of two.
        precision: u32,
    },
}
