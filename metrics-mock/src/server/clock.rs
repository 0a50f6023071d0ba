//! Clocks that are never read.

use core::convert::Infallible;
use core::fmt;
use core::time::Duration;

use metrics_core::{NoClock, TimeSource, Timestamp};

/// The clock of a registry: none. A source that is given is dropped.
#[derive(Clone)]
pub struct Clock(());

impl Clock {
    /// No clock.
    pub fn new() -> Self {
        Self(())
    }

    /// No clock.
    pub fn instant() -> Self {
        Self(())
    }

    /// No clock: the source is dropped.
    pub fn custom(_source: impl TimeSource + Send + Sync + 'static) -> Self {
        Self(())
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl From<TscClock> for Clock {
    fn from(clock: TscClock) -> Self {
        match clock.0 {}
    }
}

impl From<InstantClock> for Clock {
    fn from(_: InstantClock) -> Self {
        Self(())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").finish_non_exhaustive()
    }
}

/// The operating system's monotonic clock: not read.
#[derive(Clone, Copy, Debug)]
pub struct InstantClock(());

impl InstantClock {
    /// No clock.
    pub fn new() -> Self {
        Self(())
    }
}

impl Default for InstantClock {
    fn default() -> Self {
        Self::new()
    }
}

/// The CPU's cycle counter: not looked for.
#[derive(Clone, Debug)]
pub struct TscClock(Infallible);

impl TscClock {
    /// `None`.
    pub fn new() -> Option<Self> {
        None
    }
}

macro_rules! no_clock {
    ($($kind:ty),*) => {
        $(
            /// As [`NoClock`].
            impl TimeSource for $kind {
                fn now(&self) -> Timestamp {
                    NoClock.now()
                }

                fn ticks_per_second(&self) -> u64 {
                    NoClock.ticks_per_second()
                }

                fn resolution(&self) -> Duration {
                    NoClock.resolution()
                }

                fn available(&self) -> bool {
                    NoClock.available()
                }
            }
        )*
    };
}
no_clock!(Clock, InstantClock, TscClock);
