//! Measures the busy time of one worker, which several threads may run in turn.

use metrics_core::{TimeSource, Timestamp};
use portable_atomic::{AtomicU64, Ordering, fence};

use crate::Registry;

/// Measures the time during which a worker is not parked.
///
/// It belongs to the worker's index, not to a thread or a lease. Tokio calls the hooks around a park on the thread that holds the
/// worker's core, so there is one writer at a time, and handing the core over orders the writes of successive threads.
pub(super) struct BusyClock {
    /// Odd while a thread writes `settled` and `since`.
    seq: AtomicU64,
    /// Nanoseconds up to the last park.
    settled: AtomicU64,
    /// The ticks at which the busy period in progress began, or [`PARKED`].
    since: AtomicU64,
    /// The largest busy time returned so far. A reader's clock may be ahead of the timestamp with which a busy period ends.
    largest: AtomicU64,
}

const PARKED: u64 = u64::MAX;

/// Number of tries before the reader yields its processor: a write takes nanoseconds.
const SPINS: u32 = 16;
/// Total number of tries of a read.
const TRIES: u32 = 64;

/// A worker's busy time at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BusyTime {
    /// Nanoseconds of the busy periods that have ended.
    pub(super) settled: u64,
    /// Nanoseconds of the busy period in progress.
    pub(super) in_progress: u64,
    pub(super) is_parked: bool,
}

impl BusyTime {
    pub(super) fn total(self) -> u64 {
        self.settled.wrapping_add(self.in_progress)
    }
}

impl BusyClock {
    /// Creates the clock of a worker that is busy from `since` on.
    pub(super) fn new(since: Timestamp) -> Self {
        Self {
            seq: AtomicU64::new(0),
            settled: AtomicU64::new(0),
            since: AtomicU64::new(since.ticks()),
            largest: AtomicU64::new(0),
        }
    }

    /// Starts a busy period: the worker has been unparked.
    pub(super) fn start(&self, now: Timestamp) {
        self.write(|| self.since.store(now.ticks(), Ordering::Relaxed));
    }

    /// Ends the busy period: the worker is about to park, or has ended.
    pub(super) fn stop(&self, registry: &Registry, now: Timestamp) {
        // Ordering: relaxed, here and in `write`: one thread writes at a time, and the hand-over of the worker orders them.
        let since = self.since.load(Ordering::Relaxed);
        if since == PARKED {
            return;
        }
        let nanos = registry.scale().nanos(now, Timestamp::from_ticks(since));
        let settled = self.settled.load(Ordering::Relaxed).wrapping_add(nanos);
        self.write(|| {
            self.settled.store(settled, Ordering::Relaxed);
            self.since.store(PARKED, Ordering::Relaxed);
        });
    }

    fn write(&self, write: impl FnOnce()) {
        let seq = self.seq.load(Ordering::Relaxed);
        self.seq.store(seq.wrapping_add(1), Ordering::Relaxed);
        // Ordering: release, pairs with the acquire fence in `read_stretch`: a reader that sees a value of this write sees the odd `seq`.
        fence(Ordering::Release);
        write();
        // Ordering: release, pairs with the acquire load in `read_stretch`: a reader that sees this `seq` sees the values.
        self.seq.store(seq.wrapping_add(2), Ordering::Release);
    }

    /// Returns the busy time up to now. Successive values never decrease.
    pub(super) fn read(&self, registry: &Registry) -> BusyTime {
        // A writer that is still writing after the last try was descheduled, or does not exist in this forked process.
        let Some((settled, since)) = self.read_stretch() else {
            let settled = self.largest.load(Ordering::Relaxed);
            return BusyTime {
                settled,
                in_progress: 0,
                is_parked: false,
            };
        };
        let in_progress = match since {
            PARKED => 0,
            since => registry
                .scale()
                .nanos(registry.clock().now(), Timestamp::from_ticks(since)),
        };
        let total = settled.wrapping_add(in_progress);
        // Ordering: relaxed: readers share nothing but this value.
        let largest = self.largest.fetch_max(total, Ordering::Relaxed).max(total);
        BusyTime {
            settled,
            in_progress: largest.wrapping_sub(settled),
            is_parked: since == PARKED,
        }
    }

    /// Returns the settled time and the start of the busy period, or `None` if a write was in progress at every try.
    fn read_stretch(&self) -> Option<(u64, u64)> {
        for tries in 0..TRIES {
            // Ordering: acquire, pairs with the last store in `write`.
            let seq = self.seq.load(Ordering::Acquire);
            let stretch = (
                self.settled.load(Ordering::Relaxed),
                self.since.load(Ordering::Relaxed),
            );
            // Ordering: acquire, pairs with the fence in `write`.
            fence(Ordering::Acquire);
            if seq.is_multiple_of(2) && self.seq.load(Ordering::Relaxed) == seq {
                return Some(stretch);
            }
            if tries < SPINS {
                core::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, Clock};
    use core::sync::atomic::AtomicBool;
    use core::time::Duration;
    use metrics_mock::ManualClock;
    use std::sync::Arc;

    fn registry() -> (Arc<ManualClock>, Arc<Registry>) {
        let clock = Arc::new(ManualClock::new());
        let registry = Builder::new().build(Clock::custom(Arc::clone(&clock))).unwrap();
        (clock, registry)
    }

    #[test]
    fn busy_time_is_what_lies_between_an_unpark_and_the_next_park() {
        let (clock, registry) = registry();
        let busy = BusyClock::new(clock.now());
        let advance = |nanos| clock.advance(Duration::from_nanos(nanos));
        let read = || {
            let read = busy.read(&registry);
            (read.settled, read.in_progress, read.is_parked)
        };
        advance(5);
        assert_eq!(read(), (0, 5, false));
        busy.stop(&registry, clock.now());
        advance(70);
        assert_eq!(read(), (5, 0, true));
        // The last thread of a runtime also stops the clocks of parked workers.
        busy.stop(&registry, clock.now());
        assert_eq!(read(), (5, 0, true));
        busy.start(clock.now());
        advance(3);
        assert_eq!(read(), (5, 3, false));
    }

    #[test]
    fn a_stretch_that_ends_before_the_readers_clock_takes_nothing_back() {
        let (clock, registry) = registry();
        let busy = BusyClock::new(clock.now());
        let ended = clock.now();
        clock.advance(Duration::from_nanos(9));
        assert_eq!(busy.read(&registry).total(), 9);
        busy.stop(&registry, ended);
        assert_eq!(busy.read(&registry).total(), 9);
    }

    #[test]
    fn a_read_during_writes_is_of_one_stretch() {
        let (clock, registry) = registry();
        let busy = BusyClock::new(clock.now());
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    clock.advance(Duration::from_micros(1));
                    busy.stop(&registry, clock.now());
                    busy.start(clock.now());
                }
                done.store(true, core::sync::atomic::Ordering::Release);
            });
            let mut before = 0;
            while !done.load(core::sync::atomic::Ordering::Acquire) {
                let total = busy.read(&registry).total();
                // It parks for no time, so a mixture of two busy periods would omit or repeat one.
                let now = clock.now().ticks();
                assert!(total >= before && total <= now, "{before}, then {total} by {now}");
                before = total;
            }
        });
        assert_eq!(busy.read(&registry).total(), clock.now().ticks());
    }
}
