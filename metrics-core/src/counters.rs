//! A worker's counters: one list, from which the cells, the values and the names are made.

use crate::cell::U64Cell;
use crate::sync::const_unless_loom;

/// Calls a macro with the one list of per-worker counters: documentation, type, name, name of the per-worker getter, variant.
macro_rules! with_counters {
    ($callback:ident) => {
        $callback! {
            /// Nanoseconds the worker was unparked and neither searching for work nor waiting in the driver; settled time only.
            Duration busy_duration_total worker_total_busy_duration BusyDurationTotal,
            /// Blocking parks.
            u64 park_count worker_park_count ParkCount,
            /// Parks and unparks together: odd means parked.
            u64 park_unpark_count worker_park_unpark_count ParkUnparkCount,
            /// Parks with no poll since the park before. The first park of a fresh worker does not count.
            u64 noop_count worker_noop_count NoopCount,
            /// Polls of spawned tasks, however they reached the worker: one call of the task's `Future::poll` each.
            u64 poll_count worker_poll_count PollCount,
            /// Tasks taken from other workers' queues.
            u64 steal_count worker_steal_count StealCount,
            /// Successful steals, of one or more tasks each.
            u64 steal_operations worker_steal_operations StealOperations,
            /// Tasks scheduled from the worker onto its own queue.
            u64 local_schedule_count worker_local_schedule_count LocalScheduleCount,
            /// Overflows of the local queue into the global one (operations, not tasks).
            u64 overflow_count worker_overflow_count OverflowCount,
            /// Tasks that overflows moved to the global queue.
            u64 overflow_tasks worker_overflow_tasks OverflowTasks,
            /// Polls that returned `Pending` because the cooperative budget was spent.
            u64 budget_forced_yield_count worker_budget_forced_yield_count BudgetForcedYieldCount,
            /// Polls of a root future (`block_on`), kept apart from `poll_count`.
            u64 root_polls worker_root_polls RootPolls,
            /// Polls of measured futures inside measured tasks, kept apart from `poll_count`.
            u64 nested_polls worker_nested_polls NestedPolls,
        }
    };
}
pub(crate) use with_counters;

macro_rules! define {
    ($($(#[$doc:meta])* $kind:ident $name:ident $worker_name:ident $variant:ident,)*) => {
        /// A counter that a worker keeps, as in the one list of metrics.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Counter {
            $($(#[$doc])* $variant,)*
        }

        impl Counter {
            /// Every counter, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in the one list of metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($name),)*
                }
            }
        }

        /// The cells of one worker: a batch over [`Local`](crate::cell::Local), a slot over [`OwnedU64`](crate::cell::OwnedU64).
        // In this order: what a poll touches is near the front.
        #[repr(C)]
        #[derive(Debug, Default)]
        pub(crate) struct Counters<C> {
            $(pub(crate) $name: C,)*
            /// When `busy_duration_total` was last settled, in ticks: what came after is the busy time in progress.
            pub(crate) settled_at: C,
            /// Durations that were not recorded because the clock had stepped back.
            pub(crate) clock_steps: C,
            /// How many polls there were at the last park, and one more; zero before the first park.
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
            /// Takes over every value of `from`.
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
                CounterValues {
                    settled_at: self.settled_at.get(),
                    mean_poll_time: self.mean_poll_time.get(),
                    thread: self.thread.get(),
                    values: [$(self.$name.get(),)*],
                }
            }

            /// Brings a reading up to date, and the sum of which it is a part.
            #[inline(always)]
            pub(crate) fn advance(&self, now: &mut CounterValues, total: &mut CounterValues) {
                now.settled_at = self.settled_at.get();
                now.mean_poll_time = self.mean_poll_time.get();
                now.thread = self.thread.get();
                $({
                    let value = self.$name.get();
                    let now = &mut now.values[Counter::$variant as usize];
                    let total = &mut total.values[Counter::$variant as usize];
                    *total = total.wrapping_add(value.wrapping_sub(*now));
                    *now = value;
                })*
            }

            pub(crate) fn get(&self, counter: Counter) -> u64 {
                match counter {
                    $(Counter::$variant => self.$name.get(),)*
                }
            }
        }
    };
}

