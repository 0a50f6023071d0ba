//! The clock that only moves when a scenario says so.

use core::time::Duration;
use std::sync::Arc;

use crate::HandClock;

/// Shared by a scenario, its tasks and the runtime.
pub type ManualClock = Arc<HandClock>;

/// A clock that stands still some time past its start, as a machine's does when a program begins.
pub fn manual_clock() -> ManualClock {
    let clock = HandClock::new();
    clock.advance(Duration::from_secs(1));
    Arc::new(clock)
}
