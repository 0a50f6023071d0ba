//! Stalls of the thread. Polls, the browser and the timer may each see one; it is reported once, from the most precise source.

use core::time::Duration;
use metrics_core::{LocationId, Timestamp};

/// The source of a stall report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StallSource {
    /// One poll of a measured future. Start, duration and spawn location are exact.
    Poll,
    /// A long task that the browser reported. Start and duration are exact to a millisecond.
    LongTask,
    /// A late timer. The stall lasted at least this long, and at most one period longer.
    Probe,
}

/// A time during which the thread ran one piece of work, and the event loop could run nothing else.
///
/// A stall is reported after its end, because the report needs the same thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stall {
    /// When it started, as a timestamp of the registry's clock.
    pub start: Timestamp,
    /// How long it lasted.
    pub duration: Duration,
    /// Where the report comes from.
    pub source: StallSource,
    /// Where the polled task was spawned. Unknown unless the source is a poll; see [`resolve`](crate::location::resolve).
    pub spawn_location: LocationId,
}

/// A time span in nanoseconds of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Span {
    pub(super) const fn nanos(self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    const fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    const fn stall(self, source: StallSource, spawn_location: LocationId) -> Stall {
        let start = Timestamp::from_ticks(self.start);
        Stall {
            start,
            duration: Duration::from_nanos(self.nanos()),
            source,
            spawn_location,
        }
    }
}

/// How many reported spans are kept, so that a second report of the same stall is dropped. The sources report within a turn or two
/// of each other.
const KEPT: usize = 8;

/// Merges the reports of polls, the browser and the timer into one stall.
#[derive(Debug)]
pub(super) struct Detector {
    /// The shortest stall to report, in nanoseconds.
    pub(super) threshold: u64,
    reported: [Span; KEPT],
    next: usize,
    /// A stall that the timer saw, while the browser's more precise report may still arrive.
    suspect: Option<Span>,
}

impl Detector {
    pub(super) const fn new() -> Self {
        Self {
            threshold: u64::MAX,
            reported: [Span { start: 0, end: 0 }; KEPT],
            next: 0,
            suspect: None,
        }
    }

    /// A poll ended.
    pub(super) fn poll(&mut self, span: Span, spawn_location: LocationId) -> Option<Stall> {
        self.report(span, StallSource::Poll, spawn_location)
    }

    /// The browser reported a long task.
    pub(super) fn long_task(&mut self, span: Span) -> Option<Stall> {
        self.report(span, StallSource::LongTask, LocationId::UNKNOWN)
    }

    /// A timer was due at the start of the span and fired at its end. With `wait`, the browser may still report the same stall.
    pub(super) fn late(&mut self, span: Span, wait: bool) -> [Option<Stall>; 2] {
        let before = self
            .suspect
            .take()
            .and_then(|span| self.report(span, StallSource::Probe, LocationId::UNKNOWN));
        if wait && span.nanos() >= self.threshold && !self.is_reported(span) {
            self.suspect = Some(span);
            return [before, None];
        }
        [before, self.report(span, StallSource::Probe, LocationId::UNKNOWN)]
    }

    /// Whether a stall that overlaps this time has been reported.
    pub(super) fn is_reported(&self, span: Span) -> bool {
        self.reported.iter().any(|reported| reported.overlaps(span))
    }

    fn report(&mut self, span: Span, source: StallSource, spawn_location: LocationId) -> Option<Stall> {
        if span.nanos() < self.threshold || self.is_reported(span) {
            return None;
        }
        if let Some(oldest) = self.reported.get_mut(self.next) {
            *oldest = span;
        }
        self.next = (self.next + 1) % KEPT;
        self.suspect = self.suspect.filter(|suspect| !suspect.overlaps(span));
        Some(span.stall(source, spawn_location))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const MS: u64 = 1_000_000;

    fn span(start: u64, end: u64) -> Span {
        Span {
            start: start * MS,
            end: end * MS,
        }
    }

    fn detector() -> Detector {
        Detector {
            threshold: 100 * MS,
            ..Detector::new()
        }
    }

    #[test]
    fn a_stall_in_a_poll_is_reported_by_the_poll_alone() {
        let mut detector = detector();
        let stall = detector.poll(span(1000, 1200), LocationId::from_u32(7)).unwrap();
        assert_eq!(
            (stall.source, stall.spawn_location),
            (StallSource::Poll, LocationId::from_u32(7))
        );
        assert_eq!(stall.duration, Duration::from_millis(200));
        assert_eq!(detector.late(span(1020, 1201), true), [None, None]);
        assert_eq!(detector.long_task(span(999, 1201)), None);
        assert_eq!(detector.late(span(1251, 1252), true), [None, None]);
    }

    #[test]
    fn the_browsers_report_replaces_the_timers() {
        let mut detector = detector();
        assert_eq!(detector.late(span(1040, 1200), true), [None, None]);
        let stall = detector.long_task(span(1000, 1200)).unwrap();
        assert_eq!(
            (stall.source, stall.duration),
            (StallSource::LongTask, Duration::from_millis(200))
        );
        assert_eq!(detector.late(span(1250, 1250), true), [None, None]);
    }

    #[test]
    fn the_timer_reports_if_no_other_source_does() {
        let mut alone = detector();
        let [None, Some(stall)] = alone.late(span(1040, 1200), false) else {
            panic!("not reported at once")
        };
        assert_eq!(
            (stall.source, stall.duration),
            (StallSource::Probe, Duration::from_millis(160))
        );
        let mut waiting = detector();
        assert_eq!(waiting.late(span(1040, 1200), true), [None, None]);
        let [Some(late), None] = waiting.late(span(1250, 1251), true) else {
            panic!("not reported one turn later")
        };
        assert_eq!(late, stall);
        assert_eq!(waiting.late(span(1301, 1301), true), [None, None]);
    }

    #[test]
    fn two_consecutive_stalls_are_reported_separately() {
        let mut detector = detector();
        assert_eq!(detector.late(span(1040, 1200), true), [None, None]);
        let [Some(_), None] = detector.late(span(1250, 1400), true) else {
            panic!("the first")
        };
        let [Some(second), None] = detector.late(span(1450, 1450), true) else {
            panic!("the second")
        };
        assert_eq!(second.duration, Duration::from_millis(150));
    }

    #[test]
    fn a_span_below_the_threshold_is_not_reported() {
        let mut detector = detector();
        assert_eq!(detector.poll(span(0, 99), LocationId::UNKNOWN), None);
        assert_eq!(detector.late(span(0, 99), false), [None, None]);
        let mut without_listeners = Detector::new();
        assert_eq!(without_listeners.long_task(span(0, 1_000_000)), None);
    }
}
