//! `SysTick` of a Cortex-M as a clock.

use core::time::Duration;

use super::{PeriodicCounter, PeriodicTimer};
use crate::sync::const_unless_loom;
use crate::time::{TimeSource, Timestamp};

/// The two registers that [`SysTick`] reads. With the crate `cortex-m`:
///
/// ```ignore
/// impl SysTickRegisters for Registers {
///     fn current(&self) -> u32 {
///         SYST::get_current()
///     }
///
///     fn is_pending(&self) -> bool {
///         SCB::is_pendst_pending()
///     }
/// }
/// ```
pub trait SysTickRegisters {
    /// Returns `SYST_CVR`, the current value, unchanged.
    fn current(&self) -> u32;

    /// Returns `ICSR.PENDSTSET`: `true` if the exception is pending.
    fn is_pending(&self) -> bool;
}

/// `SysTick` as a clock, whatever clocks it: the core, or a reference that is divided.
///
/// # Contract
///
/// - The reload value MUST be the one in `SYST_RVR`, and `ticks_per_second` the rate at which `SysTick` counts. With
///   the reference clock (`CLKSOURCE` zero) that is not the rate of the core.
/// - The handler of the exception MUST call [`on_interrupt`](Self::on_interrupt) first, and no other code may call it.
/// - No context that reads this clock may preempt the handler before that call: give the exception the highest
///   priority of those contexts.
/// - Interrupts MUST NOT be masked for a whole period, or that period is lost.
///
/// The value after `reload` periods of the clock is not `reload - current`: the exception becomes pending when the
/// counter *reaches zero*, and the counter stays there until the next tick of its clock reloads it. With a divided
/// clock, the handler runs while the counter is still zero.
#[derive(Debug)]
pub struct SysTick<R> {
    counter: PeriodicCounter<Timer<R>>,
}

#[derive(Debug)]
struct Timer<R> {
    reload: u32,
    registers: R,
}

impl<R> SysTick<R> {
    const_unless_loom! {
        /// Creates the clock from the value of `SYST_RVR`, which has 24 bits.
        pub const fn new(registers: R, reload: u32, ticks_per_second: u32) -> Self {
            let reload = reload & 0x00FF_FFFF;
            Self { counter: PeriodicCounter::new(Timer { reload, registers }, ticks_per_second) }
        }
    }
}

impl<R: SysTickRegisters> PeriodicTimer for Timer<R> {
    #[inline]
    fn period(&self) -> u32 {
        self.reload + 1
    }

    #[inline]
    fn elapsed(&self) -> u32 {
        // A period begins when the counter reaches zero (ARMv7-M ARM, DDI 0403E, B3.3.1, and ARMv6-M ARM, DDI 0419E,
        // B3.3.1), not when it is reloaded one tick later.
        match self.registers.current() {
            0 => 0,
            current => (self.reload + 1).saturating_sub(current),
        }
    }

    #[inline]
    fn is_wrap_pending(&self) -> bool {
        self.registers.is_pending()
    }
}

impl<R: SysTickRegisters> SysTick<R> {
    /// Counts a period. Call this first in the handler of the exception.
    #[inline]
    pub fn on_interrupt(&self) {
        self.counter.on_wrap();
    }

    /// Returns the ticks since the counter started, in 64 bits.
    #[inline]
    pub fn ticks(&self) -> u64 {
        self.counter.ticks()
    }
}

impl<R: SysTickRegisters> TimeSource for SysTick<R> {
    #[inline]
    fn now(&self) -> Timestamp {
        self.counter.now()
    }

    fn ticks_per_second(&self) -> u64 {
        self.counter.ticks_per_second()
    }

    fn resolution(&self) -> Duration {
        self.counter.resolution()
    }

    fn available(&self) -> bool {
        self.counter.available()
    }
}

#[cfg(all(test, not(metrics_core_loom)))]
mod tests {
    use core::cell::Cell;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const RELOAD: u32 = 19;

    /// `SysTick` as the ARMv7-M Architecture Reference Manual (DDI 0403E) describes it in B3.3.1.
    ///
    /// "When enabled, the timer counts down from the value in `SYST_CVR`. When the counter reaches zero, it reloads the
    /// value in `SYST_RVR` on the next clock edge. It then decrements on subsequent clocks. [...] When the counter
    /// transitions to zero, it sets the `COUNTFLAG` status bit", and with `TICKINT` the exception becomes pending.
    /// The model starts when software has cleared `SYST_CVR`, which makes nothing pending.
    struct Model {
        /// Cycles of the core since the counter was cleared.
        cycles: Cell<u64>,
        /// Cycles of the core for each tick of the clock that the counter counts.
        ratio: u64,
        value: Cell<u32>,
        is_pending: Cell<bool>,
        /// Cycles from the exception becoming pending to its handler.
        lateness: u64,
        due: Cell<u64>,
    }

    impl Model {
        /// Runs the machine for some cycles. The handler runs as soon as it is due.
        fn run(&self, cycles: u64, handler: &dyn Fn()) {
            for _ in 0..cycles {
                self.cycles.set(self.cycles.get() + 1);
                if self.cycles.get().is_multiple_of(self.ratio) {
                    let value = self.value.get().checked_sub(1).unwrap_or(RELOAD);
                    self.value.set(value);
                    if value == 0 {
                        self.is_pending.set(true);
                        self.due.set(self.cycles.get() + self.lateness);
                    }
                }
                if self.is_pending.get() && self.cycles.get() >= self.due.get() {
                    // The processor clears the pending bit on entry.
                    self.is_pending.set(false);
                    handler();
                }
            }
        }

        /// Ticks of the counter's clock since it was cleared.
        fn truth(&self) -> u64 {
            self.cycles.get() / self.ratio
        }
    }

    /// Each access to a register takes some cycles, in which the handler may run.
    struct Registers<'a>(&'a Model, &'a Cell<Option<&'a SysTick<Registers<'a>>>>, u64);

    impl Registers<'_> {
        fn pass(&self) {
            self.0.run(self.2, &|| {
                if let Some(clock) = self.1.get() {
                    clock.on_interrupt();
                }
            });
        }
    }

    impl SysTickRegisters for Registers<'_> {
        fn current(&self) -> u32 {
            self.pass();
            self.0.value.get()
        }

        fn is_pending(&self) -> bool {
            self.pass();
            self.0.is_pending.get()
        }
    }

    #[test]
    fn sys_tick_with_any_clock_never_jumps_or_goes_back() {
        for ratio in [1, 8, 125] {
            let period = ratio * u64::from(RELOAD + 1);
            // Prompt; while the counter is still zero; after it was reloaded; almost a period late.
            for lateness in [0, 1, ratio - 1, ratio + 1, period / 2, period - 12] {
                for access in [1, 3] {
                    let model = Model {
                        cycles: Cell::new(0),
                        ratio,
                        value: Cell::new(0),
                        is_pending: Cell::new(false),
                        lateness,
                        due: Cell::new(0),
                    };
                    let clock = Cell::new(None);
                    let sys_tick = SysTick::new(Registers(&model, &clock, access), RELOAD, 1_000);
                    clock.set(Some(&sys_tick));
                    let mut last = 0;
                    while model.cycles.get() < 20 * period {
                        let before = model.truth();
                        let read = sys_tick.now().ticks();
                        let after = model.truth();
                        assert!(
                            (before..=after).contains(&read),
                            "ratio {ratio}, late by {lateness}: {read} not in {before}..={after}"
                        );
                        assert!(read >= last, "the time went back");
                        last = read;
                        sys_tick.counter.timer().registers.pass();
                    }
                    clock.set(None);
                }
            }
        }
    }
}
