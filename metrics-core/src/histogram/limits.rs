//! The limits of every histogram.

/// The finest precision of an H2 layout.
pub(super) const MAX_PRECISION: u32 = 10;

/// The most buckets of any layout.
pub(super) const MAX_BUCKETS: usize = 1 << 16;

/// The most samples that merging and decoding may lead to. Recording sample by sample never gets from here to an overflow.
pub(super) const MAX_COUNT: u64 = 1 << 63;
