//! A free-running counter that wraps, extended to 64 bits by its readers.

use core::time::Duration;

use super::step;
use crate::sync::{AtomicU32, Ordering, const_unless_loom};
use crate::time::{TimeSource, Timestamp};

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
/// It stores the half period of the last read. A read that finds the counter in the next half increments it.
/// Concurrent reads (an interrupt during a read, or two cores) store the same value, so it needs no lock and loses
/// nothing.
///
/// # Contract
///
/// - It MUST be read at least once in every half period: every 2^31 ticks of a 32-bit counter, which is 33 s at 64
///   MHz. A worker that polls or parks this often is enough. Firmware that sleeps longer must read it from a timer.
///   [`half_period`](Self::half_period) returns this time.
/// - A read MUST NOT be interrupted for half a period.
/// - The counter must run before the first read. It need not start at zero: the first half period is recognised.
///
/// The extended value wraps after 2^(31 + [`BITS`](FreeRunning::BITS)) ticks: never, for a 32-bit counter.
#[derive(Debug)]
pub struct ExtendedCounter<C> {
    /// The number of half periods that have passed. Its parity is the counter's top bit at the last read.
    halves: AtomicU32,
    ticks_per_second: u32,
    counter: C,
}

impl<C> ExtendedCounter<C> {
    const_unless_loom! {
        /// Creates a clock from `counter`, which counts `ticks_per_second`.
        pub const fn new(counter: C, ticks_per_second: u32) -> Self {
            Self { halves: AtomicU32::new(0), ticks_per_second, counter }
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

    /// Returns the extended value.
    #[inline]
    pub fn ticks(&self) -> u64 {
        // Ordering: acquire, pairs with the release below: the counter is read after the store of the half period with
        // which it is compared, so it is at most one half ahead.
        let seen = self.halves.load(Ordering::Acquire);
        let count = self.counter.read() & Self::MASK;
        let ahead = (count >> (Self::BITS - 1)) ^ (seen & 1);
        let halves = seen.wrapping_add(ahead);
        if ahead != 0 {
            // Ordering: release, pairs with the acquire above. Another read in the same half stores the same value. A
            // read that was interrupted between its load and this store may set the count back by one; the next read
            // in that half corrects it.
            self.halves.store(halves, Ordering::Release);
        }
        u64::from(halves >> 1) << Self::BITS | u64::from(count)
    }

    /// Returns the longest time allowed between two reads; `None` without a rate.
    pub fn half_period(&self) -> Option<Duration> {
        let nanos = (1_000_000_000_u64 << (Self::BITS - 1)).checked_div(u64::from(self.ticks_per_second))?;
        Some(Duration::from_nanos(nanos))
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
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// A counter of any width whose true 64-bit value the test holds; `at_read` runs inside a read.
    struct Fake<'a, const BITS: u32> {
        truth: Cell<u64>,
        at_read: Cell<Option<&'a dyn Fn()>>,
    }

    impl<const BITS: u32> Fake<'_, BITS> {
        const fn new() -> Self {
            Self {
                truth: Cell::new(0),
                at_read: Cell::new(None),
            }
        }
    }

    impl<const BITS: u32> FreeRunning for &Fake<'_, BITS> {
        const BITS: u32 = BITS;

        fn read(&self) -> u32 {
            if let Some(interrupt) = self.at_read.take() {
                interrupt();
            }
            // The bits above are garbage, as a real register's may be.
            (self.truth.get() as u32) | (u32::MAX << (BITS - 1) << 1)
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
    fn every_wrap_is_seen_while_it_is_read_twice_a_period() {
        walk::<32>(&[1 << 31, 1, 0, (1 << 31) - 1, 12_345, 1 << 30]);
        walk::<24>(&[1 << 23, 1, 0, (1 << 23) - 1, 77, 1 << 22]);
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

    #[test]
    fn half_period_is_the_longest_time_between_two_reads() {
        let clock = ExtendedCounter::new((|| 0) as fn() -> u32, 64_000_000);
        assert_eq!(clock.half_period(), Some(Duration::from_micros(33_554_432)));
        assert_eq!(
            clock.resolution(),
            Duration::from_nanos(16),
            "15.6 ns, rounded up"
        );
        let none = ExtendedCounter::new((|| 0) as fn() -> u32, 0);
        assert_eq!(none.half_period(), None);
        assert!(!none.available());
    }
}
