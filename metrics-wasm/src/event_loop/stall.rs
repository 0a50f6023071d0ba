//! Stalls of the thread. Polls, the browser and the timer may each see one; it is reported once, from the most precise source.

use core::time::Duration;
use metrics_core::{LocationId, Timestamp};

/// The source of a stall report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StallSource {
    /// One poll of a measured future. Start, duration and spawn location are exact.
    Poll,
    /// Many measured polls in one turn of the event loop, none of them a stall alone. Start and duration are exact.
    Turn,
    /// A long task that the browser reported. Start and duration are exact to a millisecond.
    LongTask,
    /// A late timer. The stall lasted at least this long, and at most one period longer.
    Probe,
}

/// A time during which the thread ran one piece of work, and the event loop could run nothing else.
///
/// A stall is reported after its end, because the report needs the same thread.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stall {
    /// The time at which it started, as a timestamp of the registry's clock.
    pub start: Timestamp,
    /// The time that it lasted.
    pub duration: Duration,
    /// The source of the report.
    pub source: StallSource,
    /// The time that measured polls ran during the stall. The rest was other work, if a listener was registered when the stall began.
    pub measured: Duration,
    /// The spawn location of the polled task, or that of the longest measured poll during the stall. Unknown if no measured poll ran; see
    /// [`resolve`](crate::location::resolve).
    pub spawn_location: LocationId,
    /// The script that ran longest during a [long task](StallSource::LongTask). `None` if the browser reports no long animation frames, or
    /// did not report that of the stall in time. Chromium-based browsers report long animation frames from version 123 on.
    pub script: Option<Script>,
}

/// A script that the browser ran during a stall.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Script {
    /// The path of its file, without the origin and the query. Empty if the browser does not report it, such as for a file of another
    /// origin.
    pub source: String,
    /// The function that the browser called. Empty if it has no name.
    pub function: String,
    /// The position of that function in the file, in characters. `None` if the browser does not report it.
    pub position: Option<u32>,
    /// The cause of the call, such as `BUTTON#buy.onclick` or `TimerHandler:setTimeout`.
    pub invoker: String,
    /// The time that it ran.
    pub duration: Duration,
}

/// A time span in nanoseconds of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Span {
    pub(super) fn of(stall: &Stall) -> Self {
        let start = stall.start.ticks();
        let nanos = u64::try_from(stall.duration.as_nanos()).unwrap_or(u64::MAX);
        Self {
            start,
            end: start.saturating_add(nanos),
        }
    }

    pub(super) const fn nanos(self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    pub(super) const fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    const fn stall(self, source: StallSource, polls: Polls) -> Stall {
        let start = Timestamp::from_ticks(self.start);
        Stall {
            start,
            duration: Duration::from_nanos(self.nanos()),
            source,
            measured: Duration::from_nanos(polls.measured),
            spawn_location: polls.spawn_location,
            script: None,
        }
    }
}

/// Measured polls: their total duration in nanoseconds, and the spawn location of the longest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Polls {
    pub(super) measured: u64,
    pub(super) spawn_location: LocationId,
}

impl Polls {
    const NONE: Self = Self {
        measured: 0,
        spawn_location: LocationId::UNKNOWN,
    };
}

/// The number of reported spans that are kept, so that a second report of the same stall is dropped. The sources report within a turn or two
/// of each other.
const KEPT: usize = 8;

/// Merges the reports of polls, the browser and the timer into one stall.
#[derive(Debug)]
pub(super) struct Detector {
    /// The shortest stall to report, in nanoseconds.
    pub(super) threshold: u64,
    reported: [Span; KEPT],
    next: usize,
    /// The last turns with measured polls.
    turns: [(Span, Polls); KEPT],
    next_turn: usize,
    /// A stall that the timer saw, while the browser's more precise report may still arrive.
    suspect: Option<Span>,
}

impl Detector {
    pub(super) const fn new() -> Self {
        Self {
            threshold: u64::MAX,
            reported: [Span { start: 0, end: 0 }; KEPT],
            next: 0,
            turns: [(Span { start: 0, end: 0 }, Polls::NONE); KEPT],
            next_turn: 0,
            suspect: None,
        }
    }

    /// Adds a poll that ended.
    pub(super) fn poll(&mut self, span: Span, polls: Polls) -> Option<Stall> {
        self.report(span, StallSource::Poll, polls)
    }

    /// Adds a turn with measured polls that ended. It is a stall if the polls alone took long enough. Otherwise it is part of the stall
    /// that another source reports.
    pub(super) fn turn(&mut self, span: Span, polls: Polls) -> Option<Stall> {
        if let Some(oldest) = self.turns.get_mut(self.next_turn) {
            *oldest = (span, polls);
        }
        self.next_turn = (self.next_turn + 1) % KEPT;
        if polls.measured < self.threshold {
            return None;
        }
        self.report(span, StallSource::Turn, polls)
    }

