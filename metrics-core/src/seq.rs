//! The sequence count that guards a slot: one writer that never waits, readers that never see half of anything.

use crate::sync::{AtomicU32, Ordering, const_unless_loom, fence};

/// Odd while its data are written, and another even number after each write.
///
/// The data are relaxed atomics, so that a reader racing with the writer reads stale or mixed values but never
/// causes undefined behaviour; the count tells it to throw them away. This is the protocol of H.-J. Boehm, "Can
/// seqlocks get along with programming language memory models?" (MSPC 2012), section 5, with fences.
///
/// The count wraps after 2^31 writes. A reader is fooled only if exactly a multiple of that many happen between its two loads.
#[derive(Debug)]
pub(crate) struct SeqCount(AtomicU32);

impl SeqCount {
    const_unless_loom! {
        pub(crate) const fn new() -> Self {
            Self(AtomicU32::new(0))
        }
    }

    /// Runs `write` as the one writer. `write` must not panic: the count would stay odd, and readers busy for good.
    #[inline(always)]
    pub(crate) fn write(&self, write: impl FnOnce()) {
        let seq = self.open();
        write();
        self.close(seq);
    }

    /// Begins a write, for the one writer; [`close`](Self::close) takes what it gives.
    #[inline(always)]
    pub(crate) fn open(&self) -> u32 {
        // Ordering: relaxed, the only writer reads its own last store.
        let seq = self.0.load(Ordering::Relaxed);
        self.0.store(seq.wrapping_add(1), Ordering::Relaxed);
        // Ordering: release fence, pairs with the acquire fence in `unchanged`: a reader that saw any store that follows
        // sees the odd count too.
        fence(Ordering::Release);
        seq
    }

    /// Ends the write.
    #[inline(always)]
    pub(crate) fn close(&self, seq: u32) {
        // Ordering: release, pairs with the acquire in `begin`: a reader that sees this count sees all of the write.
        self.0.store(seq.wrapping_add(2), Ordering::Release);
    }

    /// The count to read under, or `None` while a write is going on.
    #[inline(always)]
    pub(crate) fn begin(&self) -> Option<u32> {
        // Ordering: acquire, pairs with the release that ends `write`.
        let seq = self.0.load(Ordering::Acquire);
        (seq & 1 == 0).then_some(seq)
    }

    /// Whether no write began since `begin` gave `seq`: then what was read between is of one write.
    #[inline(always)]
    pub(crate) fn unchanged(&self, seq: u32) -> bool {
        // Ordering: acquire fence, pairs with the release fence in `write`; it keeps the data loads above the
        // relaxed load below.
        fence(Ordering::Acquire);
        self.0.load(Ordering::Relaxed) == seq
    }

    /// One try: `read`'s result if no write came between.
    #[inline]
    pub(crate) fn try_read<V>(&self, read: impl FnOnce() -> V) -> Option<V> {
        Some(self.try_read_counted(read)?.0)
    }

    /// The same with the count that it was read under.
    #[inline(always)]
    pub(crate) fn try_read_counted<V>(&self, read: impl FnOnce() -> V) -> Option<(V, u32)> {
        let seq = self.begin()?;
        let value = read();
        self.unchanged(seq).then_some((value, seq))
    }
}
