//! Selects the polls that a histogram measures if it samples them.

use crate::cell::{OwnedU32, U32Cell};
use crate::sync::const_unless_loom;

/// Selects the polls that the two histograms measure.
///
/// Measuring every `n`th poll would always select the same one of two tasks that alternate. So the distance from one
/// measured poll to the next is drawn uniformly from `1..=2n - 1`, which is `n` on average.
#[derive(Debug, Default)]
pub(crate) struct Sampling<C> {
    random: XorShift<C>,
    poll_time: Countdown<C>,
    schedule_latency: Countdown<C>,
}

/// The next polls that each histogram measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Draw {
    pub(crate) poll_time: bool,
    pub(crate) schedule_latency: bool,
}

impl Sampling<OwnedU32> {
    const_unless_loom! {
        #[cfg_attr(metrics_core_loom, allow(dead_code))]
        pub(crate) const fn new(seed: u32) -> Self {
            Self {
                random: XorShift(OwnedU32::new(seed)),
                poll_time: Countdown { one_in: OwnedU32::new(0), left: OwnedU32::new(0) },
                schedule_latency: Countdown { one_in: OwnedU32::new(0), left: OwnedU32::new(0) },
            }
        }
    }
}

impl<C: U32Cell> Sampling<C> {
    /// Starts the random sequence with `seed`, which must not be zero.
    #[cfg(any(target_has_atomic = "ptr", feature = "require-cas"))]
    #[cfg_attr(all(metrics_core_loom, not(feature = "alloc")), allow(dead_code))]
    pub(crate) fn seed(&self, seed: u32) {
        self.random.0.set(seed);
    }

    /// Returns `true` if any poll's time is measured.
    pub(crate) fn measures_poll_time(&self) -> bool {
        self.poll_time.one_in.get() != 0
    }

    /// Sets the sampling: 0 measures no poll, 1 every poll, and n one poll in n.
    pub(crate) fn set(&self, poll_time: u32, schedule_latency: u32) {
        self.poll_time.set(poll_time, &self.random);
        self.schedule_latency.set(schedule_latency, &self.random);
    }

    /// Returns whether to measure the schedule latency of a poll. `None` if it is measured for all polls or for none.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    #[inline]
    pub(crate) fn draw_latency(&self) -> Option<bool> {
        (self.schedule_latency.one_in.get() > 1).then(|| self.schedule_latency.is_next(&self.random))
    }

    /// Returns whether to measure the next poll. Histograms with the same sampling measure the same polls, unless
    /// [`draw_latency`](Self::draw_latency) has chosen those with a schedule latency.
    // Outlined: hooks call it only if a switch is `OneIn`.
    #[inline(never)]
    pub(crate) fn draw(&self, latency_is_chosen: bool) -> Draw {
        let poll_time = self.poll_time.is_next(&self.random);
        let schedule_latency = if latency_is_chosen {
            self.schedule_latency.one_in.get() != 0
        } else if self.schedule_latency.one_in.get() == self.poll_time.one_in.get() {
            poll_time
        } else {
            self.schedule_latency.is_next(&self.random)
        };
        Draw {
            poll_time,
            schedule_latency,
        }
    }
}

#[derive(Debug, Default)]
struct Countdown<C> {
    one_in: C,
    /// The distance to the next measured poll.
    left: C,
}

impl<C: U32Cell> Countdown<C> {
    fn set(&self, one_in: u32, random: &XorShift<C>) {
        if self.one_in.get() != one_in {
            self.one_in.set(one_in);
            self.left.set(random.distance(one_in));
        }
    }

    #[inline(always)]
    fn is_next(&self, random: &XorShift<C>) -> bool {
        match self.one_in.get() {
            0 => false,
            1 => true,
            one_in => {
                let left = self.left.get();
                let is_next = left <= 1;
                self.left.set(if is_next {
                    random.distance(one_in)
                } else {
                    left - 1
                });
                is_next
            }
        }
    }
}

/// A worker's random numbers: G. Marsaglia, "Xorshift RNGs" (Journal of Statistical Software 8(14), 2003), section 3.
#[derive(Debug, Default)]
struct XorShift<C>(C);

impl<C: U32Cell> XorShift<C> {
    fn next(&self) -> u32 {
        let mut x = self.0.get();
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        self.0.set(x);
        x
    }

    /// Returns a uniform value in `1..=2 * one_in - 1`.
    // Outlined: it is rare, and `draw` would contain it twice.
    #[cold]
    #[inline(never)]
    fn distance(&self, one_in: u32) -> u32 {
        let distances = one_in.saturating_mul(2).saturating_sub(1);
        // The high half of a product: uniform but for one part in 2^32 / distances (D. Lemire, "Fast random integer generation in an
        // interval", ACM TOMACS 29(1), 2019).
        ((u64::from(self.next()) * u64::from(distances)) >> 32) as u32 + 1
    }
}

