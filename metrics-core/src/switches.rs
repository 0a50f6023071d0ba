//! Settings that can change while a runtime runs.

use crate::sync::{AtomicU32, Ordering, RECORDING, const_unless_loom};
use core::num::NonZeroU32;

/// The share of polls that are measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
// No tag is zero: see `Rule` in `histogram/config.rs`.
#[repr(u32)]
pub enum Sampling {
    /// No polls. This costs one predictable branch per poll. Earlier samples remain.
    Off = 1,
    /// Every poll.
    #[default]
    Every = 2,
    /// One poll in this many on average, chosen at random, so that periodic work is measured like any other. Each
    /// worker has its own random sequence, seeded from the registry's epoch and the worker's index. Compare the
    /// histogram's sample count with its poll count for the actual share.
    OneIn(NonZeroU32) = 3,
}

impl Sampling {
    const fn bits(self) -> u32 {
        match self {
            Self::Off => 0,
            Self::Every => 1,
            Self::OneIn(n) => n.get(),
        }
    }

    const fn from_bits(bits: u32) -> Self {
        match NonZeroU32::new(bits) {
            None => Self::Off,
            Some(NonZeroU32::MIN) => Self::Every,
            Some(n) => Self::OneIn(n),
        }
    }
}

/// Turns the measurement of poll times and schedule latency on and off while the runtime runs. Any thread may change a
/// switch at any time.
///
/// A worker latches a change at its next submit (when it parks or unparks, or within the submit interval while it is
/// busy) and never in the middle of a poll: a poll is measured from start to end or not at all.
///
/// ```
/// # #[cfg(all(feature = "alloc", feature = "record"))] {
/// use metrics_core::{Builder, NoClock, Sampling};
///
/// let registry = Builder::new().build(NoClock).expect("the configuration is valid");
/// assert_eq!(registry.switches().poll_time(), Sampling::Off);
/// registry.switches().set_poll_time(Sampling::Every);
/// assert_eq!(registry.switches().poll_time(), Sampling::Every);
/// # }
/// ```
#[derive(Debug)]
pub struct Switches {
    poll_time: Switch,
    schedule_latency: Switch,
}

/// The bits of a sampling, stored so that [`Sampling::Every`], which is the default, is zero.
#[derive(Debug)]
struct Switch(AtomicU32);

impl Switch {
    const EVERY: u32 = Sampling::Every.bits();

    const_unless_loom! {
        const fn new(sampling: Sampling) -> Self {
            Self(AtomicU32::new(sampling.bits() ^ Self::EVERY))
        }
    }

    #[inline(always)]
    fn bits(&self) -> u32 {
        // Ordering: relaxed, here and below. A switch publishes no other data.
        self.0.load(Ordering::Relaxed) ^ if RECORDING { Self::EVERY } else { 0 }
    }

    fn set(&self, sampling: Sampling) {
        self.0.store(sampling.bits() ^ Self::EVERY, Ordering::Relaxed);
    }
}

/// The switches that a worker latched last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latched {
    pub(crate) poll_time: u32,
    pub(crate) schedule_latency: u32,
}

impl Latched {
    /// The value without a clock.
    pub(crate) const OFF: Self = Self {
        poll_time: 0,
        schedule_latency: 0,
    };

    /// Both switches in one word, so that one comparison detects a change of either.
    #[inline(always)]
    pub(crate) fn bits(self) -> u64 {
        u64::from(self.poll_time) << 32 | u64::from(self.schedule_latency)
    }
}

impl Switches {
    const_unless_loom! {
        pub(crate) const fn new(poll_time: Sampling, schedule_latency: Sampling) -> Self {
            Self {
                poll_time: Switch::new(poll_time),
                schedule_latency: Switch::new(schedule_latency),
            }
        }
    }

    /// Sets the sampling of poll times. On a registry without a poll-time histogram, measured polls still contribute
    /// to the mean, and [`Worker::end_poll`](crate::Worker::end_poll) returns their duration. This has no effect
    /// without a clock.
    pub fn set_poll_time(&self, sampling: Sampling) {
        self.poll_time.set(sampling);
    }

    /// Sets the sampling of schedule latency. On a registry without a schedule-latency histogram,
    /// [`Worker::start_poll`](crate::Worker::start_poll) still returns it. This has no effect without a clock.
    pub fn set_schedule_latency(&self, sampling: Sampling) {
        self.schedule_latency.set(sampling);
    }

    /// Returns the sampling of poll times.
    pub fn poll_time(&self) -> Sampling {
        Sampling::from_bits(self.poll_time.bits())
    }

    /// Returns the sampling of schedule latency.
    pub fn schedule_latency(&self) -> Sampling {
        Sampling::from_bits(self.schedule_latency.bits())
    }

    /// Returns `true` if wakes set their stamps.
    #[inline(always)]
    pub(crate) fn measures_schedule_latency(&self) -> bool {
        self.schedule_latency.bits() != 0
    }

    #[inline(always)]
    pub(crate) fn latch(&self) -> Latched {
        Latched {
            poll_time: self.poll_time.bits(),
            schedule_latency: self.schedule_latency.bits(),
        }
    }
}
