//! A worker's slot: what it submits, who holds it, what it is doing now.

use crate::catalog::WorkerNumber;
use crate::cell::{OwnedU64, SharedU32};
use crate::counters::{CounterValues, Counters};
use crate::live::{Live, LiveRecord};
use crate::record::{BucketCells, SlotHistogram};
use crate::seq::SeqCount;
use crate::sync::const_unless_loom;
use crate::tasks::TaskCells;

/// Who holds a slot: nothing yet, or a worker index and whether a worker is running on it now.
///
/// The index never changes once set, so that a worker's sum over its slots never loses what one of them counted.
#[derive(Debug)]
pub(crate) struct Lease(SharedU32);

const VACANT: u32 = 0;
const LEASED: u32 = 1;
/// Worker indices stay below this.
pub(crate) const MAX_WORKERS: usize = (1 << 30) - 1;
/// The index of threads that poll a runtime's tasks and are none of its workers.
pub(crate) const EXTERNAL: usize = MAX_WORKERS;

impl Lease {
    const_unless_loom! {
        pub(crate) const fn vacant() -> Self {
            Self(SharedU32::new(VACANT))
        }
    }

    const_unless_loom! {
        /// Leased for good, for a slot whose one writer is fixed by the program.
        #[cfg_attr(metrics_core_loom, allow(dead_code))]
        pub(crate) const fn fixed(worker: usize) -> Self {
            Self(SharedU32::new(tag(worker) | LEASED))
        }
    }

    /// Takes a free slot that served `worker` before.
    #[cfg_attr(not(feature = "alloc"), allow(dead_code))]
    pub(crate) fn claim_again(&self, worker: usize) -> bool {
        let free = tag(worker);
        self.0.load_acquire() == free && self.0.claim(free, free | LEASED)
    }

    /// Takes a free slot that served any worker before; not one of foreign threads.
    #[cfg_attr(not(feature = "alloc"), allow(dead_code))]
    pub(crate) fn claim_free(&self) -> bool {
        let now = self.0.load_acquire();
        now != VACANT && now != tag(EXTERNAL) && now & LEASED == 0 && self.0.claim(now, now | LEASED)
    }

    /// Takes a slot that served nobody yet, for `worker`.
    #[cfg_attr(not(feature = "alloc"), allow(dead_code))]
    pub(crate) fn claim_vacant(&self, worker: usize) -> bool {
        self.0.load_acquire() == VACANT && self.0.claim(VACANT, tag(worker) | LEASED)
    }

    /// Gives the slot back. Only its holder may.
    #[cfg_attr(not(feature = "alloc"), allow(dead_code))]
    pub(crate) fn release(&self) {
        self.0.store_release(self.0.load_acquire() & !LEASED);
    }

    /// The worker it serves, if any did yet.
    pub(crate) fn worker(&self) -> Option<usize> {
        self.holder().worker()
    }

    /// Whether a worker runs on it now.
    pub(crate) fn is_leased(&self) -> bool {
        self.holder().is_leased()
    }

    /// Both at once.
    #[inline(always)]
    pub(crate) fn holder(&self) -> Holder {
        Holder(self.0.load_acquire())
    }
}

const fn tag(worker: usize) -> u32 {
    (worker as u32 + 1) << 1
}

/// Who held a slot at one moment. Two of one word are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Holder(u32);

impl Holder {
    /// The worker it serves, if any did yet.
    pub(crate) const fn worker(self) -> Option<usize> {
        match self.0 >> 1 {
            0 => None,
            n => Some(n as usize - 1),
        }
    }

    /// Whether a worker runs on it.
    pub(crate) const fn is_leased(self) -> bool {
        self.0 & LEASED != 0
    }
}

