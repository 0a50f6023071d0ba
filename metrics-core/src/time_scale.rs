//! The conversion of a clock's ticks to nanoseconds.

use crate::time::Timestamp;
use core::time::Duration;

/// Converts ticks to nanoseconds with one multiplication and one shift.
///
/// `mult / 2^shift` is `10^9 / ticks_per_second`. The shift is the largest that keeps `mult` in 32 bits and the
/// division below in 64 bits, so that a target without 128-bit arithmetic needs one widening multiplication. The
/// relative error is below 2^-31 for rates up to 8 GHz and below 2^-20 for any rate that fits in 44 bits. Results are
/// rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeScale {
    ticks_per_second: u64,
    mult: u32,
    shift: u32,
}

const NANOS_PER_SECOND: u64 = 1_000_000_000;
/// The largest shift for which `10^9 << shift` fits in 64 bits.
const MAX_SHIFT: u32 = NANOS_PER_SECOND.leading_zeros();

/// The clocks of two cores may disagree by one second shifted right by this, about a millisecond. An unordered read of
/// an x86-64 time stamp counter was measured to be 2 us older than a read on another core. The clocks of a browser's
/// threads differ by up to their resolution of 1 ms.
const DISAGREEMENT_SHIFT: u32 = 10;

/// Whether the processor multiplies 32 bits by 32 bits into only 32 bits, as a Cortex-M0 does. Those processors have
/// no compare-and-swap either.
const NARROW: bool = cfg!(not(target_has_atomic = "ptr"));

impl TimeScale {
    /// Creates the scale of a clock with this many ticks per second. With zero, every duration is zero.
    pub const fn new(ticks_per_second: u64) -> Self {
        if ticks_per_second == 0 {
            return Self {
                ticks_per_second,
                mult: 0,
                shift: 0,
            };
        }
        let mut shift = MAX_SHIFT;
        loop {
            let mult = (NANOS_PER_SECOND << shift) / ticks_per_second;
            if mult <= u32::MAX as u64 || shift == 0 {
                return Self {
                    ticks_per_second,
                    mult: mult as u32,
                    shift,
                };
            }
            shift -= 1;
        }
    }

    /// Returns the number of ticks per second.
    pub const fn ticks_per_second(&self) -> u64 {
        self.ticks_per_second
    }

    /// Returns the nanoseconds from `earlier` to `later`, or zero if `later` is older, because two cores may disagree.
    #[inline(always)]
    pub const fn nanos(&self, later: Timestamp, earlier: Timestamp) -> u64 {
        match self.checked_nanos(later, earlier) {
            Some(nanos) => nanos,
            None => 0,
        }
    }

    /// Returns the nanoseconds from `earlier` to `later`, which one thread read. `None` if `later` is older: the clock
    /// stepped back, so the elapsed time is not known.
    #[inline(always)]
    pub const fn checked_nanos(&self, later: Timestamp, earlier: Timestamp) -> Option<u64> {
        // A step back gives a wrapped difference near 2^64, so a small one needs no check.
        let short = later.ticks().wrapping_sub(earlier.ticks());
        if NARROW && short < 1 << 16 && self.shift >= 16 {
            return Some(self.nanos_of_short(short as u32) as u64);
        }
        match later.ticks().checked_sub(earlier.ticks()) {
            Some(ticks) => Some(self.nanos_of(ticks)),
            None => None,
        }
    }

    /// Returns the nanoseconds from `earlier` to `later`, which two threads may have read. Returns zero if `later` is
    /// older by no more than two cores may disagree, and `None` if it is older by more.
    #[inline(always)]
    pub const fn nanos_across_cores(&self, later: Timestamp, earlier: Timestamp) -> Option<u64> {
        match self.checked_nanos(later, earlier) {
            Some(nanos) => Some(nanos),
            None => self.disagreement(later, earlier),
        }
    }

    #[cold]
    #[inline(never)]
    const fn disagreement(&self, later: Timestamp, earlier: Timestamp) -> Option<u64> {
        if earlier.ticks().saturating_sub(later.ticks()) <= self.ticks_per_second >> DISAGREEMENT_SHIFT {
            Some(0)
        } else {
            None
        }
    }

    /// Converts ticks to nanoseconds, saturating.
    #[inline(always)]
    pub const fn nanos_of(&self, ticks: u64) -> u64 {
        if ticks <= u32::MAX as u64 {
            (ticks as u32 as u64 * self.mult as u64) >> self.shift
        } else {
            self.nanos_of_long(ticks)
        }
    }

    /// Converts ticks to nanoseconds, for a caller where code size matters more than speed.
    pub(crate) const fn nanos_outlined(&self, ticks: u64) -> u64 {
        self.nanos_of_long(ticks)
    }

    /// Converts less than 2^16 ticks with a shift of at least 16 in 32-bit arithmetic. The product is the sum of two products
    /// that fit, and neither the sum nor the shift leaves 32 bits.
    #[inline(always)]
    const fn nanos_of_short(&self, ticks: u32) -> u32 {
        // `ticks * mult >> 16` is below 2^32, and no bit of it is rounded away before the last shift.
        let high = ticks * (self.mult >> 16);
        let low = (ticks * (self.mult & 0xFFFF)) >> 16;
        (high + low) >> (self.shift - 16)
    }

