//! What can be switched while a runtime runs.

use crate::sync::{AtomicU32, Ordering, const_unless_loom};
use core::num::NonZeroU32;

/// How many polls are measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Sampling {
    /// None: one predictable branch a poll. What was recorded before stays, frozen.
    Off,
    /// Every one.
    #[default]
    Every,
    /// One poll in so many on average, chosen at random, so that periodic work is measured as any other. Each worker has a sequence
    /// of its own, which follows from the registry's epoch and the worker's index. The histogram's coverage says how many polls
    /// that were.
    OneIn(NonZeroU32),
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

/// The switches of one registry. Any thread may flip one at any time.
///
/// A worker takes over a change when it next submits (at a park or unpark, or within the submit interval while it is
/// busy) and never in the middle of a poll: a poll is measured from start to end or not at all.
#[derive(Debug)]
pub struct Switches {
    poll_time: AtomicU32,
    schedule_latency: AtomicU32,
}

/// The switches as a worker saw them last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latched {
    pub(crate) poll_time: u32,
    pub(crate) schedule_latency: u32,
}

impl Latched {
    /// Without a clock.
    pub(crate) const OFF: Self = Self {
        poll_time: 0,
        schedule_latency: 0,
    };

    /// Both switches in one word, to see at once whether any has changed.
    #[inline(always)]
    pub(crate) fn bits(self) -> u64 {
        u64::from(self.poll_time) << 32 | u64::from(self.schedule_latency)
    }
}

impl Switches {
    const_unless_loom! {
        pub(crate) const fn new(poll_time: Sampling, schedule_latency: Sampling) -> Self {
            Self {
                poll_time: AtomicU32::new(poll_time.bits()),
                schedule_latency: AtomicU32::new(schedule_latency.bits()),
            }
        }
    }

    /// Switches the measuring of poll times. On a registry without a poll-time histogram they make up the mean, and
    /// [`Worker::end_poll`](crate::Worker::end_poll) returns them. Nothing happens without a clock.
    pub fn set_poll_time(&self, sampling: Sampling) {
        // Ordering: relaxed, here and below: a switch carries no data with it.
        self.poll_time.store(sampling.bits(), Ordering::Relaxed);
    }

    /// Switches the measuring of schedule latency. On a registry without a schedule-latency histogram
    /// [`Worker::start_poll`](crate::Worker::start_poll) returns it. Nothing happens without a clock.
    pub fn set_schedule_latency(&self, sampling: Sampling) {
        self.schedule_latency.store(sampling.bits(), Ordering::Relaxed);
    }

    /// How many polls have their time measured.
    pub fn poll_time(&self) -> Sampling {
        Sampling::from_bits(self.poll_time.load(Ordering::Relaxed))
    }

    /// How many polls have their schedule latency measured.
    pub fn schedule_latency(&self) -> Sampling {
        Sampling::from_bits(self.schedule_latency.load(Ordering::Relaxed))
    }

    /// Whether wakes are to be stamped.
    #[inline(always)]
    pub(crate) fn measures_schedule_latency(&self) -> bool {
        self.schedule_latency.load(Ordering::Relaxed) != 0
    }

    #[inline(always)]
    pub(crate) fn latch(&self) -> Latched {
        Latched {
            poll_time: self.poll_time.load(Ordering::Relaxed),
            schedule_latency: self.schedule_latency.load(Ordering::Relaxed),
        }
    }
}
