//! What the flight recorder gives to the pages: a trace to download, and which polls made other tasks wait.

use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use core::time::Duration;
use metrics_core::BlameReport;
use serde::Serialize;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Instant;

use crate::{RuntimeMetrics, Snapshot};

/// The shortest time between two copies of the events for a trace, and between two for the blame.
const PERIOD: Duration = Duration::from_secs(1);

/// The number of rows of blame in a snapshot.
const ROWS: usize = 32;

/// The copies of the events of one runtime. However many requests there are, each kind of copy is made at most once per second.
pub(super) struct Recorder {
    metrics: RuntimeMetrics,
    blame: Mutex<Option<(Instant, Option<BlameReport>)>>,
    /// Locked while a request makes the blame anew.
    renewal: Mutex<()>,
    last_trace: Mutex<Option<Instant>>,
}

/// A snapshot as the server sends it.
#[derive(Serialize)]
pub(super) struct WithBlame {
    #[serde(flatten)]
    snapshot: Snapshot,
    /// `None` without a flight recorder, and while another request makes the first one.
    blame: Option<BlameReport>,
}

impl Recorder {
    pub(super) fn new(metrics: RuntimeMetrics) -> Self {
        Self {
            metrics,
            blame: Mutex::default(),
            renewal: Mutex::default(),
            last_trace: Mutex::default(),
        }
    }

    /// Adds the blame. It is at most one second old, or older by the time that another request takes to make it anew.
    pub(super) fn add_blame(&self, snapshot: Snapshot) -> WithBlame {
        let last = lock(&self.blame).clone();
        let recent = last.clone().filter(|(at, _)| at.elapsed() < PERIOD);
        let (_, blame) = recent.or_else(|| self.renew_blame()).or(last).unzip();
        WithBlame {
            snapshot,
            blame: blame.flatten(),
        }
    }

    /// Makes the blame anew, unless another request does so. No request waits for another: it may be polled on a worker of the runtime.
    fn renew_blame(&self) -> Option<(Instant, Option<BlameReport>)> {
        let _renewal = try_lock(&self.renewal)?;
        let recording = self.metrics.flight_recording();
        let blame = recording.map(|recording| recording.blame_report(ROWS));
        let renewed = Some((Instant::now(), blame));
        lock(&self.blame).clone_from(&renewed);
        renewed
    }

    /// Responds with a trace of the last events of each worker.
    pub(super) fn trace(&self) -> Response {
        // Locked during the copy: another request is refused meanwhile.
        let Some(mut last) = try_lock(&self.last_trace) else {
            return too_many();
        };
        if last.is_some_and(|last| last.elapsed() < PERIOD) {
            return too_many();
        }
        let Some(recording) = self.metrics.flight_recording() else {
            return (StatusCode::NOT_FOUND, "the runtime has no flight recorder").into_response();
        };
        let mut trace = String::new();
        // Writing to a string can't fail.
        let _ = recording.write_chrome_trace(&mut trace);
        *last = Some(Instant::now());
        let headers = [
            (CONTENT_TYPE, "application/json"),
            (CONTENT_DISPOSITION, "attachment; filename=\"trace.json\""),
        ];
        (headers, trace).into_response()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(guard)) => Some(guard.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

fn too_many() -> Response {
    let seconds = HeaderValue::from(PERIOD.as_secs());
    let message = "another trace was made less than a second ago: try again later";
    (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, seconds)], message).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, Clock, build_wrapped};

    #[test]
    fn the_blame_is_kept_for_a_second() {
        let builder = Builder::new().flight_recorder(64);
        let metrics = build_wrapped(builder, Clock::instant()).unwrap();
        let recorder = Recorder::new(metrics.clone());
        let blame_after = |kept: Option<Instant>| {
            *lock(&recorder.blame) = kept.map(|at| (at, None));
            recorder.add_blame(metrics.snapshot()).blame
        };
        assert!(blame_after(None).is_some(), "it is made");
        let now = Instant::now();
        // An instant in the future has no age, however loaded the machine is.
        assert!(blame_after(Some(now + Duration::from_secs(3_600))).is_none());
        assert!(blame_after(now.checked_sub(PERIOD)).is_some(), "it is made anew");
    }
}