/// Returns the seed of a worker: different for each worker and each registry, and the same for the same two.
pub(crate) const fn seed(epoch: u64, worker: u64) -> u32 {
    // The finalizer of MurmurHash3 (A. Appleby, 2011): neighbouring inputs give unrelated seeds.
    let mut x = epoch ^ worker.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    x = (x ^ (x >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    // The sequence of zero is all zeros.
    match (x >> 32) as u32 {
        0 => 1,
        seed => seed,
    }
}

#[cfg(all(test, feature = "record", not(metrics_core_loom)))]
mod tests {
    extern crate std;

    use super::*;
    use core::cell::Cell;
    use std::vec::Vec;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const POLLS: u32 = 1_000_000;

    fn sampling(n: u32, epoch: u64) -> Sampling<Cell<u32>> {
        let sampling = Sampling::<Cell<u32>>::default();
        sampling.random.0.set(seed(epoch, 0));
        sampling.set(n, n);
        sampling
    }

    /// Calls `each` with the number of each measured poll among the first `polls`.
    fn each_measured(n: u32, epoch: u64, polls: u64, mut each: impl FnMut(u64)) {
        let sampling = sampling(n, epoch);
        let mut next = u64::from(sampling.poll_time.left.get()) - 1;
        while next < polls {
            each(next);
            next += u64::from(sampling.random.distance(n));
        }
    }

    #[test]
    fn the_drawn_polls_are_those_that_the_distances_give() {
        let drawn = sampling(4, 3);
        let drawn: Vec<u64> = (0..1_000).filter(|_| drawn.draw(false).poll_time).collect();
        let mut measured = Vec::new();
        each_measured(4, 3, 1_000, |poll| measured.push(poll));
        assert_eq!(drawn, measured);
    }

    const LONG: u64 = 10_000_000;
    const SHORT: u64 = 1_000;

    /// An emulator runs the tests of other processors, many times slower.
    const SEEDS: u64 = if cfg!(any(target_arch = "x86_64", target_arch = "x86")) {
        100
    } else {
        2
    };

    /// Asserts for many seeds that the mean of a load is within 1 %. One poll in `period` is long.
    fn assert_mean(n: u32, period: u64, polls: u64) {
        for epoch in 0..SEEDS {
            let (mut samples, mut long) = (0, 0);
            each_measured(n, epoch, polls, |poll| {
                samples += 1;
                long += u64::from(poll % period == 0);
            });
            let mean = (long * LONG + (samples - long) * SHORT) / samples;
            let exact = (LONG + (period - 1) * SHORT) / period;
            assert!(
                mean.abs_diff(exact) * 100 <= exact,
                "1 in {n}, epoch {epoch}, period {period}: {mean}, exactly {exact}"
            );
        }
    }

    /// The relative standard error of the mean is the square root of `n / POLLS`, which is 0.28 % for `n` of 8.
    #[test]
    fn the_mean_of_two_alternating_tasks_is_within_one_percent() {
        for n in [2, 4, 8] {
            assert_mean(n, 2, u64::from(POLLS));
        }
    }

    /// Of `polls / n` samples, one in `n` is long. The relative standard error of the mean is therefore the square root
    /// of `n * (n - 1) / polls`. For `n` of 8 and a million polls that is 0.75 %, so one seed in six would fail with
    /// any independent choice of polls. The numbers of polls here make 1 % four standard errors.
    #[test]
    fn the_mean_of_a_load_whose_period_is_the_share_is_within_one_percent() {
        for n in [2, 4, 8] {
            assert_mean(n, u64::from(n), u64::from(160_000 * n * (n - 1)));
        }
    }

    #[test]
    fn one_poll_in_n_is_measured_on_average() {
        for n in [2, 3, 100, 10_000] {
            let sampling = sampling(n, 1);
            let samples = (0..POLLS).filter(|_| sampling.draw(false).poll_time).count() as u32;
            let expected = POLLS / n;
            assert!(samples.abs_diff(expected) * 4 <= expected, "1 in {n}: {samples}");
        }
    }

    #[test]
    fn the_same_share_measures_the_same_polls() {
        let sampling = sampling(4, 1);
        for _ in 0..1_000 {
            let draw = sampling.draw(false);
            assert_eq!(draw.poll_time, draw.schedule_latency);
        }
        sampling.set(4, 1);
        let every = (0..1_000).all(|_| sampling.draw(false).schedule_latency);
        assert!(every, "a different sampling is drawn separately");
    }

    #[test]
    fn every_share_has_a_distance_and_every_worker_a_seed() {
        for n in [2, 3, u32::MAX / 2, u32::MAX] {
            let sampling = sampling(n, 7);
            for _ in 0..1_000 {
                let distance = sampling.random.distance(n);
                assert!(distance >= 1 && u64::from(distance) < 2 * u64::from(n));
            }
        }
        assert_ne!(seed(5, 0), seed(5, 1));
        assert_ne!(seed(5, 0), seed(6, 0));
        assert_ne!(seed(0, 0), 0);
    }
}
