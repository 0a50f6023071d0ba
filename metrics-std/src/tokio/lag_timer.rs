//! The timer of a lag probe, as a watchdog sees it from another thread.

use core::task::Waker;
use core::time::Duration;
use std::sync::{Arc, OnceLock};
use std::task::Wake;
use std::time::Instant;

use portable_atomic::{AtomicU64, Ordering};

use super::leases::TokioLeases;
use crate::record::target::RecordingTarget;

/// When the timer of a loop lag probe is due. Tokio's driver fires it, so a timer that is overdue shows that no worker has turned the driver.
///
/// If a runtime has several probes, one has the claim, and the timers of the others are not seen.
pub(super) struct LagTimer(AtomicU64);

/// No probe has the claim.
const NONE: u64 = u64::MAX;
/// The timer has fired.
const FIRED: u64 = 0;

impl LagTimer {
    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(NONE))
    }

    // Ordering: relaxed throughout: no other data depends on the value.

    /// Notes that the timer has fired, unless its probe has ended meanwhile.
    fn fired(&self) {
        let fired = |due| (due != NONE).then_some(FIRED);
        // The only failure is that no probe has the claim.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fired);
    }

    /// Returns how long ago the timer should have fired. `None` if no probe has the claim.
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

/// The right to set the timer of a runtime, until it is dropped.
pub(super) struct TimerClaim(Arc<RecordingTarget>);

impl TimerClaim {
    /// Returns `None` if another probe has the claim, or the target is no Tokio runtime.
    pub(super) fn new(target: &Arc<RecordingTarget>) -> Option<Self> {
        let timer = &TokioLeases::of(target)?.timer().0;
        timer
            .compare_exchange(NONE, FIRED, Ordering::Relaxed, Ordering::Relaxed)
            .ok()?;
        Some(Self(Arc::clone(target)))
    }

    /// Notes that a timer fires after `period`.
    pub(super) fn set(&self, period: Duration) {
        self.store(nanos().saturating_add(period.as_nanos() as u64));
    }

    /// Returns a waker that notes that the timer has fired, and wakes the task of the probe.
    pub(super) fn waker(&self, task: &Waker) -> Waker {
        Waker::from(Arc::new(TimerWaker {
            target: Arc::clone(&self.0),
            task: task.clone(),
        }))
    }

    fn store(&self, due: u64) {
        if let Some(leases) = TokioLeases::of(&self.0) {
            leases.timer().0.store(due, Ordering::Relaxed);
        }
    }
}

impl Drop for TimerClaim {
    fn drop(&mut self) {
        self.store(NONE);
    }
}

/// The waker that the driver wakes when the timer fires, before the task of the probe waits for its poll.
struct TimerWaker {
    target: Arc<RecordingTarget>,
    task: Waker,
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
        let claim = TimerClaim::new(&target).unwrap();
        claim.set(Duration::ZERO);
        std::thread::sleep(Duration::from_millis(1));
        assert!(timer.overdue() > Some(Duration::ZERO));
        // The driver has been turned. The task is not polled yet.
        claim.waker(Waker::noop()).wake_by_ref();
        assert_eq!(timer.overdue(), Some(Duration::ZERO));
        drop(claim);
        assert_eq!(timer.overdue(), None);
    }

    #[test]
    fn a_timer_that_fires_after_its_probe_has_ended_is_not_seen() {
        let target = target();
        let timer = TokioLeases::of(&target).unwrap().timer();
        let claim = TimerClaim::new(&target).unwrap();
        claim.set(Duration::ZERO);
        let waker = claim.waker(Waker::noop());
        drop(claim);
        waker.wake();
        assert_eq!(timer.overdue(), None);
    }

    #[test]
    fn one_probe_at_a_time_sets_the_timer() {
        let target = target();
        let claim = TimerClaim::new(&target).unwrap();
        assert!(TimerClaim::new(&target).is_none());
        drop(claim);
        assert!(TimerClaim::new(&target).is_some());
    }
}