    /// Adds a long task that the browser reported.
    pub(super) fn long_task(&mut self, span: Span) -> Option<Stall> {
        self.report(span, StallSource::LongTask, self.polls_during(span))
    }

    /// Adds a timer that was due at the start of the span and fired at its end. With `wait`, the browser may still report the same stall.
    pub(super) fn late(&mut self, span: Span, wait: bool) -> [Option<Stall>; 2] {
        let before = self
            .suspect
            .take()
            .and_then(|span| self.report(span, StallSource::Probe, self.polls_during(span)));
        if wait && span.nanos() >= self.threshold && !self.is_reported(span) {
            self.suspect = Some(span);
            return [before, None];
        }
        [
            before,
            self.report(span, StallSource::Probe, self.polls_during(span)),
        ]
    }

    /// Returns `true` if measured polls took most of this time.
    pub(super) fn is_explained(&self, span: Span) -> bool {
        self.polls_during(span).measured >= span.nanos() / 2
    }

    /// Returns the measured polls of the turns that overlap this time.
    fn polls_during(&self, span: Span) -> Polls {
        let turns = self.turns.iter().filter(|(turn, _)| turn.overlaps(span));
        let longest = turns.clone().max_by_key(|(_, polls)| polls.measured);
        Polls {
            measured: turns
                .map(|(_, polls)| polls.measured)
                .sum::<u64>()
                .min(span.nanos()),
            spawn_location: longest.map_or(LocationId::UNKNOWN, |(_, polls)| polls.spawn_location),
        }
    }

    fn is_reported(&self, span: Span) -> bool {
        self.reported.iter().any(|reported| reported.overlaps(span))
    }

    fn report(&mut self, span: Span, source: StallSource, polls: Polls) -> Option<Stall> {
        if span.nanos() < self.threshold || self.is_reported(span) {
            return None;
        }
        if let Some(oldest) = self.reported.get_mut(self.next) {
            *oldest = span;
        }
        self.next = (self.next + 1) % KEPT;
        self.suspect = self.suspect.filter(|suspect| !suspect.overlaps(span));
        Some(span.stall(source, polls))
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

    /// Polls of `ms` milliseconds in total.
    fn polls(ms: u64, spawn_location: u32) -> Polls {
        Polls {
            measured: ms * MS,
            spawn_location: LocationId::from_u32(spawn_location),
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
        let stall = detector.poll(span(1000, 1200), polls(200, 7)).unwrap();
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
        assert_eq!(detector.poll(span(0, 99), polls(99, 7)), None);
        assert_eq!(detector.late(span(0, 99), false), [None, None]);
        let mut without_listeners = Detector::new();
        assert_eq!(without_listeners.long_task(span(0, 1_000_000)), None);
    }

    #[test]
    fn a_turn_of_many_short_polls_is_reported_with_the_location_of_the_longest() {
        let mut detector = detector();
        let stall = detector.turn(span(1000, 1200), polls(180, 7)).unwrap();
        assert_eq!(
            (stall.source, stall.spawn_location),
            (StallSource::Turn, LocationId::from_u32(7))
        );
        assert_eq!(
            (stall.duration, stall.measured),
            (Duration::from_millis(200), Duration::from_millis(180))
        );
        assert_eq!(detector.late(span(1020, 1201), true), [None, None]);
        assert_eq!(detector.long_task(span(999, 1201)), None);
    }

    #[test]
    fn a_turn_is_not_reported_again_after_its_long_poll() {
        let mut detector = detector();
        assert!(detector.poll(span(1000, 1150), polls(150, 7)).is_some());
        assert_eq!(detector.turn(span(1000, 1200), polls(180, 7)), None);
    }

    #[test]
    fn a_long_task_names_the_longest_poll_in_it() {
        let mut detector = detector();
        assert_eq!(detector.turn(span(1000, 1200), polls(30, 7)), None);
        assert_eq!(detector.turn(span(1210, 1250), polls(40, 8)), None);
        let stall = detector.long_task(span(999, 1300)).unwrap();
        assert_eq!(
            (stall.measured, stall.spawn_location),
            (Duration::from_millis(70), LocationId::from_u32(8))
        );
        let other = detector.long_task(span(1400, 1600)).unwrap();
        assert_eq!(
            (other.measured, other.spawn_location),
            (Duration::ZERO, LocationId::UNKNOWN)
        );
    }
}
