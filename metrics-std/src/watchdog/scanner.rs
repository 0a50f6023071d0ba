//! Finding stalls in the live records of a runtime's threads.

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

/// Two cores may disagree about the time by a few microseconds. A poll that begins further in the future than this began before the
/// clock stepped back.
const CLOCK_SKEW: Duration = Duration::from_millis(1);

/// Scans a runtime's workers for stalls, each time [`scan`](Self::scan) is called.
///
/// [`watch_stalls`](super::watch_stalls) calls it from a thread; a test calls it directly.
pub struct StallScanner<R: RegistryRef, P> {
    metrics: RuntimeMetrics<R, P>,
    runtime: Arc<str>,
    threshold: Duration,
    /// In place of the registry's clock where that does not work.
    own_clock: Option<InstantClock>,
    scale: TimeScale,
    last_scan: Option<Timestamp>,
    /// What each slot was last seen doing.
    slots: BTreeMap<usize, Watched>,
    /// The poll that each slot was last seen in or after, where its start is not known, and when it was first seen so.
    undated: BTreeMap<usize, Undated>,
    /// Kept for its memory.
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
    /// What had passed when the clock stepped back; `since` then is the scan that noticed it.
    before_step: Duration,
    clock_stepped: bool,
    /// Where the task of the poll was spawned, as far as that is known yet.
    spawn_location: LocationId,
    worker: Option<usize>,
    thread: u64,
    reported: bool,
}

/// What must stay the same for a stall to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Activity {
    Poll {
        transition: Transition,
    },
    /// Between two polls that are seen, with the runtime's own signs of progress.
    Between {
        transition: Transition,
        progress: u64,
    },
}

impl<R: RegistryRef, P: Probe + Clone> StallScanner<R, P> {
    /// A scanner for polls of at least `threshold`.
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
        let kinds = if (0..metrics.num_workers()).any(reports_progress) {
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
    /// Looks at every worker once. Reports each stall when it is first seen past the threshold, and once more when it is over.
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
        // Threads that gave back their slot, or gave away their worker.
        for (_, gone) in before {
            self.close(Some(gone), now, &mut report);
        }
        self.threads = threads;
    }

    /// The clock stepped back from `last` or later to `now`. Keeps what had passed by the last scan, and goes on from `now`.
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

    /// A poll whose start is not known counts from the first scan that saw it, and falls accordingly before or after
    /// what another thread of the same worker does. So does what follows it.
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

    /// What a thread is doing that could be a stall, and since when.
    fn activity(&self, thread: &LiveThread, now: Timestamp) -> Option<(Activity, Timestamp)> {
        let live = &thread.live;
        let transition = live.transition;
        match live.state {
            WorkerState::Polling => Some((Activity::Poll { transition }, live.since.unwrap_or(now))),
            // Only a worker whose parks are known is ever seen running.
            WorkerState::Running => {
                let progress = self.progress(thread.worker?)?;
                Some((Activity::Between { transition, progress }, now))
            }
            _ => None,
        }
    }

    /// The runtime's own sign of progress. `None` if there is none, or if the worker may be parked.
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

/// The right to count the stalls of a registry, until it is dropped. One scanner has it at a time.
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

/// What `write` writes; `None` if that is nothing.
fn text(write: impl FnOnce(&mut String) -> fmt::Result) -> Option<Arc<str>> {
    let mut text = String::new();
    write(&mut text).ok()?;
    (!text.is_empty()).then(|| Arc::from(text))
}

/// Whether no other thread has taken over this one's worker since. A thread that gave its worker away in the middle of a poll
/// (`block_in_place`) may go on as long as it likes.
fn holds_its_worker(thread: &LiveThread, all: &[LiveThread]) -> bool {
    thread.worker.is_none()
        || !all
            .iter()
            .any(|other| other.worker == thread.worker && !thread.live.supersedes(&other.live))
}
