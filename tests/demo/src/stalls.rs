//! Collects the stalls that the watchdog reports, with the time of each report.

use metrics_std::RuntimeMetrics;
use metrics_std::top::{Nanos, short_location};
use metrics_std::watchdog::{self, StallKind, StallPhase, Watchdog, watch_stalls};
use serde::Serialize;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Ten times the duration of a poll of the CPU handler, and a third of that of the blocking handler.
pub(crate) const THRESHOLD: Duration = Duration::from_millis(20);

/// A stall. Times are nanoseconds since the demo started.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Stall {
    pub(crate) worker: Option<usize>,
    pub(crate) thread: Option<String>,
    pub(crate) kind: &'static str,
    /// The file and line at which the task was spawned.
    pub(crate) spawn_location: Option<String>,
    pub(crate) began_nanos: u64,
    /// When the watchdog reported it.
    pub(crate) reported_nanos: u64,
    /// When the watchdog reported its end, or `None` while it is in progress.
    pub(crate) ended_nanos: Option<u64>,
}

impl Stall {
    fn new(report: &watchdog::Stall, now: u64) -> Self {
        Self {
            worker: report.worker,
            thread: report.thread.as_deref().map(str::to_owned),
            kind: match report.kind {
                StallKind::Poll => "poll",
                StallKind::NoProgress => "no_progress",
                StallKind::Queue => "queue",
                _ => "other",
            },
            spawn_location: report.spawn_location.as_deref().map(str::to_owned),
            began_nanos: now.saturating_sub(nanos(report.lasted)),
            reported_nanos: now,
            ended_nanos: None,
        }
    }

    pub(crate) fn was_reported_while_it_lasted(&self) -> bool {
        self.ended_nanos.is_none_or(|ended| self.reported_nanos < ended)
    }

    fn line(&self) -> String {
        let at = Duration::from_nanos(self.began_nanos).as_secs_f64();
        let worker = self.worker.map_or_else(
            || "external thread".to_owned(),
            |worker| format!("worker {worker}"),
        );
        let told = Nanos(self.reported_nanos.saturating_sub(self.began_nanos));
        let lasted = match self.ended_nanos {
            Some(ended) => Nanos(ended.saturating_sub(self.began_nanos)).to_string(),
            None => "in progress".to_owned(),
        };
        let spawn_location = self
            .spawn_location
            .as_deref()
            .map_or("unknown location", short_location);
        format!("{at:>8.2} s  {worker}: {lasted} (reported after {told})  {spawn_location}")
    }
}

/// Every stall since the start.
#[derive(Clone, Default)]
pub(crate) struct Stalls(Arc<Mutex<Vec<Stall>>>);

impl Stalls {
    /// Watches every worker of a demo that started at `start`, until the watchdog is dropped.
    pub(crate) fn watch(metrics: &RuntimeMetrics, start: Instant) -> io::Result<(Self, Watchdog)> {
        let stalls = Self::default();
        let watchdog = watch_stalls(metrics, THRESHOLD, {
            let stalls = stalls.clone();
            move |stall| stalls.add(stall, nanos(start.elapsed()))
        })?;
        Ok((stalls, watchdog))
    }

    /// Adds a report that the watchdog delivered at `now`, in nanoseconds since the start. Each stall is reported twice: when
    /// it is found, and when it is over.
    pub(crate) fn add(&self, report: &watchdog::Stall, now: u64) {
        let mut stalls = lock(&self.0);
        match report.phase {
            StallPhase::Ongoing => stalls.push(Stall::new(report, now)),
            StallPhase::Over => {
                let its = |stall: &&mut Stall| stall.worker == report.worker && stall.ended_nanos.is_none();
                if let Some(stall) = stalls.iter_mut().rev().find(its) {
                    stall.ended_nanos = Some(now);
                }
            }
        }
    }

    /// Returns the last few stalls, newest first.
    pub(crate) fn last(&self, limit: usize) -> Vec<String> {
        lock(&self.0).iter().rev().take(limit).map(Stall::line).collect()
    }

    pub(crate) fn all(&self) -> Vec<Stall> {
        lock(&self.0).clone()
    }
}

fn lock(stalls: &Mutex<Vec<Stall>>) -> std::sync::MutexGuard<'_, Vec<Stall>> {
    stalls.lock().unwrap_or_else(PoisonError::into_inner)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
