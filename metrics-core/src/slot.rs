//! A worker's slot: its submitted values, its lease and its live record.

use crate::catalog::WorkerNumber;
use crate::cell::{OwnedU64, SharedU32, U64Cell};
use crate::counters::{CounterValues, Counters};
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use crate::flight::HeapRing;
use crate::live::{Live, LiveRecord};
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use crate::locations::LocationRows;
use crate::record::{BucketCells, SlotHistogram};
use crate::seq::SeqCount;
use crate::sync::const_unless_loom;
use crate::tasks::TaskCells;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use alloc::sync::Arc;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use once_cell::race::OnceBox;

/// The lease of a slot: vacant, or a worker index and whether a worker holds the slot now.
///
/// The index never changes after it is set, so that the sum over a worker's slots never loses what one of them
/// counted.
#[derive(Debug)]
pub(crate) struct Lease(SharedU32);

const VACANT: u32 = 0;
const LEASED: u32 = 1;
/// The upper bound of worker indices, exclusive.
pub(crate) const MAX_WORKERS: usize = (1 << 30) - 1;
/// The index of external threads: they poll a runtime's tasks but are not its workers.
pub(crate) const EXTERNAL: usize = MAX_WORKERS;

impl Lease {
    const_unless_loom! {
        pub(crate) const fn vacant() -> Self {
            Self(SharedU32::new(VACANT))
        }
    }

    const_unless_loom! {
        /// Creates a lease that is never released, for a slot whose one writer is fixed by the program.
        #[cfg_attr(metrics_core_loom, allow(dead_code))]
        pub(crate) const fn fixed(worker: usize) -> Self {
            Self(SharedU32::new(tag(worker) | LEASED))
        }
    }

    /// Leases the slot for `worker`, like [`fixed`](Self::fixed). Its one writer calls this.
    #[cfg(any(target_has_atomic = "ptr", feature = "require-cas"))]
    #[cfg_attr(metrics_core_loom, allow(dead_code))]
    pub(crate) fn fix(&self, worker: usize) {
        self.0.store_release(tag(worker) | LEASED);
    }

    /// Leases a free slot that served `worker` before.
    #[cfg_attr(not(feature = "alloc"), allow(dead_code))]
    pub(crate) fn claim_again(&self, worker: usize) -> bool {
        let free = tag(worker);
        self.0.load_acquire() == free && self.0.claim(free, free | LEASED)
    }

    /// Leases a free slot that served any worker before, but not one of external threads.
    #[cfg_attr(not(feature = "alloc"), allow(dead_code))]
    pub(crate) fn claim_free(&self) -> bool {
        let now = self.0.load_acquire();
        now != VACANT && now != tag(EXTERNAL) && now & LEASED == 0 && self.0.claim(now, now | LEASED)
    }

    /// Leases a vacant slot for `worker`.
    #[cfg_attr(not(feature = "alloc"), allow(dead_code))]
    pub(crate) fn claim_vacant(&self, worker: usize) -> bool {
        self.0.load_acquire() == VACANT && self.0.claim(VACANT, tag(worker) | LEASED)
    }

    /// Releases the slot. Only its holder may call this.
    #[cfg_attr(not(feature = "alloc"), allow(dead_code))]
    pub(crate) fn release(&self) {
        self.0.store_release(self.0.load_acquire() & !LEASED);
    }

    /// Returns the worker that it serves; `None` if it is vacant.
    pub(crate) fn worker(&self) -> Option<usize> {
        self.holder().worker()
    }

    /// Returns `true` if a worker holds it now.
    pub(crate) fn is_leased(&self) -> bool {
        self.holder().is_leased()
    }

    /// Returns the worker and whether it holds the slot, from one load.
    #[inline(always)]
    pub(crate) fn holder(&self) -> Holder {
        Holder(self.0.load_acquire())
    }
}

const fn tag(worker: usize) -> u32 {
    (worker as u32 + 1) << 1
}

/// The holder of a slot at one moment. Two values are equal if the worker is the same, and so is whether it holds the slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Holder(u32);

impl Holder {
    /// Returns the worker that it serves; `None` if it is vacant.
    pub(crate) const fn worker(self) -> Option<usize> {
        match self.0 >> 1 {
            0 => None,
            n => Some(n as usize - 1),
        }
    }

    /// Returns `true` if a worker holds it.
    pub(crate) const fn is_leased(self) -> bool {
        self.0 & LEASED != 0
    }
}

/// A histogram that a slot may lack. Unlike in an `Option`, the tag of one that exists is zero.
#[derive(Debug)]
pub(crate) enum Kept<H> {
    Yes(H),
    No,
}

impl<H> Kept<H> {
    #[inline(always)]
    pub(crate) const fn as_ref(&self) -> Option<&H> {
        match self {
            Self::Yes(histogram) => Some(histogram),
            Self::No => None,
        }
    }
}

