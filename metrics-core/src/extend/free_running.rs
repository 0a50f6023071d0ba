//! A free-running counter that wraps, extended to 64 bits by its readers.

use core::time::Duration;

use super::step;
use crate::sync::{AtomicU32, Ordering, const_unless_loom};
use crate::time::{TimeSource, Timestamp};
use crate::time_scale::TimeScale;

/// A hardware counter that counts up without interruption and wraps after [`BITS`](Self::BITS) bits.
///
/// An implementation of [`read`](Self::read) MUST return the counter of the same timer wherever it is called, and MUST
/// NOT panic or block. Invert a counter that counts down (`!value`).
pub trait FreeRunning {
    /// The width of the counter in bits, from 2 to 32. A value out of this range is clamped.
    const BITS: u32 = 32;

    /// Returns the current value of the counter. Bits above [`BITS`](Self::BITS) are ignored.
    fn read(&self) -> u32;
}

impl FreeRunning for fn() -> u32 {
    fn read(&self) -> u32 {
        self()
    }
}

/// Extends a wrapping hardware counter to 64 bits. Every read extends it.
///
/// It stores how many eighths of a period had passed at the last read. A read that finds the counter in another eighth
/// adds the difference. Concurrent reads (an interrupt during a read, or two cores) store the same value, so it needs no
/// lock and loses nothing.
///
/// # Contract
///
/// - From the start of one read to the end of the next, at most seven eighths of a period
///   ([`longest_gap`](Self::longest_gap)) may pass. Reads in an interrupt do not count if it has interrupted another
///   read, which may undo them. A worker that polls or parks this often is enough. After a longer gap the clock loses
///   whole periods, and nothing in the counter shows it: a 24-bit counter at 16 MHz that sleeps 2.0 s at a time
///   measures 0.95 s of each.
/// - Firmware that sleeps longer MUST either call [`ticks`](Self::ticks) from a timer's interrupt in time, or measure
///   the sleep with a slower clock and call [`on_wake`](Self::on_wake), which detects what was lost and adds it.
/// - The counter must run before the first read. It need not start at zero: the first period is recognised.
///
/// | width | 1 MHz | 16 MHz | 64 MHz | 168 MHz |
/// |---|---|---|---|---|
/// | 16 bits | 57 ms | 3.6 ms | 896 us | 341 us |
/// | 24 bits | 14.7 s | 917 ms | 229 ms | 87 ms |
/// | 32 bits | 62 min | 235 s | 58 s | 22 s |
///
/// The extended value wraps after 2^(29 + [`BITS`](FreeRunning::BITS)) ticks: after 1,100 years for a 32-bit counter at
/// 64 MHz, and after 407 days for a 16-bit counter at 1 MHz.
#[derive(Debug)]
pub struct ExtendedCounter<C> {
    /// The number of eighths of a period that have passed. Its low bits are the counter's top bits at the last read.
    parts: AtomicU32,
    ticks_per_second: u32,
    counter: C,
}

impl<C> ExtendedCounter<C> {
    const_unless_loom! {
        /// Creates a clock from `counter`, which counts `ticks_per_second`.
        pub const fn new(counter: C, ticks_per_second: u32) -> Self {
            Self { parts: AtomicU32::new(0), ticks_per_second, counter }
        }
    }
}

impl<C: FreeRunning> ExtendedCounter<C> {
    const BITS: u32 = if C::BITS < 2 {
        2
    } else if C::BITS > 32 {
        32
    } else {
        C::BITS
    };
    const MASK: u32 = u32::MAX >> (32 - Self::BITS);
    /// The number of top bits of the counter that contain the eighth.
    const PART_BITS: u32 = if Self::BITS < 3 { Self::BITS } else { 3 };
    const PART_MASK: u32 = (1 << Self::PART_BITS) - 1;

    /// Returns the extended value.
    // Processors without compare-and-swap are small: outlining it there saves 200 bytes of flash.
    #[cfg_attr(target_has_atomic = "ptr", inline)]
    #[cfg_attr(not(target_has_atomic = "ptr"), inline(never))]
    pub fn ticks(&self) -> u64 {
        // Ordering: acquire, pairs with the release below: the counter is read after the store of the part with which
        // it is compared, so it is in that part or ahead.
        let seen = self.parts.load(Ordering::Acquire);
        let count = self.counter.read() & Self::MASK;
        let ahead = (count >> (Self::BITS - Self::PART_BITS)).wrapping_sub(seen) & Self::PART_MASK;
        let parts = seen.wrapping_add(ahead);
        if ahead != 0 {
            // Ordering: release, pairs with the acquire above. Another read in the same part stores the same value. A
            // read that was interrupted between its load and this store may set the count back; the next read corrects
            // it.
            self.parts.store(parts, Ordering::Release);
        }
        u64::from(parts >> Self::PART_BITS) << Self::BITS | u64::from(count)
    }

