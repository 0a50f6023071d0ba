//! The limits of every histogram.

/// The highest precision of an H2 layout.
pub(super) const MAX_PRECISION: u32 = 10;

/// The largest number of buckets of any layout.
pub(super) const MAX_BUCKETS: usize = 1 << 16;

/// The largest number of samples after merging or decoding. Recording single samples can't overflow from here in
/// practice.
pub(super) const MAX_COUNT: u64 = 1 << 63;
