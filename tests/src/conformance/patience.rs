//! Waits for other threads with a timeout: a runtime that no longer submits fails its scenario instead of hanging.

use core::time::Duration;
use std::thread;
use std::time::Instant;

/// Far longer than any thread takes to be scheduled.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Checks a condition repeatedly until it holds.
///
/// # Panics
/// Panics with `what` if the condition does not hold within [`PATIENCE`].
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(
            start.elapsed() < PATIENCE,
            "waited {} s in vain until {what}",
            PATIENCE.as_secs()
        );
        thread::yield_now();
    }
}
