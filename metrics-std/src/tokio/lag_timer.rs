//! The timer of a lag probe, as a watchdog sees it from another thread.

use core::task::Waker;
use core::time::Duration;
use std::sync::{Arc, OnceLock};
use std::task::Wake;
use std::time::Instant;

use portable_atomic::{AtomicU64, Ordering};

use super::leases::TokioLeases;
use crate::record::target::RecordingTarget;

/// When the timer of a lag probe is due. Tokio's driver fires it, so a timer that is overdue shows that no worker has turned the driver.
pub(super) struct LagTimer(AtomicU64);

/// No probe runs.
const NONE: u64 = u64::MAX;
/// The timer has fired.
const FIRED: u64 = 0;

impl LagTimer {
    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(NONE))
    }

    // Ordering: relaxed throughout: no other data depends on the value.

    /// Notes that a timer fires after `period`.
    pub(super) fn set(&self, period: Duration) {
        let due = nanos().saturating_add(period.as_nanos() as u64);
        self.0.store(due, Ordering::Relaxed);
    }

    pub(super) fn fired(&self) {
        self.0.store(FIRED, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.0.store(NONE, Ordering::Relaxed);
    }

    /// Returns how long ago the timer should have fired. `None` if no probe runs.
    pub(super) fn overdue(&self) -> Option<Duration> {
        match self.0.load(Ordering::Relaxed) {
            NONE => None,
            FIRED => Some(Duration::ZERO),
            due => Some(Duration::from_nanos(nanos().saturating_sub(due))),
        }
    }
}

/// Returns the nanoseconds since the first call, plus one.
fn nanos() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = START.get_or_init(Instant::now);
    u64::try_from(start.elapsed().as_nanos()).map_or(NONE - 1, |nanos| nanos + 1)
}

/// The waker that the driver wakes when the timer fires, before the task of the probe waits for its poll.
struct TimerWaker {
    target: Arc<RecordingTarget>,
    task: Waker,
}

/// Returns a waker that notes that the timer has fired, and wakes the task of the probe.
pub(super) fn timer_waker(target: &Arc<RecordingTarget>, task: &Waker) -> Waker {
    Waker::from(Arc::new(TimerWaker {
        target: Arc::clone(target),
        task: task.clone(),
    }))
}

impl Wake for TimerWaker {
    fn wake(self: Arc<Self>) {
        if let Some(leases) = TokioLeases::of(&self.target) {
            leases.timer().fired();
        }
        self.task.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, Clock};

    fn target() -> Arc<RecordingTarget> {
        let registry = Builder::new().build(Clock::instant()).unwrap();
        let leases = Arc::new(TokioLeases::hooked(&registry, false));
        let mut target = RecordingTarget::new(registry);
        target.runtime = Some(leases);
        Arc::new(target)
    }

    #[test]
    fn a_timer_that_has_fired_is_not_overdue_however_long_its_task_waits() {
        let target = target();
        let timer = TokioLeases::of(&target).unwrap().timer();
        assert_eq!(timer.overdue(), None, "no probe runs");
        timer.set(Duration::ZERO);
        std::thread::sleep(Duration::from_millis(1));
        assert!(timer.overdue() > Some(Duration::ZERO));
        // The driver has been turned. The task is not polled yet.
        timer_waker(&target, Waker::noop()).wake_by_ref();
        assert_eq!(timer.overdue(), Some(Duration::ZERO));
        timer.end();
        assert_eq!(timer.overdue(), None);
    }
}
