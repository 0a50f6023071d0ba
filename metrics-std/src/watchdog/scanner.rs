//! [`StallScanner`] finds stalls in the live records of a runtime's threads.

use core::fmt;
use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use metrics_core::{
    FlightRecording, GroupId, HeapStorage, LiveThread, LocationId, Probe, RegistryRef, RuntimeMetrics,
    TimeScale, TimeSource, Timestamp, Transition, WorkerState,
};

use portable_atomic::{AtomicBool, Ordering};

use super::longest_location::LongestLocation;
use super::turns::PollsWithoutTurn;
use super::{Stall, StallKind, StallPhase, StallVictim, victims};
use crate::{InstantClock, location};

/// The clocks of two cores may differ by a few microseconds. A poll whose start is further than this in the future began before the clock
/// stepped back.
const CLOCK_SKEW: Duration = Duration::from_millis(1);

/// Scans a runtime's workers for stalls when [`scan`](Self::scan) is called.
///
/// [`watch_stalls`](super::watch_stalls) calls it on a thread of its own. Use it directly in tests, or to scan on your own thread.
pub struct StallScanner<R: RegistryRef<Storage = HeapStorage>, P> {
    metrics: RuntimeMetrics<R, P>,
    runtime: Arc<str>,
    threshold: Duration,
    /// Used if the registry has no clock.
    own_clock: Option<InstantClock>,
    scale: TimeScale,
    last_scan: Option<Timestamp>,
    /// The possible stalls at the last scan.
    watched: BTreeMap<Subject, Watched>,
    /// The slots whose last transition has no known time, each with the scan that first saw that transition.
    undated: BTreeMap<usize, Undated>,
    /// The probe has panicked and is not called again.
    probe_failed: AtomicBool,
    /// Kept to reuse its allocation.
    threads: Vec<LiveThread>,
    counts: Option<Counts<R>>,
    /// The events at the first stall that this scan finds over. Many stalls may end at once.
    recording: OnceLock<Option<FlightRecording>>,
    /// Whether the runtime reports the progress of its workers.
    watches_progress: bool,
    /// Whether the runtime reports timers that are overdue.
    watches_turns: bool,
    polls_without_turn: PollsWithoutTurn,
}

/// The slot of a thread that is in a measured poll, a worker whose thread is in none, or all workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Slot(usize),
    Worker(usize),
    AllWorkers,
}

#[derive(Clone, Copy, Debug)]
struct Undated {
    transition: Transition,
    first_seen: Timestamp,
    clock_stepped: bool,
}

#[derive(Clone, Copy, Debug)]
struct Watched {
    /// The activity. If it does not change for the threshold, it is a stall.
    activity: Activity,
    since: Timestamp,
    /// The duration before the clock stepped back; `since` is then the time of the scan that detected the step.
    before_step: Duration,
    clock_stepped: bool,
    location: LongestLocation,
    worker: Option<usize>,
    thread: u64,
    reported: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Activity {
    /// A measured poll. The worker's progress, if the runtime reports it, changes during a poll only if the thread has handed the worker
    /// over (`block_in_place`), and then the poll does not block it.
    Poll {
        transition: Transition,
        progress: Option<u64>,
    },
    /// Between two measured polls.
    Between {
        /// The transition of the thread that runs the worker, if it has a slot.
        transition: Option<Transition>,
        progress: u64,
    },
    /// Polls while a timer is overdue.
    WithoutTurn,
}

impl<R: RegistryRef<Storage = HeapStorage>, P: Probe + Clone> StallScanner<R, P> {
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
        let watches_progress = (0..metrics.num_workers().unwrap_or(0)).any(reports_progress);
        let kinds = if watches_progress {
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
            watched: BTreeMap::new(),
            undated: BTreeMap::new(),
            probe_failed: AtomicBool::new(false),
            threads: Vec::new(),
            counts,
            recording: OnceLock::new(),
            watches_progress,
            watches_turns: false,
            polls_without_turn: PollsWithoutTurn::default(),
        }
    }
}

