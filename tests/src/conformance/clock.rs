//! A clock that only the scenario advances.

use core::time::Duration;
use std::sync::Arc;

/// Shared by a scenario, its tasks and the runtime.
pub type ManualClock = Arc<metrics_mock::ManualClock>;

/// Creates a clock that reads some time after its start, as a machine's clock does when a program begins.
pub fn manual_clock() -> ManualClock {
    let clock = metrics_mock::ManualClock::new();
    clock.advance(Duration::from_secs(1));
    Arc::new(clock)
}