with_counters!(define);

/// Fractional bits of the fixed-point mean.
pub(crate) const MEAN_FRACTION: u32 = 8;
/// Weight of a new sample in the mean, alpha = 1/10, with 16 fractional bits (6554 / 65536 = 0.10001).
const MEAN_ALPHA: i64 = 6554;
const MEAN_ALPHA_BITS: u32 = 16;
/// Samples above this (about 73 minutes) count as this in the mean, so that the product below stays in 63 bits.
const MEAN_LIMIT: u64 = 1 << 42;

/// The exponentially weighted mean after one more sample, in fixed point.
///
/// `mean += alpha * (sample - mean)`, the recurrence of S. W. Roberts, "Control chart tests based on geometric moving averages"
/// (Technometrics 1959), seeded with the first sample. A mean of zero is "no sample yet", so it is kept at least one unit.
#[inline(always)]
pub(crate) fn next_mean(mean: u64, sample: u64) -> u64 {
    let sample = sample.min(MEAN_LIMIT) << MEAN_FRACTION;
    if mean == 0 {
        return sample.max(1);
    }
    // Signed, rounded and without a branch: whether a poll took longer than the mean is anybody's guess, the branch predictor's too.
    let difference = sample.wrapping_sub(mean).cast_signed();
    let half = 1 << (MEAN_ALPHA_BITS - 1);
    let step = (difference.wrapping_mul(MEAN_ALPHA).wrapping_add(half)) >> MEAN_ALPHA_BITS;
    mean.wrapping_add_signed(step).max(1)
}

const _: () = assert!(MEAN_LIMIT << MEAN_FRACTION < (i64::MAX / MEAN_ALPHA).cast_unsigned());

/// How many counters there are.
pub(crate) const COUNTERS: usize = Counter::ALL.len();

/// The counters of one worker at one moment, all of one submit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CounterValues {
    pub(crate) settled_at: u64,
    pub(crate) mean_poll_time: u64,
    pub(crate) thread: u64,
    pub(crate) values: [u64; COUNTERS],
}

impl CounterValues {
    pub(crate) fn get(&self, counter: Counter) -> u64 {
        self.values[counter as usize]
    }
}

/// A set of [`Counter`]s: which of them a runtime really counts. The others read `None`. By default none is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CounterSet(u32);

impl CounterSet {
    /// Every counter: a runtime that calls every hook.
    pub const ALL: Self = Self((1 << COUNTERS) - 1);
    /// No counter.
    pub const NONE: Self = Self(0);

    /// The set of these counters.
    pub const fn of(counters: &[Counter]) -> Self {
        let mut bits = 0;
        let mut i = 0;
        while i < counters.len() {
            bits |= 1 << counters[i] as u8;
            i += 1;
        }
        Self(bits)
    }

    /// Whether `counter` is in the set.
    pub const fn contains(self, counter: Counter) -> bool {
        self.0 & (1 << counter as u8) != 0
    }

    /// The counters of both sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The counters that are in both sets.
    pub(crate) const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The set less one counter.
    #[must_use]
    pub const fn without(self, counter: Counter) -> Self {
        Self(self.0 & !(1 << counter as u8))
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
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
    fn no_sample_breaks_the_mean() {
        let mut mean = 0;
        for sample in [u64::MAX, 0, u64::MAX, 1, 0, 0, u64::MAX] {
            mean = next_mean(mean, sample);
            assert_ne!(mean, 0);
            assert!(mean <= MEAN_LIMIT << MEAN_FRACTION);
        }
    }

    #[test]
    fn sets_hold_what_they_were_made_of() {
        let set = CounterSet::of(&[Counter::PollCount, Counter::NestedPolls]);
        for &counter in Counter::ALL {
            assert_eq!(
                set.contains(counter),
                matches!(counter, Counter::PollCount | Counter::NestedPolls)
            );
            assert!(CounterSet::ALL.contains(counter));
            assert!(!CounterSet::NONE.contains(counter));
        }
    }
}
