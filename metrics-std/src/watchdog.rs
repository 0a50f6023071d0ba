//! Stalls: a worker stuck in one poll, told while it is stuck.
//!
//! A stall is a single poll over a threshold, seen in the worker's live record, which needs no help from the worker. A worker that does
//! millions of short polls without ever parking is none.
//!
//! ```
//! use core::time::Duration;
//! use metrics_std::tokio::TokioAdapter;
//! use metrics_std::watchdog::watch_stalls;
//! use tokio::runtime::Builder;
//!
//! let (runtime, metrics) = TokioAdapter::builder().build(&mut Builder::new_multi_thread())?;
//! // Until it is dropped.
//! let _watchdog = watch_stalls(&metrics, Duration::from_millis(20), |stall| eprintln!("{stall}"))?;
//! # drop(runtime);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is not promised
//!
//! - A stall is reported at the first scan past the threshold, and its end at the first scan after it: a quarter of the threshold late at
//!   most, if the operating system lets the watchdog run.
//! - A poll that began while nothing was timed (poll time switched off, or not sampled) is timed from the first scan that saw it.
//! - Of polls that no wrapper sees only [`StallKind::NoProgress`] is known, and only on a multi-thread Tokio runtime: its worker is not
//!   parked, and Tokio's own busy time for it stands still. Tokio moves that once in `event_interval` polls (61 by default), so
//!   it can be as many short polls as one long.

use core::fmt;
use core::panic::Location;
use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::SystemTime;

use metrics_core::{LiveThread, RECORDING, Site, TimeScale, TimeSource, Timestamp, Transition, WorkerState};

use crate::{Clock, RuntimeMetrics, site};

/// One stall, told when it is found and again when it is over.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stall {
    /// Whether it goes on.
    pub phase: StallPhase,
    /// What was seen.
    pub kind: StallKind,
    /// The runtime's name.
    pub runtime: Arc<str>,
    /// The worker's index; `None` for a thread that polls the runtime's tasks and is none of its workers.
    pub worker: Option<usize>,
    /// The name of the thread; `None` if it has none, or has ended.
    pub thread: Option<Arc<str>>,
    /// Where the task was spawned; `None` where that is not known.
    pub site: Option<&'static Location<'static>>,
    /// When it began, by the system's clock.
    pub began: SystemTime,
    /// How long it has lasted; once it is over, up to the scan that found it over.
    pub lasted: Duration,
}

/// Whether a stall goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StallPhase {
    /// It has passed the threshold and goes on.
    Ongoing,
    /// It is over.
    Over,
}

/// What a stall is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StallKind {
    /// The worker is in one poll.
    Poll,
    /// The worker is awake, in no poll that is seen, and shows no progress.
    NoProgress,
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "runtime {}: ", self.runtime)?;
        match self.worker {
            Some(worker) => write!(f, "worker {worker}")?,
            None => f.write_str("a thread that is no worker")?,
        }
        if let Some(thread) = &self.thread {
            write!(f, " ({thread})")?;
        }
        f.write_str(match (self.phase, self.kind) {
            (StallPhase::Ongoing, StallKind::Poll) => " has been in one poll for ",
            (StallPhase::Over, StallKind::Poll) => " was in one poll for ",
            (StallPhase::Ongoing, StallKind::NoProgress) => " has made no progress for ",
            (StallPhase::Over, StallKind::NoProgress) => " made no progress for ",
        })?;
        write!(f, "{:?}", self.lasted)?;
        match self.site {
            Some(site) => write!(f, ", of the task spawned at {}:{}", site.file(), site.line()),
            None => Ok(()),
        }
    }
}

/// Looks for stalls when told to. [`watch_stalls`] tells it from a thread; a test tells it by hand.
#[derive(Debug)]
pub struct StallScanner {
    metrics: RuntimeMetrics,
    runtime: Arc<str>,
    threshold: Duration,
    clock: Clock,
    scale: TimeScale,
    /// What each slot was last seen doing.
    slots: BTreeMap<usize, Watched>,
    /// The poll, not timed, that each slot was last seen in or after, and when it was first seen so.
    untimed: BTreeMap<usize, (Transition, Timestamp)>,
    /// Kept for its memory.
    threads: Vec<LiveThread>,
}

#[derive(Clone, Copy, Debug)]
struct Watched {
    what: What,
    since: Timestamp,
    /// Where the task of the poll was spawned, as far as that is known yet.
    site: Site,
    worker: Option<usize>,
    thread: u64,
    reported: bool,
}

/// What must stay the same for a stall to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Poll {
        transition: Transition,
    },
    /// Between two polls that are seen, with the runtime's own signs of progress.
    Between {
        transition: Transition,
        progress: u64,
    },
}

impl StallScanner {
    /// A scanner for polls of at least `threshold`.
    pub fn new(metrics: &RuntimeMetrics, threshold: Duration) -> Self {
        let registry = metrics.registry();
        // Without a clock of its own the registry can still be watched.
        let clock = if registry.is_timed() {
            registry.clock().clone()
        } else {
            Clock::instant()
        };
        Self {
            metrics: metrics.clone(),
            runtime: Arc::from(metrics.name()),
            threshold,
            scale: TimeScale::new(clock.ticks_per_second()),
            clock,
            slots: BTreeMap::new(),
            untimed: BTreeMap::new(),
            threads: Vec::new(),
        }
    }

