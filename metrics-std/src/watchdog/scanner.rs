//! [`StallScanner`] finds stalls in the live records of a runtime's threads.

use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use metrics_core::{
    LiveThread, LocationId, Probe, RegistryRef, RuntimeMetrics, TimeScale, TimeSource, Timestamp, Transition,
    WorkerState,
};

use super::{Stall, StallKind, StallPhase};
use crate::InstantClock;

/// The clocks of two cores may differ by a few microseconds. A poll whose start is further than this in the future began before the clock
/// stepped back.
const CLOCK_SKEW: Duration = Duration::from_millis(1);

/// Scans a runtime's workers for stalls when [`scan`](Self::scan) is called.
///
/// [`watch_stalls`](super::watch_stalls) calls it on a thread of its own. Use it directly in tests, or to scan on your own thread.
pub struct StallScanner<R: RegistryRef, P> {
    metrics: RuntimeMetrics<R, P>,
    runtime: Arc<str>,
    threshold: Duration,
    /// Used if the registry has no clock.
    own_clock: Option<InstantClock>,
    scale: TimeScale,
    last_scan: Option<Timestamp>,
    /// The activity of each slot at the last scan.
    slots: BTreeMap<usize, Watched>,
    /// The slots whose last transition has no known time, each with the scan that first saw that transition.
    undated: BTreeMap<usize, Undated>,
    /// Kept to reuse its allocation.
    threads: Vec<LiveThread>,
    counts: Option<Counts<R>>,
}

#[derive(Clone, Copy, Debug)]
struct Undated {
    transition: Transition,
    first_seen: Timestamp,
    clock_stepped: bool,
}

#[derive(Clone, Copy, Debug)]
struct Watched {
    activity: Activity,
    since: Timestamp,
    /// The duration before the clock stepped back; `since` is then the time of the scan that detected the step.
    before_step: Duration,
    clock_stepped: bool,
    /// The spawn location of the polled task, if known so far.
    spawn_location: LocationId,
    worker: Option<usize>,
    thread: u64,
    reported: bool,
}

/// The activity of a slot. It is a stall if it stays equal for the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Activity {
    Poll {
        transition: Transition,
    },
    /// Between two measured polls, with the progress that the runtime reports.
    Between {
        transition: Transition,
        progress: u64,
    },
}

impl<R: RegistryRef, P: Probe + Clone> StallScanner<R, P> {
    /// Creates a scanner for polls of at least `threshold`.
    pub fn new(metrics: &RuntimeMetrics<R, P>, threshold: Duration) -> Self {
        let registry = metrics.registry();
        let own_clock = (!registry.is_timed()).then(InstantClock::new);
        let scale = match &own_clock {
            Some(clock) => TimeScale::new(clock.ticks_per_second()),
            None => *registry.scale(),
        };
        let probe = metrics.probe();
        let reports_progress =
            |worker| matches!(probe.worker_state(worker), Some(state) if state.progress.is_some());
        let kinds = if (0..metrics.num_workers().unwrap_or(0)).any(reports_progress) {
            &[StallKind::Poll, StallKind::NoProgress][..]
        } else {
            &[StallKind::Poll]
        };
        let counts = Counts::begin(registry, kinds);
        Self {
            metrics: metrics.clone(),
            runtime: Arc::from(metrics.name()),
            threshold,
            own_clock,
            scale,
            last_scan: None,
            slots: BTreeMap::new(),
            undated: BTreeMap::new(),
            threads: Vec::new(),
            counts,
        }
    }
}

impl<R: RegistryRef, P: Probe> StallScanner<R, P> {
    /// Checks every worker once. Calls `report` for each stall when it is first seen past the threshold, and again when it is over.
    pub fn scan(&mut self, mut report: impl FnMut(&Stall)) {
        let mut threads = core::mem::take(&mut self.threads);
        threads.clear();
        threads.extend(self.metrics.live_threads());
        let now = match &self.own_clock {
            Some(clock) => clock.now(),
            None => self.metrics.registry().clock().now(),
        };
        if let Some(last) = self.last_scan.replace(now).filter(|&last| last > now) {
            self.rebase(last, now);
        }
        let mut before = core::mem::take(&mut self.slots);
        self.date(&mut threads, now);
        for thread in threads.iter().filter(|thread| holds_its_worker(thread, &threads)) {
            let before = before.remove(&thread.slot);
            let Some((activity, since)) = self.activity(thread, now) else {
                self.close(before, now, &mut report);
                continue;
            };
            let mut watched = match before {
                Some(before) if before.activity == activity => before,
                _ => {
                    self.close(before, now, &mut report);
                    Watched {
                        activity,
                        since,
                        before_step: Duration::ZERO,
                        clock_stepped: self
                            .undated
                            .get(&thread.slot)
                            .is_some_and(|undated| undated.clock_stepped),
                        spawn_location: thread.live.spawn_location,
                        worker: thread.worker,
                        thread: thread.thread,
                        reported: false,
                    }
                }
            };
            // The spawn location may become known only some time after the poll began.
            watched.spawn_location = thread.live.spawn_location;
            if !watched.reported && self.lasted(&watched, now) >= self.threshold {
                watched.reported = true;
                let stall = self.stall(&watched, now, StallPhase::Ongoing);
                if let Some(Counts(registry)) = &self.counts {
                    registry.shared().stalled(stall.kind);
                }
                report(&stall);
            }
            self.slots.insert(thread.slot, watched);
        }
        // These threads have given back their slot or handed over their worker.
        for (_, gone) in before {
            self.close(Some(gone), now, &mut report);
        }
        self.threads = threads;
    }

