//! The buckets of a histogram on the heap, in chunks and segments.

/// The number of buckets in a chunk, which a batch submits together.
pub(crate) const CHUNK: usize = 8;

/// The segments of a histogram. Each has a bit, so that a reader skips what no worker ever touched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segments {
    /// A segment has `2^shift` chunks: as few as 64 bits can cover.
    shift: u32,
    chunks: usize,
}

impl Segments {
    pub(crate) fn of(chunks: usize) -> Self {
        let rest = chunks.saturating_sub(1) / u64::BITS as usize;
        Self {
            shift: usize::BITS - rest.leading_zeros(),
            chunks,
        }
    }

    /// Returns the bit of the segment that contains a chunk.
    #[inline(always)]
    pub(crate) fn bit(self, chunk: usize) -> u64 {
        1_u64.wrapping_shl((chunk >> self.shift) as u32)
    }

    /// Calls `each` with the number of each chunk in the segments whose bit is set.
    // Perf (row 8): most layouts have segments of one chunk.
    #[inline(always)]
    pub(crate) fn each_chunk(self, bits: u64, mut each: impl FnMut(usize)) {
        if self.shift == 0 {
            return each_bit(bits).for_each(each);
        }
        for segment in each_bit(bits) {
            let first = segment << self.shift;
            (first..(first + (1 << self.shift)).min(self.chunks)).for_each(&mut each);
        }
    }
}

/// Iterates over the numbers of the set bits.
#[inline(always)]
pub(super) fn each_bit(mut bits: u64) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let bit = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(bit)
    })
}

#[cfg(all(test, not(metrics_core_loom)))]
mod tests {
    use super::Segments;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn sixty_four_segments_cover_every_chunk() {
        for chunks in 1..20_000_usize {
            let segments = Segments::of(chunks);
            let shift = segments.shift;
            assert!((chunks - 1) >> shift < 64, "{chunks}");
            assert!(
                shift == 0 || (chunks - 1) >> (shift - 1) >= 64,
                "{chunks}: coarser than needed"
            );
            let mut last = None;
            segments.each_chunk(segments.bit(chunks - 1), |chunk| last = Some(chunk));
            assert_eq!(last, Some(chunks - 1));
        }
    }
}
