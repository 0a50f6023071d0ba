//! The time that other code takes from one executor or interrupt handler on its core.

use crate::cell::{OwnedU64, SharedCounter, U64Cell};
use crate::sync::{AtomicU32, Ordering, const_unless_loom, fence};

/// Code that runs on a core and may be preempted there: an executor, or a handler inside an interrupt guard.
///
/// The code directly above it writes it, so there is one writer at a time, except that code above may be interrupted
/// between two steps. Only `taken` is then written by two contexts, and it is a counter for many writers.
#[derive(Debug)]
pub(super) struct Frame {
    /// Odd while the code above starts or ends. Unlike [`SeqCount`](crate::seq::SeqCount), a writer may interrupt a
    /// writer: the inner one leaves it odd.
    version: AtomicU32,
    /// One while other code runs above.
    is_preempted: AtomicU32,
    /// The start of that code.
    above_since: OwnedU64,
    /// The ticks that code above has taken, without the code that runs now.
    taken: SharedCounter,
}

/// A timestamp with the ticks taken from a frame up to then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) now: u64,
    pub(super) taken: u64,
}

impl Moment {
    /// Returns the ticks since an earlier moment that were the frame's own, and those that were taken from it; `None`
    /// if the clock stepped back.
    #[inline(always)]
    pub(super) fn passed_since(self, since: u64, taken_since: &OwnedU64) -> Option<(u64, u64)> {
        let wall = self.now.checked_sub(since)?;
        if self.taken == 0 {
            return Some((wall, 0));
        }
        let taken = self.taken.saturating_sub(taken_since.get()).min(wall);
        Some((wall - taken, taken))
    }
}

/// A consistent read of a frame.
#[derive(Clone, Copy, Debug)]
struct FrameValues {
    version: u32,
    above_since: Option<u64>,
    taken: u64,
}

impl FrameValues {
    /// Returns the ticks taken up to `now`.
    fn taken(&self, now: u64) -> u64 {
        let above = self.above_since.map_or(0, |since| now.saturating_sub(since));
        self.taken.wrapping_add(above)
    }
}

impl Frame {
    const_unless_loom! {
        pub(super) const fn new() -> Self {
            Self {
                version: AtomicU32::new(0),
                is_preempted: AtomicU32::new(0),
                above_since: OwnedU64::new(0),
                taken: SharedCounter::new(),
            }
        }
    }

    /// Returns the ticks taken by code that has ended.
    #[inline]
    pub(super) fn taken(&self) -> u64 {
        self.taken.load_acquire().unwrap_or(0)
    }

    /// Returns the low 32 bits of [`taken`](Self::taken).
    #[inline(always)]
    pub(super) fn taken_low(&self) -> u32 {
        self.taken.low_acquire()
    }

    /// Begins a change by the code above. Pass the returned value to [`close`](Self::close).
    pub(super) fn open(&self) -> u32 {
        // Ordering: relaxed, an interrupt leaves the parity that it found.
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version | 1, Ordering::Relaxed);
        // Ordering: release fence, pairs with the acquire fence in `is_unchanged`.
        fence(Ordering::Release);
        version
    }

    pub(super) fn close(&self, version: u32) {
        if version & 1 == 0 {
            // Ordering: release, pairs with the acquire in `read`.
            self.version.store(version.wrapping_add(2), Ordering::Release);
        }
    }

    /// Charges ticks that belong to code above.
    pub(super) fn charge(&self, ticks: u64) {
        if ticks != 0 {
            self.taken.add_release(ticks);
        }
    }

    /// Marks the start of code above.
    pub(super) fn begin_above(&self, now: u64) {
        self.above_since.set(now);
        // Ordering: relaxed, here and below: within `open` and `close`.
        self.is_preempted.store(1, Ordering::Relaxed);
    }

    /// Charges the code above, which ends.
    pub(super) fn end_above(&self, now: u64) {
        self.is_preempted.store(0, Ordering::Relaxed);
        self.charge(now.saturating_sub(self.above_since.get()));
    }

    /// Tries once to read the time that `now` returns, with the ticks taken up to it. `None` if code above starts or ends.
    pub(super) fn moment(&self, now: impl Fn() -> u64) -> Option<Moment> {
        let frame = self.read()?;
        let now = now();
        self.is_unchanged(&frame).then(|| Moment {
            now,
            taken: frame.taken(now),
        })
    }

    /// Tries once to read; `None` during a change.
    fn read(&self) -> Option<FrameValues> {
        // Ordering: acquire, pairs with the release in `close`.
        let version = self.version.load(Ordering::Acquire);
        (version & 1 == 0).then(|| FrameValues {
            version,
            above_since: (self.is_preempted.load(Ordering::Relaxed) != 0).then(|| self.above_since.get()),
            taken: self.taken(),
        })
    }

    /// Returns `true` if nothing changed since `read`.
    fn is_unchanged(&self, read: &FrameValues) -> bool {
        // Ordering: acquire fence, pairs with the release fence in `open`.
        fence(Ordering::Acquire);
        self.version.load(Ordering::Relaxed) == read.version
    }
}

#[cfg(all(test, not(metrics_core_loom)))]
mod tests {
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn a_read_fails_if_code_above_starts_or_ends_meanwhile() {
        let frame = Frame::new();
        let before = frame.read().expect("nothing changes it");
        assert!(frame.is_unchanged(&before));
        let outer = frame.open();
        assert!(frame.read().is_none(), "during a change");
        // An interrupt between two steps of the change.
        let inner = frame.open();
        frame.begin_above(5);
        frame.close(inner);
        assert!(frame.read().is_none(), "the outer change goes on");
        frame.close(outer);
        assert!(!frame.is_unchanged(&before), "it changed since that read");
        let read = frame.read().expect("the change has ended");
        assert_eq!(read.taken(8), 3);
    }
}