    /// Adjusts to a clock that stepped back to `now`: keeps the durations up to the last scan and continues from `now`.
    fn rebase(&mut self, last: Timestamp, now: Timestamp) {
        for watched in self.slots.values_mut() {
            let passed = Duration::from_nanos(self.scale.nanos(last, watched.since));
            watched.before_step = watched.before_step.saturating_add(passed);
            watched.since = now;
            watched.clock_stepped = true;
        }
        for undated in self.undated.values_mut() {
            undated.first_seen = now;
        }
    }

    /// Sets `since` of transitions whose time is not known to the first scan that saw them. This also orders them against the
    /// transitions of other threads of the same worker.
    fn date(&mut self, threads: &mut [LiveThread], now: Timestamp) {
        let mut before = core::mem::take(&mut self.undated);
        let latest = now.ticks().saturating_add(self.scale.ticks_of(CLOCK_SKEW));
        for LiveThread { slot, live, .. } in threads {
            let clock_stepped = live.since.is_some_and(|since| since.ticks() > latest);
            if live.since.is_some() && !clock_stepped {
                continue;
            }
            let seen = before
                .remove(slot)
                .filter(|seen| seen.transition == live.transition);
            let undated = seen.unwrap_or(Undated {
                transition: live.transition,
                first_seen: now,
                clock_stepped,
            });
            live.since = Some(undated.first_seen);
            self.undated.insert(*slot, undated);
        }
    }

    /// Returns the activity of a thread that could be a stall, and its start.
    fn activity(&self, thread: &LiveThread, now: Timestamp) -> Option<(Activity, Timestamp)> {
        let live = &thread.live;
        let transition = live.transition;
        match live.state {
            WorkerState::Polling => Some((Activity::Poll { transition }, live.since.unwrap_or(now))),
            // A worker has this state only if its parks are known.
            WorkerState::Running => {
                let progress = self.progress(thread.worker?)?;
                Some((Activity::Between { transition, progress }, now))
            }
            _ => None,
        }
    }

    /// Returns the progress that the runtime reports. Returns `None` if it reports none or the worker may be parked.
    fn progress(&self, worker: usize) -> Option<u64> {
        let state = self.metrics.probe().worker_state(worker)?;
        state.progress.filter(|_| state.parked == Some(false))
    }

    fn close(&self, before: Option<Watched>, now: Timestamp, report: &mut impl FnMut(&Stall)) {
        if let Some(watched) = before.filter(|watched| watched.reported) {
            report(&self.stall(&watched, now, StallPhase::Over));
        }
    }

    fn lasted(&self, watched: &Watched, now: Timestamp) -> Duration {
        watched
            .before_step
            .saturating_add(Duration::from_nanos(self.scale.nanos(now, watched.since)))
    }

    fn stall(&self, watched: &Watched, now: Timestamp, phase: StallPhase) -> Stall {
        let lasted = self.lasted(watched, now);
        let probe = self.metrics.probe();
        let (kind, spawn_location) = match watched.activity {
            Activity::Poll { .. } => (
                StallKind::Poll,
                text(|out| probe.write_location(watched.spawn_location, out)),
            ),
            Activity::Between { .. } => (StallKind::NoProgress, None),
        };
        let system_now = SystemTime::now();
        Stall {
            phase,
            kind,
            runtime: Arc::clone(&self.runtime),
            worker: watched.worker,
            thread: text(|out| probe.write_thread(watched.thread, out)),
            spawn_location,
            began: system_now.checked_sub(lasted).unwrap_or(system_now),
            lasted,
            clock_stepped: watched.clock_stepped,
        }
    }
}

/// Permission to count the stalls of a registry, until it is dropped. Only one scanner has it at a time.
// `Drop` needs the bound, and may have none that the type lacks.
struct Counts<R: RegistryRef>(R);

impl<R: RegistryRef> Counts<R> {
    fn begin(registry: &R, kinds: &[StallKind]) -> Option<Self> {
        registry
            .shared()
            .begin_stall_watch(kinds)
            .then(|| Self(registry.clone()))
    }
}

impl<R: RegistryRef> Drop for Counts<R> {
    fn drop(&mut self) {
        self.0.shared().end_stall_watch();
    }
}

impl<R: RegistryRef, P> fmt::Debug for StallScanner<R, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StallScanner")
            .field("runtime", &self.runtime)
            .field("threshold", &self.threshold)
            .finish_non_exhaustive()
    }
}

/// Returns the text that `write` writes, or `None` if it writes nothing.
fn text(write: impl FnOnce(&mut String) -> fmt::Result) -> Option<Arc<str>> {
    let mut text = String::new();
    write(&mut text).ok()?;
    (!text.is_empty()).then(|| Arc::from(text))
}

/// Returns whether no other thread has taken over this thread's worker. A thread that handed its worker over during a poll
/// (`block_in_place`) does not block it, so its poll is not a stall.
fn holds_its_worker(thread: &LiveThread, all: &[LiveThread]) -> bool {
    thread.worker.is_none()
        || !all
            .iter()
            .any(|other| other.worker == thread.worker && !thread.live.supersedes(&other.live))
}