impl<R: RegistryRef<Storage = HeapStorage>, P: Probe> StallScanner<R, P> {
    /// Checks every worker once. Calls `report` for each stall when it is first seen past the threshold, and again when it is over.
    pub fn scan(&mut self, mut report: impl FnMut(&Stall)) {
        // Drops the recording that remains if `report` panicked in an earlier scan.
        self.recording.take();
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
        let mut before = core::mem::take(&mut self.watched);
        self.date(&mut threads, now);
        for thread in threads
            .iter()
            .filter(|thread| polls_for_its_worker(thread, &threads))
        {
            if let Some(seen) = self.poll_of(thread, now) {
                self.watch(&mut before, Subject::Slot(thread.slot), seen, now, &mut report);
            }
        }
        for worker in 0..self.num_watched_workers() {
            if let Some(seen) = self.between_polls(worker, &threads, now) {
                self.watch(&mut before, Subject::Worker(worker), seen, now, &mut report);
            }
        }
        let before_all = before.get(&Subject::AllWorkers);
        let is_reported = before_all.is_some_and(|watched| watched.reported);
        if let Some(seen) = self.without_turn(&threads, now, is_reported) {
            self.watch(&mut before, Subject::AllWorkers, seen, now, &mut report);
        }
        // These polls have ended, or their threads have handed over their workers, and these workers are parked.
        for (_, gone) in before {
            self.close(Some(gone), now, &mut report);
        }
        self.threads = threads;
        self.recording.take();
    }

    /// Compares the state with that of the last scan, and reports a stall that has passed the threshold.
    fn watch(
        &mut self,
        before: &mut BTreeMap<Subject, Watched>,
        subject: Subject,
        seen: Watched,
        now: Timestamp,
        report: &mut impl FnMut(&Stall),
    ) {
        let mut watched = match before.remove(&subject) {
            Some(before) if before.activity.has_handed_over(seen.activity) => {
                self.close(Some(before), now, report);
                // Kept with the progress from before the hand-over, so that the next scan sees it too.
                let activity = before.activity;
                self.watched.insert(subject, Watched { activity, ..seen });
                return;
            }
            Some(before) if before.activity.goes_on(seen.activity) => before,
            before => {
                self.close(before, now, report);
                seen
            }
        };
        watched.location.see(seen.location.get(), now, &self.scale);
        // More workers may run polls while the driver is not turned.
        (watched.worker, watched.thread) = (seen.worker, seen.thread);
        if !watched.reported && self.lasted(&watched, now) >= self.threshold {
            watched.reported = true;
            let stall = self.stall(&watched, now, StallPhase::Ongoing);
            if let Some(Counts(registry)) = &self.counts {
                registry.shared().stalled(stall.kind);
                if stall.kind == StallKind::Poll && !stall.is_root {
                    let (shared, location) = (registry.shared(), watched.location.get());
                    if stall.is_group {
                        shared.group_stalled(GroupId::from_location(location));
                    } else {
                        shared.location_stalled(location);
                    }
                }
            }
            report(&stall);
        }
        self.watched.insert(subject, watched);
    }

