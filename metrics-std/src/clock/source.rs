//! The time source of a [`Clock`](super::Clock).

use core::time::Duration;
use std::sync::Arc;

use metrics_core::{TimeSource, Timestamp};

use super::{InstantClock, TscClock};

#[derive(Clone)]
pub(super) enum Source {
    Tsc(TscClock),
    Instant(InstantClock),
    Custom(Arc<dyn TimeSource + Send + Sync>),
}

impl Source {
    pub(super) fn best() -> Self {
        TscClock::new().map_or_else(|| Self::Instant(InstantClock::new()), Self::Tsc)
    }

    #[cfg(feature = "tokio")]
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tsc(_), Self::Tsc(_)) | (Self::Instant(_), Self::Instant(_)) => true,
            (Self::Custom(clock), Self::Custom(other)) => Arc::ptr_eq(clock, other),
            _ => false,
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Tsc(_) => "tsc",
            Self::Instant(_) => "instant",
            Self::Custom(_) => "custom",
        }
    }
}

impl TimeSource for Source {
    #[inline]
    fn now(&self) -> Timestamp {
        match self {
            Self::Tsc(clock) => clock.now(),
            Self::Instant(clock) => clock.now(),
            Self::Custom(clock) => clock.now(),
        }
    }

    fn ticks_per_second(&self) -> u64 {
        match self {
            Self::Tsc(clock) => clock.ticks_per_second(),
            Self::Instant(clock) => clock.ticks_per_second(),
            Self::Custom(clock) => clock.ticks_per_second(),
        }
    }

    fn resolution(&self) -> Duration {
        match self {
            Self::Tsc(clock) => clock.resolution(),
            Self::Instant(clock) => clock.resolution(),
            Self::Custom(clock) => clock.resolution(),
        }
    }

    fn available(&self) -> bool {
        match self {
            Self::Tsc(clock) => clock.available(),
            Self::Instant(clock) => clock.available(),
            Self::Custom(clock) => clock.available(),
        }
    }
}