    /// Returns the longest time allowed between two reads: seven eighths of a period. `None` without a rate.
    ///
    /// Set a timer to it before a long sleep, and call [`ticks`](Self::ticks) in the timer's interrupt.
    pub fn longest_gap(&self) -> Option<Duration> {
        let gap = (1_u64 << Self::BITS) - (1_u64 << (Self::BITS - Self::PART_BITS));
        let nanos = (1_000_000_000 * gap).checked_div(u64::from(self.ticks_per_second))?;
        Some(Duration::from_nanos(nanos))
    }

    /// Adds the periods that were lost while the counter was not read, and returns their number. Zero means that the
    /// clock lost nothing.
    ///
    /// Call it when firmware wakes up, with the time before it slept and the duration of the sleep by another clock,
    /// such as a real-time clock. That clock may be wrong by less than half a period. No interrupt may read this clock
    /// meanwhile.
    ///
    /// ```
    /// use core::time::Duration;
    /// use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
    /// use metrics_core::TimeSource;
    /// use metrics_core::extend::{ExtendedCounter, FreeRunning};
    ///
    /// static HARDWARE: AtomicU32 = AtomicU32::new(100);
    ///
    /// /// A 24-bit counter at 16 MHz: a period of 1.05 s.
    /// struct Timer;
    ///
    /// impl FreeRunning for Timer {
    ///     const BITS: u32 = 24;
    ///
    ///     fn read(&self) -> u32 {
    ///         HARDWARE.load(Relaxed)
    ///     }
    /// }
    ///
    /// let clock = ExtendedCounter::new(Timer, 16_000_000);
    /// let before = clock.now();
    /// // Sleep for 5 s by the real-time clock.
    /// HARDWARE.fetch_add(5 * 16_000_000, Relaxed);
    /// assert_eq!(clock.on_wake(before, Duration::from_millis(5_002)), 4);
    /// assert_eq!(clock.now().ticks(), 100 + 5 * 16_000_000);
    /// ```
    pub fn on_wake(&self, before: Timestamp, slept: Duration) -> u32 {
        let slept = TimeScale::new(u64::from(self.ticks_per_second)).ticks_of(slept);
        let expected = before.ticks().saturating_add(slept);
        let missing = expected.saturating_sub(self.ticks());
        let lost = (missing.saturating_add(1 << (Self::BITS - 1)) >> Self::BITS) as u32;
        // Ordering: relaxed, `ticks` above has just stored or seen it.
        let parts = self.parts.load(Ordering::Relaxed);
        // Ordering: release, as in `ticks`.
        self.parts
            .store(parts.wrapping_add(lost << Self::PART_BITS), Ordering::Release);
        lost
    }
}

impl<C: FreeRunning> TimeSource for ExtendedCounter<C> {
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