    /// Looks at every worker once. Reports each stall when it is first seen past the threshold, and once more when it is over.
    pub fn scan(&mut self, mut report: impl FnMut(&Stall)) {
        let mut threads = core::mem::take(&mut self.threads);
        threads.clear();
        threads.extend(self.metrics.live_threads());
        let now = self.clock.now();
        let mut slots = core::mem::take(&mut self.slots);
        self.date(&mut threads, now);
        for thread in threads.iter().filter(|thread| holds_its_worker(thread, &threads)) {
            let before = slots.remove(&thread.slot);
            let Some((what, since)) = self.look(thread, now) else {
                self.close(before, now, &mut report);
                continue;
            };
            let mut watched = match before {
                Some(before) if before.what == what => before,
                _ => {
                    self.close(before, now, &mut report);
                    Watched {
                        what,
                        since,
                        site: thread.live.site,
                        worker: thread.worker,
                        thread: thread.thread,
                        reported: false,
                    }
                }
            };
            // It may be known only some time after the poll began.
            watched.site = thread.live.site;
            if !watched.reported && self.lasted(&watched, now) >= self.threshold {
                watched.reported = true;
                report(&self.stall(&watched, now, StallPhase::Ongoing));
            }
            self.slots.insert(thread.slot, watched);
        }
        // Threads that gave their slot back, or their worker away.
        for (_, gone) in slots {
            self.close(Some(gone), now, &mut report);
        }
        self.threads = threads;
    }

    /// A poll that is not timed began at the first look that saw it, as far as anybody knows. So it falls before or after
    /// what another thread of the same worker does, and so does what follows it.
    fn date(&mut self, threads: &mut [LiveThread], now: Timestamp) {
        let before = core::mem::take(&mut self.untimed);
        for LiveThread { slot, live, .. } in threads {
            if live.since.is_none() {
                let seen = before
                    .get(slot)
                    .filter(|(transition, _)| *transition == live.transition);
                let first = seen.map_or(now, |(_, first)| *first);
                self.untimed.insert(*slot, (live.transition, first));
                live.since = Some(first);
            }
        }
    }

    /// What a thread is doing that could be a stall, and since when.
    fn look(&self, thread: &LiveThread, now: Timestamp) -> Option<(What, Timestamp)> {
        let live = &thread.live;
        let transition = live.transition;
        match live.state {
            WorkerState::Polling => Some((What::Poll { transition }, live.since.unwrap_or(now))),
            // Only a worker whose parks are known is ever seen running.
            WorkerState::Running => {
                let progress = self.metrics.probe().progress(thread.worker?)?;
                Some((What::Between { transition, progress }, now))
            }
            _ => None,
        }
    }

    fn close(&self, before: Option<Watched>, now: Timestamp, report: &mut impl FnMut(&Stall)) {
        if let Some(watched) = before.filter(|watched| watched.reported) {
            report(&self.stall(&watched, now, StallPhase::Over));
        }
    }

    fn lasted(&self, watched: &Watched, now: Timestamp) -> Duration {
        Duration::from_nanos(self.scale.nanos(now, watched.since))
    }

    fn stall(&self, watched: &Watched, now: Timestamp, phase: StallPhase) -> Stall {
        let lasted = self.lasted(watched, now);
        let (kind, site) = match watched.what {
            What::Poll { .. } => (StallKind::Poll, site::location(watched.site)),
            What::Between { .. } => (StallKind::NoProgress, None),
        };
        let system_now = SystemTime::now();
        Stall {
            phase,
            kind,
            runtime: Arc::clone(&self.runtime),
            worker: watched.worker,
            thread: crate::thread::name(watched.thread),
            site,
            began: system_now.checked_sub(lasted).unwrap_or(system_now),
            lasted,
        }
    }
}

/// Whether no other thread has taken this one's worker over since. One that gave its worker away in the middle of a poll
/// (`block_in_place`) may go on as long as it likes.
fn holds_its_worker(thread: &LiveThread, all: &[LiveThread]) -> bool {
    thread.worker.is_none()
        || !all
            .iter()
            .any(|other| other.worker == thread.worker && !thread.live.supersedes(&other.live))
}

/// A thread that looks for stalls until this is dropped.
#[derive(Debug)]
#[must_use = "dropping it ends the watch"]
pub struct Watchdog {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Reports every poll of at least `threshold`: once while it goes on, and once when it is over.
///
/// The callback runs on the watchdog's own thread, named `stall-watchdog`; while it runs nobody watches, and if it panics the watch is over.
/// A threshold of zero reports every poll that a look finds.
/// The thread looks four times in every threshold, but no oftener than every millisecond and no more seldom than every 100 ms.
/// It keeps neither the runtime nor its workers alive.
///
/// # Errors
/// If the operating system refuses a thread.
pub fn watch_stalls(
    metrics: &RuntimeMetrics,
    threshold: Duration,
    mut callback: impl FnMut(&Stall) + Send + 'static,
) -> io::Result<Watchdog> {
    if !RECORDING {
        // No live record will ever say anything.
        return Ok(Watchdog {
            stop: None,
            thread: None,
        });
    }
    let mut scanner = StallScanner::new(metrics, threshold);
    let period = (threshold / 4).clamp(Duration::from_millis(1), Duration::from_millis(100));
    let (stop, stopped) = mpsc::channel();
    let watch = move || {
        while stopped.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
            scanner.scan(&mut callback);
        }
    };
    let thread = thread::Builder::new()
        .name("stall-watchdog".into())
        .spawn(watch)?;
    Ok(Watchdog {
        stop: Some(stop),
        thread: Some(thread),
    })
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // A watcher whose sender is gone ends at once.
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            // A panic of the user's callback was printed when it happened.
            let _ = thread.join();
        }
    }
}