/// All the data of one worker that other threads read.
///
/// The fields that a reader checks even if nothing was submitted (lease, sequence count, live record, task counts)
/// come first and fit in one line of 128 bytes.
///
/// The alignment ensures that two slots never share a cache line or a pair of lines: x86-64 prefetches pairs of
/// 64-byte lines (Intel 64 and IA-32 Architectures Optimization Reference Manual, "Spatial Prefetcher"), and aarch64
/// has cores with 128-byte lines (Apple M1, and the `big` cores of big.LITTLE parts; see also Go's
/// `internal/cpu/cpu_arm64.go`). Other targets have lines of 64 bytes or fewer. A microcontroller does not share
/// lines.
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
    // A Cortex-M0 reaches an offset of 124 bytes in one instruction, so fields that no poll accesses come later.
    #[cfg(target_os = "none")]
    pub(crate) lease: Lease,
    #[cfg(target_os = "none")]
    pub(crate) tasks: TaskCells,
    pub(crate) poll_time: Kept<SlotHistogram<B>>,
    pub(crate) schedule_latency: Kept<SlotHistogram<B>>,
    /// Allocated with the first lease, if the registry keeps them. They belong to the slot, so the next lease continues
    /// from them.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    pub(crate) locations: OnceBox<LocationRows>,
    /// Allocated with the first lease, if the registry keeps events.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    pub(crate) flight: OnceBox<Arc<HeapRing>>,
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
            poll_time: Kept<SlotHistogram<B>>,
            schedule_latency: Kept<SlotHistogram<B>>,
        ) -> Self {
            Self {
                lease,
                seq: SeqCount::new(),
                live: Live::new(),
                tasks: TaskCells::new(),
                counters: Counters::new(),
                poll_time,
                schedule_latency,
                #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
                locations: OnceBox::new(),
                #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
                flight: OnceBox::new(),
            }
        }
    }
}

/// The number of attempts to read a slot or a live record before a reader keeps the value that it has. A submit lasts
/// tens of nanoseconds. If the writer is still inside after so many attempts, it was descheduled there, or it is the
/// code that this reader interrupted.
pub(crate) const TRIES: u32 = 64;

/// Calls `read` a bounded number of times, with a call of `relax` after each failed attempt.
pub(crate) fn read_with_retries<V>(mut read: impl FnMut() -> Option<V>, relax: impl Fn(u32)) -> Option<V> {
    for attempt in 0..TRIES {
        if let Some(value) = read() {
            return Some(value);
        }
        relax(attempt);
    }
    None
}

/// The error of a read during which the worker was writing the value in every attempt.
///
/// On targets with 64-bit atomics it occurs only for busy time, the time in each state and the mean poll time, which are
/// made of several values of one submit. Every other value is one load.
///
/// Getters return it apart from `None`, because reading again helps only against this error: `None` means that the
/// metric is not measured, and a getter has no earlier value to return instead, as a `SnapshotReader` has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SlotBusy;

impl core::fmt::Display for SlotBusy {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(
            "the worker was writing this value during every attempt to read it: read it again, but not from an interrupt of that worker",
        )
    }
}

impl core::error::Error for SlotBusy {}

impl<B: BucketCells> Slot<B> {
    /// Returns one counter as last submitted; 0 for a metric that only a probe reports, which has no cell.
    ///
    /// # Errors
    /// Returns [`SlotBusy`] if a cell has two words and the worker was writing them during every attempt.
    #[inline]
    pub(crate) fn counter(&self, number: WorkerNumber, relax: impl Fn(u32)) -> Result<u64, SlotBusy> {
        self.cell(|counters| counters.get(number).unwrap_or(0), relax)
    }

    /// Returns the number of durations that were not recorded because the clock stepped back.
    ///
    /// # Errors
    /// Returns the errors of [`counter`](Self::counter).
    pub(crate) fn clock_steps(&self, relax: impl Fn(u32)) -> Result<u64, SlotBusy> {
        self.cell(|counters| counters.clock_steps.get(), relax)
    }

    #[inline]
    fn cell(&self, read: impl Fn(&Counters<OwnedU64>) -> u64, relax: impl Fn(u32)) -> Result<u64, SlotBusy> {
        if OwnedU64::IS_WHOLE {
            // Ordering: relaxed. A single counter publishes no other data, and a cell with one writer never goes back
            // for a reader.
            return Ok(read(&self.counters));
        }
        read_with_retries(|| self.seq.try_read(|| read(&self.counters)), relax).ok_or(SlotBusy)
    }

    /// Returns all counters as last submitted, from one submit.
    pub(crate) fn counters(&self, relax: impl Fn(u32)) -> Option<CounterValues> {
        read_with_retries(|| self.seq.try_read(|| self.counters.read()), relax)
    }

    /// Returns the busy time of a worker that writes in place, and the time from which it is not complete, in ticks:
    /// `UNTIMED` if it is complete.
    pub(crate) fn busy_in_place(&self, relax: impl Fn(u32)) -> Option<(u64, u64)> {
        let counters = &self.counters;
        let read = || {
            let busy = counters.busy_duration_total.get();
            let since = self.live.busy_since()?;
            Some((busy, since.max(counters.settled_at.get())))
        };
        read_with_retries(|| self.seq.try_read(read)?, relax)
    }

    pub(crate) fn live(&self, relax: impl Fn(u32)) -> Option<LiveRecord> {
        read_with_retries(|| self.live.try_read(), relax)
    }
}
