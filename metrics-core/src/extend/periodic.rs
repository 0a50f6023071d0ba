//! A counter that interrupts at every wrap, extended to 64 bits by that interrupt.

use core::time::Duration;

use super::step;
use crate::cell::OwnedCounter;
use crate::sync::const_unless_loom;
use crate::time::{TimeSource, Timestamp};

/// A timer that restarts after a fixed number of ticks and raises an interrupt when it does.
///
/// An implementation:
///
/// - MUST return a value from 0 to [`period`](Self::period) - 1 from [`elapsed`](Self::elapsed): the ticks since its
///   last restart. The restart is the moment at which the interrupt becomes pending. For `SysTick`, which becomes
///   pending one tick before it reloads, use [`SysTick`](super::SysTick);
/// - MUST return `true` from [`is_wrap_pending`](Self::is_wrap_pending) if it has restarted and the interrupt's
///   handler has not begun yet;
/// - MUST NOT panic or block.
pub trait PeriodicTimer {
    /// Returns the number of ticks in one period.
    fn period(&self) -> u32;

    /// Returns the ticks since the last restart.
    fn elapsed(&self) -> u32;

    /// Returns `true` if the timer has restarted since its interrupt was last handled.
    fn is_wrap_pending(&self) -> bool;
}

/// Extends a [`PeriodicTimer`] to 64 bits. The timer's interrupt extends it.
///
/// # Contract
///
/// - The timer's interrupt handler MUST call [`on_wrap`](Self::on_wrap) first, exactly once per interrupt, and no
///   other code may call it.
/// - No context that reads this clock may preempt that handler before the call: give the timer the highest priority of
///   those contexts. (After a reset, all Cortex-M interrupts have the same priority, so none preempts another.) No other
///   core may read it, because a reading while the handler begins would be one period too early.
/// - Interrupts MUST NOT be masked for a whole period, or that period is lost.
#[derive(Debug)]
pub struct PeriodicCounter<C> {
    wraps: OwnedCounter,
    ticks_per_second: u32,
    timer: C,
}

impl<C> PeriodicCounter<C> {
    const_unless_loom! {
        /// Creates a clock from `timer`, which counts `ticks_per_second`.
        pub const fn new(timer: C, ticks_per_second: u32) -> Self {
            Self { wraps: OwnedCounter::new(), ticks_per_second, timer }
        }
    }
}

#[cfg(test)]
impl<C> PeriodicCounter<C> {
    pub(super) fn timer(&self) -> &C {
        &self.timer
    }
}

/// A read is repeated if the interrupt came during it, which happens once per period. A second repetition means that
/// the period is about as short as a read; then no result is better than another.
const TRIES: u32 = 3;

impl<C: PeriodicTimer> PeriodicCounter<C> {
    /// Counts a restart of the timer. Call this from its interrupt handler.
    #[inline]
    pub fn on_wrap(&self) {
        self.wraps.increment_release();
    }

    /// Returns the extended value.
    #[inline]
    pub fn ticks(&self) -> u64 {
        let period = u64::from(self.timer.period());
        let mut ticks = 0;
        for _ in 0..TRIES {
            let wraps = self.wraps.load_acquire();
            let mut elapsed = u64::from(self.timer.elapsed());
            if self.timer.is_wrap_pending() {
                // The timer restarted before or after `elapsed` was read. A second read is after the restart.
                elapsed = period + u64::from(self.timer.elapsed());
            }
            ticks = wraps.wrapping_mul(period).wrapping_add(elapsed);
            if self.wraps.load_acquire() == wraps {
                break;
            }
        }
        ticks
    }
}

impl<C: PeriodicTimer> TimeSource for PeriodicCounter<C> {
    #[inline]
    fn now(&self) -> Timestamp {
        Timestamp::from_ticks(self.ticks())
    }

    fn ticks_per_second(&self) -> u64 {
        u64::from(self.ticks_per_second)
    }

    fn resolution(&self) -> Duration {
        step(self.ticks_per_second)
    }

    fn available(&self) -> bool {
        self.ticks_per_second != 0
    }
}

#[cfg(all(test, not(metrics_core_loom)))]
mod tests {
    use core::cell::Cell;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const PERIOD: u64 = 100;

    /// A timer whose true value the test holds. On every access to the hardware, time may pass or the interrupt may
    /// run.
    #[derive(Default)]
    struct Fake {
        truth: Cell<u64>,
        handled: Cell<u64>,
        masked: Cell<bool>,
        /// The ticks that pass before each of the next accesses.
        passing: Cell<[u64; 3]>,
    }

    struct Handle<'a>(&'a Fake, &'a Cell<Option<&'a PeriodicCounter<Handle<'a>>>>);

    impl Handle<'_> {
        fn pass(&self) {
            let [now, next, last] = self.0.passing.get();
            self.0.passing.set([next, last, 0]);
            self.0.truth.set(self.0.truth.get() + now);
            self.interrupt();
        }

        fn interrupt(&self) {
            let due = self.0.truth.get() / PERIOD;
            if !self.0.masked.get() && self.0.handled.get() < due {
                self.0.handled.set(due);
                if let Some(clock) = self.1.get() {
                    clock.on_wrap();
                }
            }
        }
    }

    impl PeriodicTimer for Handle<'_> {
        fn period(&self) -> u32 {
            PERIOD as u32
        }

        fn elapsed(&self) -> u32 {
            self.pass();
            (self.0.truth.get() % PERIOD) as u32
        }

        fn is_wrap_pending(&self) -> bool {
            self.pass();
            self.0.truth.get() / PERIOD > self.0.handled.get()
        }
    }

    #[test]
    fn no_reading_near_a_wrap_goes_back_or_jumps() {
        for masked in [false, true] {
            for start in [0, 1, 50, 96, 97, 98, 99] {
                for passing in [
                    [0, 0, 0],
                    [1, 0, 0],
                    [0, 1, 0],
                    [0, 0, 1],
                    [1, 1, 1],
                    [2, 2, 2],
                    [3, 0, 4],
                ] {
                    let fake = Fake::default();
                    let back = Cell::new(None);
                    let clock = PeriodicCounter::new(Handle(&fake, &back), 1_000);
                    back.set(Some(&clock));
                    // No read happens in some periods.
                    for period in 1..=7 {
                        fake.truth.set(period * PERIOD);
                        clock.timer.interrupt();
                    }
                    fake.truth.set(7 * PERIOD + start);
                    fake.masked.set(masked);
                    fake.passing.set(passing);
                    let before = fake.truth.get();
                    let read = clock.now().ticks();
                    let after = fake.truth.get();
                    assert!(
                        (before..=after).contains(&read),
                        "{masked} {start} {passing:?}: {read} not in {before}..={after}"
                    );
                    back.set(None);
                }
            }
        }
    }

    #[test]
    fn periods_add_up_past_32_bits() {
        struct Stopped;

        impl PeriodicTimer for Stopped {
            fn period(&self) -> u32 {
                1 << 24
            }

            fn elapsed(&self) -> u32 {
                5
            }

            fn is_wrap_pending(&self) -> bool {
                false
            }
        }

        let clock = PeriodicCounter::new(Stopped, 64_000_000);
        for _ in 0..1_000 {
            clock.on_wrap();
        }
        assert_eq!(clock.ticks(), (1_000 << 24) + 5);
    }
}
