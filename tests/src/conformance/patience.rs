//! Waiting for other threads, and not for ever: a runtime that no longer submits what it should fails its scenario instead
//! of hanging it.

use core::time::Duration;
use std::thread;
use std::time::Instant;

/// Far longer than any thread takes to be scheduled.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Looks again and again until it is so.
///
/// # Panics
/// If [`PATIENCE`] is over: a test that waits for `what` has its answer.
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
