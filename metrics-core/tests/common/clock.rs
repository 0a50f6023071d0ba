//! The clock of this crate's tests.
// Not every test that includes this file uses all of it.
#![allow(dead_code)]

use core::fmt;
use core::time::Duration;
use metrics_core::{TimeSource, Timestamp};
use portable_atomic::{AtomicU64, Ordering};
use std::sync::Mutex;

type Interrupt = Box<dyn FnOnce() + Send>;

/// A clock that only the test moves. It counts its reads, and one read can be interrupted.
// `metrics_mock::ManualClock` depends on the crate under test.
pub(crate) struct TestClock {
    // Ordering: relaxed throughout: one thread drives the clock.
    ticks: AtomicU64,
    ticks_per_second: u64,
    readings: AtomicU64,
    /// The number of the read that is interrupted.
    interrupted: AtomicU64,
    interrupt: Mutex<Option<Interrupt>>,
}

impl TestClock {
    /// Creates a clock of nanoseconds.
    pub(crate) const fn new() -> Self {
        Self::with_rate(1_000_000_000)
    }

    pub(crate) const fn with_rate(ticks_per_second: u64) -> Self {
        Self {
            ticks: AtomicU64::new(0),
            ticks_per_second,
            readings: AtomicU64::new(0),
            interrupted: AtomicU64::new(u64::MAX),
            interrupt: Mutex::new(None),
        }
    }

    pub(crate) fn advance(&self, ticks: u64) {
        self.ticks.fetch_add(ticks, Ordering::Relaxed);
    }

    /// Sets the clock back, which a real clock must never do.
    pub(crate) fn step_back(&self, ticks: u64) {
        self.ticks.fetch_sub(ticks, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, ticks: u64) {
        self.ticks.store(ticks, Ordering::Relaxed);
    }

    /// Returns the ticks without a read.
    pub(crate) fn ticks(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }

    /// Returns the number of reads.
    pub(crate) fn readings(&self) -> u64 {
        self.readings.load(Ordering::Relaxed)
    }

    /// Calls `interrupt` during a read; 0 is the next one.
    pub(crate) fn interrupt_at(&self, reading: u64, interrupt: impl FnOnce() + Send + 'static) {
        *self.interrupt.lock().expect("no interrupt panics") = Some(Box::new(interrupt));
        self.interrupted
            .store(self.readings() + reading, Ordering::Relaxed);
    }
}

impl Default for TestClock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TestClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TestClock").field(&self.ticks()).finish()
    }
}

impl TimeSource for TestClock {
    fn now(&self) -> Timestamp {
        let number = self.readings.fetch_add(1, Ordering::Relaxed);
        let now = self.ticks();
        if number == self.interrupted.load(Ordering::Relaxed) {
            let interrupt = self.interrupt.lock().expect("no interrupt panics").take();
            if let Some(interrupt) = interrupt {
                interrupt();
            }
        }
        Timestamp::from_ticks(now)
    }

    fn ticks_per_second(&self) -> u64 {
        self.ticks_per_second
    }

    /// One tick.
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1_000_000_000 / self.ticks_per_second)
    }
}