    /// Adjusts to a clock that stepped back to `now`: keeps the durations up to the last scan and continues from `now`.
    fn rebase(&mut self, last: Timestamp, now: Timestamp) {
        for watched in self.watched.values_mut() {
            let passed = Duration::from_nanos(self.scale.nanos(last, watched.since));
            watched.before_step = watched.before_step.saturating_add(passed);
            watched.since = now;
            watched.location.rebase(now);
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

    /// Returns the poll that a thread is in. Returns `None` if its worker is parked, so that another thread runs it.
    fn poll_of(&self, thread: &LiveThread, now: Timestamp) -> Option<Watched> {
        let state = thread
            .worker
            .and_then(|worker| self.call_probe(|probe| probe.worker_state(worker)));
        if state.is_some_and(|state| state.parked == Some(true)) {
            return None;
        }
        let undated = self.undated.get(&thread.slot);
        let since = thread.live.since.unwrap_or(now);
        Some(Watched {
            activity: Activity::Poll {
                transition: thread.live.transition,
                progress: state.and_then(|state| state.progress),
            },
            since,
            before_step: Duration::ZERO,
            clock_stepped: undated.is_some_and(|undated| undated.clock_stepped),
            location: LongestLocation::new(thread.live.spawn_location, since),
            worker: thread.worker,
            thread: thread.thread,
            reported: false,
        })
    }

    fn num_watched_workers(&self) -> usize {
        if self.watches_progress {
            self.call_probe(|_| self.metrics.num_workers()).unwrap_or(0)
        } else {
            0
        }
    }

    /// Returns the state of a worker that is awake and whose thread is in no measured poll.
    fn between_polls(&self, worker: usize, threads: &[LiveThread], now: Timestamp) -> Option<Watched> {
        let state = self.call_probe(|probe| probe.worker_state(worker))?;
        let progress = state.progress.filter(|_| state.parked == Some(false))?;
        let mut holders = threads
            .iter()
            .filter(|thread| thread.worker == Some(worker) && holds_its_worker(thread, threads));
        let holder = holders.next();
        if holder
            .into_iter()
            .chain(holders)
            .any(|thread| thread.live.state == WorkerState::Polling)
        {
            return None;
        }
        Some(Watched {
            activity: Activity::Between {
                transition: holder.map(|thread| thread.live.transition),
                progress,
            },
            since: now,
            before_step: Duration::ZERO,
            clock_stepped: false,
            location: LongestLocation::new(LocationId::UNKNOWN, now),
            worker: Some(worker),
            thread: holder.map_or(0, |thread| thread.thread),
            reported: false,
        })
    }

    /// Returns the polls that the workers run while a timer is overdue. A worker that is stalled itself is left out, unless the stall
    /// `is_reported`: then it goes on until the timer fires.
    fn without_turn(&mut self, threads: &[LiveThread], now: Timestamp, is_reported: bool) -> Option<Watched> {
        let overdue = self.call_probe(Probe::timer_overdue)?;
        if !self.watches_turns {
            self.watches_turns = true;
            if let Some(Counts(registry)) = &self.counts {
                registry.shared().also_watch_stalls(StallKind::Queue);
            }
        }
        let ticks = self.scale.ticks_of(overdue);
        let due = Timestamp::from_ticks(now.ticks().saturating_sub(ticks));
        let skew = self.scale.ticks_of(CLOCK_SKEW);
        if ticks == 0 {
            self.polls_without_turn.end();
            return None;
        }
        let lasts = |subject| {
            let watched = self.watched.get(&subject);
            watched.is_some_and(|watched| self.lasted(watched, now) >= self.threshold)
        };
        let is_stalled = |thread: &LiveThread| {
            lasts(Subject::Slot(thread.slot)) || thread.worker.map(Subject::Worker).is_some_and(lasts)
        };
        let (stalled, polling): (Vec<_>, Vec<_>) = threads
            .iter()
            .filter(|thread| holds_its_worker(thread, threads) && thread.live.state != WorkerState::Parked)
            .partition(|thread| !is_reported && is_stalled(thread));
        self.polls_without_turn.leave_out(&stalled);
        let polling = polling.into_iter();
        let (since, last, thread) = self.polls_without_turn.observe(now, due, skew, polling)?;
        // The poll in progress does not count: it may be a stall itself.
        if Duration::from_nanos(self.scale.nanos(last, since)) < self.threshold {
            return None;
        }
        Some(Watched {
            activity: Activity::WithoutTurn,
            since,
            before_step: Duration::ZERO,
            clock_stepped: false,
            location: LongestLocation::new(LocationId::UNKNOWN, since),
            worker: thread.and_then(|thread| thread.worker),
            thread: thread.map_or(0, |thread| thread.thread),
            reported: false,
        })
    }

    /// Calls the probe, unless it has panicked before. The panic hook has reported the panic.
    fn call_probe<V>(&self, call: impl FnOnce(&P) -> Option<V>) -> Option<V> {
        // Ordering: relaxed, here and below: one thread scans.
        if self.probe_failed.load(Ordering::Relaxed) {
            return None;
        }
        catch_unwind(AssertUnwindSafe(|| call(self.metrics.probe()))).unwrap_or_else(|_| {
            self.probe_failed.store(true, Ordering::Relaxed);
            None
        })
    }

    fn close(&self, before: Option<Watched>, now: Timestamp, report: &mut impl FnMut(&Stall)) {
        if let Some(watched) = before.filter(|watched| watched.reported) {
            let stall = self.stall(&watched, now, StallPhase::Over);
            // A duration over a step of the clock is not known.
            if let Some(Counts(registry)) = self.counts.as_ref().filter(|_| !stall.clock_stepped) {
                registry.shared().stall_ended(stall.kind, stall.lasted);
            }
            report(&stall);
        }
    }

    fn lasted(&self, watched: &Watched, now: Timestamp) -> Duration {
        watched
            .before_step
            .saturating_add(Duration::from_nanos(self.scale.nanos(now, watched.since)))
    }

    fn stall(&self, watched: &Watched, now: Timestamp, phase: StallPhase) -> Stall {
        let lasted = self.lasted(watched, now);
        let location = watched.location.get();
        let (kind, spawn_location) = match watched.activity {
            Activity::Poll { .. } => (
                StallKind::Poll,
                self.call_probe(|probe| text(|out| probe.write_location(location, out))),
            ),
            Activity::Between { .. } => (StallKind::NoProgress, None),
            Activity::WithoutTurn => (StallKind::Queue, None),
        };
        let system_now = SystemTime::now();
        Stall {
            phase,
            kind,
            runtime: Arc::clone(&self.runtime),
            worker: watched.worker,
            thread: self.call_probe(|probe| text(|out| probe.write_thread(watched.thread, out))),
            os_thread_id: self.call_probe(|probe| probe.os_thread_id(watched.thread)),
            spawn_location,
            is_root: location::is_root(location),
            is_group: self
                .call_probe(|probe| Some(probe.is_group(location)))
                .unwrap_or(false),
            began: system_now.checked_sub(lasted).unwrap_or(system_now),
            lasted,
            clock_stepped: watched.clock_stepped,
            victims: match (phase, kind) {
                (StallPhase::Over, StallKind::Poll) => self.victims(watched),
                _ => Arc::default(),
            },
        }
    }

    /// Returns whose tasks waited for a poll that is over, from the events since it began.
    fn victims(&self, watched: &Watched) -> Arc<[StallVictim]> {
        // The polls of a root future are no events.
        let location = watched.location.get();
        if location::is_root(location) {
            return Arc::default();
        }
        let recording = self
            .recording
            .get_or_init(|| self.call_probe(|_| self.metrics.flight_recording()));
        let recording = recording.as_ref().map(|recording| recording.since(watched.since));
        recording
            .map(|recording| victims::of_poll(&recording, watched.since, location))
            .unwrap_or_default()
    }
}

impl Activity {
    /// Returns whether a thread has handed its worker over during a poll: the poll goes on, and the worker makes progress.
    fn has_handed_over(self, now: Self) -> bool {
        match (self.poll(), now.poll()) {
            (Some((poll, Some(before))), Some((same, Some(now)))) => poll == same && before != now,
            _ => false,
        }
    }

    /// Returns whether nothing has changed. The progress during a poll does not count: it becomes unknown if the probe fails.
    fn goes_on(self, now: Self) -> bool {
        match (self.poll(), now.poll()) {
            (Some((poll, _)), Some((same, _))) => poll == same,
            _ => self == now,
        }
    }

    fn poll(self) -> Option<(Transition, Option<u64>)> {
        match self {
            Self::Poll { transition, progress } => Some((transition, progress)),
            Self::Between { .. } | Self::WithoutTurn => None,
        }
    }
}

/// Permission to count the stalls of a registry, until it is dropped. Only one scanner has it at a time.
// The bound is here because `Drop` needs it and must have the bounds of the type.
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

impl<R: RegistryRef<Storage = HeapStorage>, P> fmt::Debug for StallScanner<R, P> {
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

/// Returns whether a thread is in a poll that keeps its worker from running other tasks.
fn polls_for_its_worker(thread: &LiveThread, all: &[LiveThread]) -> bool {
    thread.live.state == WorkerState::Polling && holds_its_worker(thread, all)
}

/// Returns whether no other thread has taken over this thread's worker. A thread that handed its worker over during a poll
/// (`block_in_place`) does not block it, so its poll is not a stall.
fn holds_its_worker(thread: &LiveThread, all: &[LiveThread]) -> bool {
    thread.worker.is_none()
        || !all
            .iter()
            .any(|other| other.worker == thread.worker && !thread.live.supersedes(&other.live))
}