    /// A counter of any width whose true 64-bit value the test holds; `at_read` runs inside a read.
    struct Fake<'a, const BITS: u32> {
        truth: Cell<u64>,
        at_read: Cell<Option<&'a dyn Fn()>>,
        /// Whether it runs after the counter was read.
        is_late: Cell<bool>,
    }

    impl<const BITS: u32> Fake<'_, BITS> {
        const fn new() -> Self {
            Self {
                truth: Cell::new(0),
                at_read: Cell::new(None),
                is_late: Cell::new(false),
            }
        }
    }

    impl<const BITS: u32> FreeRunning for &Fake<'_, BITS> {
        const BITS: u32 = BITS;

        fn read(&self) -> u32 {
            let before = self.truth.get();
            if let Some(interrupt) = self.at_read.take() {
                interrupt();
            }
            let count = if self.is_late.get() {
                before
            } else {
                self.truth.get()
            };
            // The bits above are garbage, as a real register's may be.
            (count as u32) | (u32::MAX << (BITS - 1) << 1)
        }
    }

    fn walk<const BITS: u32>(steps: &[u64]) {
        let fake = Fake::<BITS>::new();
        let clock = ExtendedCounter::new(&fake, 1_000_000);
        for &step in steps.iter().cycle().take(5_000) {
            fake.truth.set(fake.truth.get() + step);
            assert_eq!(clock.now().ticks(), fake.truth.get(), "{BITS} bits");
        }
        assert!(fake.truth.get() >> BITS > 2, "the walk must cross several wraps");
    }

    #[test]
    fn every_wrap_is_seen_while_it_is_read_within_the_longest_gap() {
        walk::<32>(&[1 << 31, 1, 0, (1 << 31) - 1, 12_345, 1 << 30]);
        walk::<24>(&[1 << 23, 1, 0, 7 << 21, 77, 1 << 22]);
        walk::<16>(&[1 << 15, 1, 0, (1 << 15) - 1, 77]);
        walk::<2>(&[2, 1, 0, 1]);
    }

    #[test]
    fn a_counter_that_started_before_is_recognised() {
        let fake = Fake::<32>::new();
        fake.truth.set(0xC000_0000);
        let clock = ExtendedCounter::new(&fake, 1);
        assert_eq!(clock.ticks(), 0xC000_0000);
        fake.truth.set(0x1_0000_0005);
        assert_eq!(clock.ticks(), 0x1_0000_0005);
    }

    #[test]
    fn a_reading_nested_in_a_reading_sees_the_same_wrap() {
        // The interrupt comes between the load of the half and the read of the counter, at every distance from the
        // edge.
        for before in [0x7FFF_FFF0_u64, 0xFFFF_FFF0, 0x1_7FFF_FFF0, 0x1_FFFF_FFF0] {
            let fake = Fake::<32>::new();
            let clock = ExtendedCounter::new(&fake, 1);
            for at in [0, 0x7000_0000, 0xF000_0000, 0x1_7000_0000, 0x1_F000_0000] {
                if at < before {
                    fake.truth.set(at);
                    assert_eq!(clock.ticks(), at);
                }
            }
            fake.truth.set(before);
            let interrupt = || {
                fake.truth.set(before + 0x20);
                assert_eq!(clock.ticks(), before + 0x20, "inside");
            };
            fake.at_read.set(Some(&interrupt));
            assert_eq!(clock.ticks(), before + 0x20, "outside");
            fake.truth.set(before + 0x30);
            assert_eq!(clock.ticks(), before + 0x30, "after");
        }
    }

    /// An interrupt that reads the clock too, before or after the read that it interrupts sees the counter.
    #[test]
    fn an_interrupted_read_loses_no_time_within_the_longest_gap() {
        const SIXTEENTH: u64 = 1 << 12;
        for (first, gap, is_late) in
            (0..16).flat_map(|first| (0..=14).flat_map(move |gap| [(first, gap, false), (first, gap, true)]))
        {
            for interruption in 0..=14 - gap {
                let fake = Fake::<16>::new();
                let clock = ExtendedCounter::new(&fake, 1);
                let pass = |sixteenths| fake.truth.set(fake.truth.get() + sixteenths * SIXTEENTH);
                pass(first);
                assert_eq!(clock.ticks(), fake.truth.get());
                pass(gap);
                let started = fake.truth.get();
                let interrupt = || {
                    assert_eq!(clock.ticks(), fake.truth.get(), "inside");
                    pass(interruption);
                    assert_eq!(clock.ticks(), fake.truth.get(), "inside, later");
                };
                fake.is_late.set(is_late);
                fake.at_read.set(Some(&interrupt));
                let seen = if is_late {
                    started
                } else {
                    started + interruption * SIXTEENTH
                };
                assert_eq!(clock.ticks(), seen, "outside");
                fake.truth.set(started + 14 * SIXTEENTH);
                assert_eq!(clock.ticks(), fake.truth.get(), "after");
            }
        }
    }

    /// Ten sleeps of 900 ms, which is more than half of the period of 1.05 s.
    #[test]
    fn a_gap_of_seven_eighths_of_a_period_loses_no_time() {
        let fake = Fake::<24>::new();
        let clock = ExtendedCounter::new(&fake, 16_000_000);
        for _ in 0..10 {
            fake.truth.set(fake.truth.get() + 900 * 16_000);
            clock.ticks();
        }
        assert_eq!(clock.ticks(), 9 * 16_000_000);
        let gap = clock.longest_gap().expect("a rate").as_micros() as u64 * 16;
        for step in [999_983, gap].repeat(50) {
            fake.truth.set(fake.truth.get() + step);
            assert_eq!(clock.ticks(), fake.truth.get());
        }
    }

    #[test]
    fn a_sleep_of_any_length_is_detected_on_waking_up() {
        let fake = Fake::<24>::new();
        let clock = ExtendedCounter::new(&fake, 16_000_000);
        for (millis, error) in [
            (0, 0),
            (900, 10),
            (1_049, -400),
            (2_000, 400),
            (60_000, -500),
            (3_600_000, 500),
        ] {
            let before = clock.now();
            fake.truth.set(fake.truth.get() + millis * 16_000);
            let slept = Duration::from_millis(millis.saturating_add_signed(error));
            let lost = clock.on_wake(before, slept);
            assert_eq!(clock.ticks(), fake.truth.get(), "{millis} ms");
            assert!(millis > 918 || lost == 0, "nothing was lost");
            assert!(millis < 1_050 || lost > 0, "a whole period was lost");
        }
    }

    #[test]
    fn longest_gap_is_the_longest_time_between_two_reads() {
        let clock = ExtendedCounter::new((|| 0) as fn() -> u32, 64_000_000);
        assert_eq!(clock.longest_gap(), Some(Duration::from_micros(58_720_256)));
        assert_eq!(
            clock.resolution(),
            Duration::from_nanos(16),
            "15.6 ns, rounded up"
        );
        let none = ExtendedCounter::new((|| 0) as fn() -> u32, 0);
        assert_eq!(none.longest_gap(), None);
        assert!(!none.available());
    }
}