    /// Converts 2^32 ticks or more, which are seconds on a fast clock. Outlined.
    #[cold]
    #[inline(never)]
    const fn nanos_of_long(&self, ticks: u64) -> u64 {
        let low = ((ticks as u32 as u64) * self.mult as u64) >> self.shift;
        let high = (ticks >> 32) * self.mult as u64;
        // `high` counts units of 2^(32 - shift) nanoseconds.
        let high = if self.shift >= 32 {
            high >> (self.shift - 32)
        } else {
            let left = 32 - self.shift;
            if high.leading_zeros() >= left {
                high << left
            } else {
                u64::MAX
            }
        };
        high.saturating_add(low)
    }

    /// Converts a duration to ticks, saturating and rounded down.
    pub const fn ticks_of(&self, duration: Duration) -> u64 {
        let whole = duration.as_secs().saturating_mul(self.ticks_per_second);
        let nanos = duration.subsec_nanos() as u64;
        // Split so that neither product leaves 64 bits: nanos < 2^30.
        let high = (self.ticks_per_second / NANOS_PER_SECOND) * nanos;
        let low = (self.ticks_per_second % NANOS_PER_SECOND) * nanos / NANOS_PER_SECOND;
        whole.saturating_add(high).saturating_add(low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Independent of the code above: 128-bit arithmetic, rounded down.
    fn exact(ticks: u64, rate: u64) -> u64 {
        u64::try_from(u128::from(ticks) * 1_000_000_000 / u128::from(rate)).unwrap_or(u64::MAX)
    }

    #[test]
    fn nanoseconds_stay_within_the_stated_error() {
        for rate in [
            1,
            7,
            1_000,
            32_768,
            1_000_000,
            16_000_000,
            999_999_999,
            1_000_000_000,
            2_600_123_457,
            8_000_000_000,
        ] {
            let scale = TimeScale::new(rate);
            for ticks in [
                0,
                1,
                2,
                99,
                12_345,
                1 << 31,
                (1 << 32) - 1,
                1 << 32,
                (1 << 32) + 1,
                1 << 45,
                1 << 60,
                u64::MAX,
            ] {
                let want = exact(ticks, rate);
                let got = scale.nanos_of(ticks);
                // One part in 2^31, and two roundings of less than a nanosecond each.
                assert!(
                    want.abs_diff(got) <= (want >> 31) + 2,
                    "{ticks} at {rate}: {got}, exactly {want}"
                );
            }
        }
    }

    #[test]
    fn short_durations_are_the_same_in_32_bits() {
        for rate in [
            1,
            1_000,
            32_768,
            1_000_000,
            16_000_000,
            48_000_000,
            999_999_999,
            8_000_000_000,
        ] {
            let scale = TimeScale::new(rate);
            for ticks in (0..1 << 16).step_by(7).chain([1, (1 << 16) - 1]) {
                if scale.shift >= 16 {
                    let wide = (u64::from(ticks) * u64::from(scale.mult)) >> scale.shift;
                    assert_eq!(u64::from(scale.nanos_of_short(ticks)), wide, "{ticks} at {rate}");
                }
            }
        }
    }

    #[test]
    fn a_nanosecond_clock_is_exact() {
        let scale = TimeScale::new(1_000_000_000);
        for ticks in [0, 1, 1 << 33, u64::MAX / 4, (1 << 53) + 1] {
            assert_eq!(scale.nanos_of(ticks), ticks);
        }
    }

    #[test]
    fn ticks_of_a_duration() {
        for rate in [1, 32_768, 1_000_000_000, 2_600_000_000] {
            let scale = TimeScale::new(rate);
            assert_eq!(scale.ticks_of(Duration::from_secs(3)), 3 * rate);
            assert_eq!(scale.ticks_of(Duration::from_millis(500)), rate / 2);
            assert_eq!(scale.ticks_of(Duration::ZERO), 0);
        }
        assert_eq!(TimeScale::new(1_000_000_000).ticks_of(Duration::MAX), u64::MAX);
    }

    #[test]
    fn a_clock_that_jumps_back_gives_zero() {
        let scale = TimeScale::new(1_000_000_000);
        assert_eq!(scale.nanos(Timestamp::from_ticks(5), Timestamp::from_ticks(9)), 0);
        assert_eq!(
            TimeScale::new(0).nanos(Timestamp::from_ticks(u64::MAX), Timestamp::from_ticks(0)),
            0
        );
        assert_eq!(
            scale.checked_nanos(Timestamp::from_ticks(5), Timestamp::from_ticks(9)),
            None
        );
        assert_eq!(
            scale.checked_nanos(Timestamp::from_ticks(9), Timestamp::from_ticks(9)),
            Some(0)
        );
    }

    #[test]
    fn two_cores_may_disagree_by_a_millisecond() {
        let scale = TimeScale::new(1_000_000);
        let at = |later| scale.nanos_across_cores(Timestamp::from_ticks(later), Timestamp::from_ticks(5_000));
        assert_eq!(at(5_001), Some(1_000));
        assert_eq!(at(5_000), Some(0));
        assert_eq!(at(5_000 - 976), Some(0));
        assert_eq!(at(5_000 - 977), None);
    }

    #[test]
    fn no_rate_panics() {
        for rate in [0, 1, u64::from(u32::MAX), u64::MAX] {
            let scale = TimeScale::new(rate);
            let _ = scale.nanos_of(u64::MAX);
            let _ = scale.ticks_of(Duration::MAX);
        }
    }
}
