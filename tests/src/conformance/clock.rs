//! The clock that only moves when a scenario says so.

use core::time::Duration;
use std::sync::Arc;

/// Shared by a scenario, its tasks and the runtime.
pub type ManualClock = Arc<metrics_mock::ManualClock>;

/// A clock that stands still some time past its start, as a machine's does when a program begins.
pub fn manual_clock() -> ManualClock {
    let clock = metrics_mock::ManualClock::new();
    clock.advance(Duration::from_secs(1));
    Arc::new(clock)
}
