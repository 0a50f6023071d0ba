//! The sequence count that guards a slot: one writer that never waits, and readers that never see a partial write.

use crate::sync::{AtomicU32, Ordering, const_unless_loom, fence};

/// A sequence count: odd during a write, and a new even number after each write.
///
/// The data are relaxed atomics, so a reader that races with the writer reads stale or mixed values but never causes
/// undefined behaviour. The count shows it that it must discard them. This is the protocol of H.-J. Boehm, "Can
/// seqlocks get along with programming language memory models?" (MSPC 2012), section 5, with fences.
///
/// The count wraps after 2^31 writes. A reader misses a change only if exactly a multiple of that many writes happen
/// between its two loads.
#[derive(Debug)]
pub(crate) struct SeqCount(AtomicU32);

impl SeqCount {
    const_unless_loom! {
        pub(crate) const fn new() -> Self {
            Self(AtomicU32::new(0))
        }
    }

    /// Runs `write` as the one writer. `write` must not panic: the count would stay odd, and readers could never read
    /// again.
    #[inline(always)]
    pub(crate) fn write(&self, write: impl FnOnce()) {
        let seq = self.open();
        write();
        self.close(seq);
    }

    /// Begins a write, for the one writer. Pass the returned value to [`close`](Self::close).
    #[inline(always)]
    pub(crate) fn open(&self) -> u32 {
        // Ordering: relaxed, the only writer reads its own last store.
        let seq = self.0.load(Ordering::Relaxed);
        self.0.store(seq.wrapping_add(1), Ordering::Relaxed);
        // Ordering: release fence, pairs with the acquire fence in `unchanged`: a reader that saw any store after this
        // also sees the odd count.
        fence(Ordering::Release);
        seq
    }

    /// Ends the write.
    #[inline(always)]
    pub(crate) fn close(&self, seq: u32) {
        // Ordering: release, pairs with the acquire in `begin`: a reader that sees this count sees the whole write.
        self.0.store(seq.wrapping_add(2), Ordering::Release);
    }

    /// Returns the count before a read, or `None` during a write.
    #[inline(always)]
    pub(crate) fn begin(&self) -> Option<u32> {
        // Ordering: acquire, pairs with the release that ends `write`.
        let seq = self.0.load(Ordering::Acquire);
        (seq & 1 == 0).then_some(seq)
    }

    /// Returns `true` if no write began since `begin` returned `seq`, so that everything read in between belongs to
    /// one write.
    #[inline(always)]
    pub(crate) fn unchanged(&self, seq: u32) -> bool {
        // Ordering: acquire fence, pairs with the release fence in `write`. It keeps the loads of the data above the
        // relaxed load below.
        fence(Ordering::Acquire);
        self.0.load(Ordering::Relaxed) == seq
    }

    /// Tries once to read. Returns the result of `read` if no write came in between.
    #[inline]
    pub(crate) fn try_read<V>(&self, read: impl FnOnce() -> V) -> Option<V> {
        Some(self.try_read_counted(read)?.0)
    }

    /// Like `try_read`, and also returns the count of the read.
    #[inline(always)]
    pub(crate) fn try_read_counted<V>(&self, read: impl FnOnce() -> V) -> Option<(V, u32)> {
        let seq = self.begin()?;
        let value = read();
        self.unchanged(seq).then_some((value, seq))
    }
}
