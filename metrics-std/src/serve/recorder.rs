//! What the flight recorder gives to the pages: a trace to download, and which polls made other tasks wait.

use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use core::time::Duration;
use metrics_core::BlameReport;
use serde::Serialize;
use std::sync::{Mutex, PoisonError, TryLockError};
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
    last_trace: Mutex<Option<Instant>>,
}

/// A snapshot as the server sends it.
#[derive(Serialize)]
pub(super) struct WithBlame {
    #[serde(flatten)]
    snapshot: Snapshot,
    /// `None` without a flight recorder.
    blame: Option<BlameReport>,
}

impl Recorder {
    pub(super) fn new(metrics: RuntimeMetrics) -> Self {
        Self {
            metrics,
            blame: Mutex::default(),
            last_trace: Mutex::default(),
        }
    }

    /// Adds the blame, which is at most one second old.
    pub(super) fn add_blame(&self, snapshot: Snapshot) -> WithBlame {
        // Locked during the copy: another request waits for it and uses it.
        let mut last = self.blame.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = last.take().filter(|(at, _)| at.elapsed() < PERIOD);
        let (at, blame) = recent.unwrap_or_else(|| {
            let recording = self.metrics.flight_recording();
            let blame = recording.map(|recording| recording.blame_report(ROWS));
            (Instant::now(), blame)
        });
        *last = Some((at, blame.clone()));
        WithBlame { snapshot, blame }
    }

    /// Responds with a trace of the last events of each worker.
    pub(super) fn trace(&self) -> Response {
        // Locked during the copy: another request is refused meanwhile.
        let mut last = match self.last_trace.try_lock() {
            Ok(last) => last,
            Err(TryLockError::Poisoned(last)) => last.into_inner(),
            Err(TryLockError::WouldBlock) => return too_many(),
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

fn too_many() -> Response {
    let seconds = HeaderValue::from(PERIOD.as_secs());
    let message = "another trace was made less than a second ago: try again later";
    (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, seconds)], message).into_response()
}