/// Everything of one worker that others read.
///
/// The lines that a reader looks at even when nothing was submitted (lease, sequence, live record, task counts)
/// come first and fit one line of 128 bytes.
///
/// Aligned so that two slots never share a cache line, nor a pair of lines: x86-64 prefetches pairs of 64-byte lines
/// (Intel 64 and IA-32 Architectures Optimization Reference Manual, "Spatial Prefetcher"), and aarch64 has cores with 128-byte lines
/// (Apple M1, and the `big` cores of big.LITTLE parts; see also Go's `internal/cpu/cpu_arm64.go`). Elsewhere lines have
/// 64 bytes or fewer. A microcontroller has no lines to share.
#[cfg_attr(any(target_arch = "x86_64", target_arch = "aarch64"), repr(C, align(128)))]
#[cfg_attr(
    all(
        not(any(target_arch = "x86_64", target_arch = "aarch64")),
        not(target_os = "none")
    ),
    repr(C, align(64))
)]
#[cfg_attr(
    all(not(any(target_arch = "x86_64", target_arch = "aarch64")), target_os = "none"),
    repr(C)
)]
#[derive(Debug)]
pub struct Slot<B> {
    #[cfg(not(target_os = "none"))]
    pub(crate) lease: Lease,
    pub(crate) seq: SeqCount,
    pub(crate) live: Live,
    #[cfg(not(target_os = "none"))]
    pub(crate) tasks: TaskCells,
    pub(crate) counters: Counters<OwnedU64>,
    // A Cortex-M0 reaches 124 bytes in one instruction: what no poll touches stands further back.
    #[cfg(target_os = "none")]
    pub(crate) lease: Lease,
    #[cfg(target_os = "none")]
    pub(crate) tasks: TaskCells,
    pub(crate) poll_time: Option<SlotHistogram<B>>,
    pub(crate) schedule_latency: Option<SlotHistogram<B>>,
}

#[cfg(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(metrics_core_loom)))]
const _: () = {
    assert!(align_of::<Slot<()>>() == 128);
    assert!(size_of::<Slot<()>>().is_multiple_of(128));
    assert!(core::mem::offset_of!(Slot<()>, counters) <= 128);
};
#[cfg(not(target_os = "none"))]
const _: () = assert!(align_of::<Slot<()>>() >= 64 && size_of::<Slot<()>>().is_multiple_of(64));

impl<B> Slot<B> {
    const_unless_loom! {
        pub(crate) const fn new(
            lease: Lease,
            poll_time: Option<SlotHistogram<B>>,
            schedule_latency: Option<SlotHistogram<B>>,
        ) -> Self {
            Self {
                lease,
                seq: SeqCount::new(),
                live: Live::new(),
                tasks: TaskCells::new(),
                counters: Counters::new(),
                poll_time,
                schedule_latency,
            }
        }
    }
}

/// How often a reader tries a slot or a live record before it makes do with what it had. A submit lasts tens of nanoseconds; a
/// writer that is still inside after so many tries was descheduled there, or is the code that this reader interrupted.
pub(crate) const TRIES: u32 = 64;

/// Tries `read` a bounded number of times, calling `relax` in between.
pub(crate) fn read_with_retries<V>(mut read: impl FnMut() -> Option<V>, relax: impl Fn(u32)) -> Option<V> {
    for attempt in 0..TRIES {
        if let Some(value) = read() {
            return Some(value);
        }
        relax(attempt);
    }
    None
}

/// A worker wrote the number through every try to read it.
///
/// Only on targets without 64-bit atomics: on the others a number is one load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SlotBusy;

impl core::fmt::Display for SlotBusy {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(
            "the worker wrote this number through every try to read it: read it again, not from an interrupt of that worker",
        )
    }
}

impl core::error::Error for SlotBusy {}

impl<B: BucketCells> Slot<B> {
    /// One counter as last submitted; 0 for a gauge, which has no cell.
    ///
    /// # Errors
    /// [`SlotBusy`], where a cell has two halves and the worker wrote them through every try.
    #[inline]
    pub(crate) fn counter(&self, number: WorkerNumber, relax: impl Fn(u32)) -> Result<u64, SlotBusy> {
        let read = || self.counters.get(number).unwrap_or(0);
        if OwnedU64::IS_WHOLE {
            // Ordering: relaxed. One counter needs no other: a cell with one writer never goes back for a reader.
            return Ok(read());
        }
        read_with_retries(|| self.seq.try_read(read), relax).ok_or(SlotBusy)
    }

    /// All counters as last submitted, of one submit.
    pub(crate) fn counters(&self, relax: impl Fn(u32)) -> Option<CounterValues> {
        read_with_retries(|| self.seq.try_read(|| self.counters.read()), relax)
    }

    pub(crate) fn live(&self, relax: impl Fn(u32)) -> Option<LiveRecord> {
        read_with_retries(|| self.live.try_read(), relax)
    }
}
