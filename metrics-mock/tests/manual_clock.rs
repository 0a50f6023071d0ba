//! The clock alone.
#![allow(missing_docs)]

use core::time::Duration;
use metrics_core::TimeSource as _;
use metrics_mock::ManualClock;

#[test]
fn it_moves_by_what_it_is_told() {
    let clock = ManualClock::with_rate(32_768);
    clock.advance(Duration::from_secs(2));
    assert_eq!(clock.now().ticks(), 65_536);
    clock.advance_ticks(u64::MAX);
    assert_eq!(clock.now().ticks(), u64::MAX);
    clock.set_ticks(7);
    assert_eq!(clock.now().ticks(), 7);
}

#[test]
fn it_can_say_that_it_is_not_there() {
    assert!(!ManualClock::unavailable().available());
    assert!(!ManualClock::with_rate(0).available());
    assert!(ManualClock::new().available());
}
