//! A worker's counters: their cells and their values, generated from the table of per-worker metrics.

use crate::catalog::{WorkerNumber, with_worker_numbers};
use crate::cell::U64Cell;
use crate::sync::const_unless_loom;

macro_rules! define {
    (
        counters { $($(#[$doc:meta])* $kind:ident $name:ident $worker_name:ident $variant:ident $exported:literal $unlike:literal,)* }
        derived { $($derived:tt)* }
        reported { $($reported:tt)* }
        gauges { $($gauges:tt)* }
    ) => {
        /// The cells of one worker: a batch uses [`Local`](crate::cell::Local), a slot uses
        /// [`OwnedU64`](crate::cell::OwnedU64).
        // In this order, so that the cells that a poll accesses are near the front.
        #[repr(C)]
        #[derive(Debug, Default)]
        pub(crate) struct Counters<C> {
            $(pub(crate) $name: C,)*
            /// The time in ticks up to which the total of the current state is complete. Time after it is in progress.
            pub(crate) settled_at: C,
            /// The number of durations that were not recorded because the clock stepped back.
            pub(crate) clock_steps: C,
            /// The number of polls at the last park, plus one; zero before the first park.
            pub(crate) polls_at_park: C,
            /// The mean poll time with [`MEAN_FRACTION`] fractional bits; zero until the first measured poll.
            pub(crate) mean_poll_time: C,
            /// The adapter's number for the thread that runs the worker; zero for none.
            pub(crate) thread: C,
        }

        impl Counters<crate::cell::OwnedU64> {
            const_unless_loom! {
                pub(crate) const fn new() -> Self {
                    use crate::cell::OwnedU64;
                    Self {
                        settled_at: OwnedU64::new(0),
                        clock_steps: OwnedU64::new(0),
                        polls_at_park: OwnedU64::new(0),
                        mean_poll_time: OwnedU64::new(0),
                        thread: OwnedU64::new(0),
                        $($name: OwnedU64::new(0),)*
                    }
                }
            }
        }

        impl<C: U64Cell> Counters<C> {
            /// Copies every value of `from`.
            #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
            #[inline(always)]
            pub(crate) fn copy<D: U64Cell>(&self, from: &Counters<D>) {
                self.settled_at.set(from.settled_at.get());
                self.clock_steps.set(from.clock_steps.get());
                self.polls_at_park.set(from.polls_at_park.get());
                self.mean_poll_time.set(from.mean_poll_time.get());
                self.thread.set(from.thread.get());
                $(self.$name.set(from.$name.get());)*
            }

            pub(crate) fn read(&self) -> CounterValues {
                let mut values = CounterValues {
                    settled_at: self.settled_at.get(),
                    clock_steps: self.clock_steps.get(),
                    mean_poll_time: self.mean_poll_time.get(),
                    thread: self.thread.get(),
                    ..CounterValues::default()
                };
                $(values.values[WorkerNumber::$variant as usize] = self.$name.get();)*
                values
            }

            /// Returns one counter; `None` for a metric without a cell: a reader derives it, or a probe reports it.
            #[inline]
            pub(crate) fn get(&self, number: WorkerNumber) -> Option<u64> {
                match number {
                    $(WorkerNumber::$variant => Some(self.$name.get()),)*
                    _ => None,
                }
            }
        }
    };
}

with_worker_numbers!(define);

/// The number of fractional bits of the fixed-point mean.
pub(crate) const MEAN_FRACTION: u32 = 8;
/// The weight of a new sample in the mean, alpha = 1/10, with 16 fractional bits (6554 / 65536 = 0.10001).
const MEAN_ALPHA: i64 = 6554;
const MEAN_ALPHA_BITS: u32 = 16;
/// The mean counts longer samples (about 73 minutes) as this value, so that the product below fits in 63 bits.
const MEAN_LIMIT: u64 = 1 << 42;

/// Returns the exponentially weighted mean after one more sample, in fixed point.
///
/// `mean += alpha * (sample - mean)`, the recurrence of S. W. Roberts, "Control chart tests based on geometric moving averages"
/// (Technometrics 1959), seeded with the first sample. A mean of zero is "no sample yet", so it is kept at least one unit.
#[inline(always)]
pub(crate) fn next_mean(mean: u64, sample: u64) -> u64 {
    let sample = sample.min(MEAN_LIMIT) << MEAN_FRACTION;
    if mean == 0 {
        return sample.max(1);
    }
    // Signed, rounded and branch-free: whether a poll is longer than the mean is unpredictable.
    let difference = sample.wrapping_sub(mean).cast_signed();
    let half = 1 << (MEAN_ALPHA_BITS - 1);
    let step = (difference.wrapping_mul(MEAN_ALPHA).wrapping_add(half)) >> MEAN_ALPHA_BITS;
    mean.wrapping_add_signed(step).max(1)
}

/// Returns the mean after `polls` equal samples: it moves by `1 - (1 - alpha)^polls` of the difference.
pub(crate) fn next_mean_of(mean: u64, sample: u64, mut polls: u64) -> u64 {
    if mean == 0 || polls <= 1 {
        return next_mean(mean, sample);
    }
    let one = 1 << MEAN_ALPHA_BITS;
    let (mut kept, mut factor) = (one, one - MEAN_ALPHA);
    while polls != 0 {
        if polls & 1 != 0 {
            kept = (kept * factor) >> MEAN_ALPHA_BITS;
        }
        factor = (factor * factor) >> MEAN_ALPHA_BITS;
        polls >>= 1;
    }
    let sample = sample.min(MEAN_LIMIT) << MEAN_FRACTION;
    // Four fractional bits fewer, so that the product fits in 63 bits.
    let difference = sample.wrapping_sub(mean).cast_signed() >> 4;
    let half = 1 << (MEAN_ALPHA_BITS - 5);
    let step = difference.wrapping_mul(one - kept).wrapping_add(half) >> (MEAN_ALPHA_BITS - 4);
    mean.wrapping_add_signed(step).max(1)
}

const _: () = assert!(MEAN_LIMIT << (MEAN_FRACTION - 4) < (i64::MAX >> MEAN_ALPHA_BITS).cast_unsigned());
const _: () = assert!(MEAN_LIMIT << MEAN_FRACTION < (i64::MAX / MEAN_ALPHA).cast_unsigned());

/// The number of per-worker metrics.
pub(crate) const WORKER_NUMBERS: usize = WorkerNumber::ALL.len();

/// The values of one worker at one moment. The counters come from one submit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CounterValues {
    pub(crate) settled_at: u64,
    pub(crate) clock_steps: u64,
    pub(crate) mean_poll_time: u64,
    pub(crate) thread: u64,
    pub(crate) values: [u64; WORKER_NUMBERS],
}

impl CounterValues {
    pub(crate) fn get(&self, counter: WorkerNumber) -> u64 {
        self.values[counter as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn the_mean_weighs_a_sample_by_a_tenth() {
        let mut mean = next_mean(0, 1_000);
        assert_eq!(mean >> MEAN_FRACTION, 1_000, "the first sample is the mean");
        mean = next_mean(mean, 2_000);
        assert_eq!(mean >> MEAN_FRACTION, 1_100);
        mean = next_mean(mean, 100);
        assert_eq!(mean >> MEAN_FRACTION, 1_000);
    }

    #[test]
    fn several_samples_of_one_value_weigh_as_much_as_one_by_one() {
        for (start, sample) in [(0, 700), (1_000, 5_000), (9_000_000, 10), (MEAN_LIMIT, 1)] {
            let start = next_mean(0, start);
            let mut one_by_one = start;
            for polls in 1..100 {
                one_by_one = next_mean(one_by_one, sample);
                let at_once = next_mean_of(start, sample, polls);
                // The weight is rounded down once for each bit of the number: the error is less than 2^-12 of the
                // difference.
                let way = start.abs_diff(sample << MEAN_FRACTION);
                assert!(
                    at_once.abs_diff(one_by_one) <= (way >> 12) + 64,
                    "{polls} of {sample}"
                );
            }
        }
        assert_eq!(
            next_mean_of(1 << 20, u64::MAX, u64::MAX) >> MEAN_FRACTION,
            MEAN_LIMIT
        );
    }

    #[test]
    fn the_mean_rounds_to_the_nearest() {
        for (sample, polls, moved) in [
            // A tenth of the distance: 25.6 of 256 units, 51.2 and 76.8.
            (2, 1, 26),
            (3, 1, 51),
            (4, 1, 77),
            // 19 % of it: 48.6, 97.3 and 145.9.
            (2, 2, 49),
            (3, 2, 97),
            (4, 2, 146),
        ] {
            let mean = next_mean(0, 1);
            assert_eq!(
                next_mean_of(mean, sample, polls) - mean,
                moved,
                "{polls} of {sample}"
            );
        }
    }

    #[test]
    fn no_sample_breaks_the_mean() {
        let mut mean = 0;
        for sample in [u64::MAX, 0, u64::MAX, 1, 0, 0, u64::MAX] {
            mean = next_mean(mean, sample);
            assert_ne!(mean, 0);
            assert!(mean <= MEAN_LIMIT << MEAN_FRACTION);
        }
    }
}
