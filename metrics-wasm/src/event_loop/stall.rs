//! Stalls: what held the thread, told once, by whoever knows best.

use core::time::Duration;
use metrics_core::{Site, Timestamp};

/// How a stall was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StallSource {
    /// One poll of a measured future: start, length and spawn site are known.
    Poll,
    /// The browser's own account of long tasks: start and length are known, to a millisecond.
    LongTask,
    /// A timer that came late: the thread was held for at least this long, up to one period longer.
    Probe,
}

/// The thread was held, and the event loop did not turn.
///
/// It is reported after the fact: who reports it needs the thread that was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stall {
    /// When it began, by the clock of the registry.
    pub start: Timestamp,
    /// For how long.
    pub duration: Duration,
    /// How it was seen.
    pub source: StallSource,
    /// Where the task was spawned whose poll it was.
    pub site: Site,
}

/// A stretch of time in nanoseconds of the clock.
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

    const fn stall(self, source: StallSource, site: Site) -> Stall {
        let start = Timestamp::from_ticks(self.start);
        Stall {
            start,
            duration: Duration::from_nanos(self.nanos()),
            source,
            site,
        }
    }
}

/// Told spans are remembered, so that a second account of the same stall is none. Accounts arrive within a turn or two of each other.
const REMEMBERED: usize = 8;

/// Makes one stall of the accounts that polls, the browser and the timer give of it.
#[derive(Debug)]
pub(super) struct Detector {
    /// The shortest stall that anybody wants to hear of, in nanoseconds.
    pub(super) threshold: u64,
    told: [Span; REMEMBERED],
    next: usize,
    /// Seen by the timer, while the browser's better account may still come.
    suspect: Option<Span>,
}

impl Detector {
    pub(super) const fn new() -> Self {
        Self {
            threshold: u64::MAX,
            told: [Span { start: 0, end: 0 }; REMEMBERED],
            next: 0,
            suspect: None,
        }
    }

    /// A poll took this long.
    pub(super) fn poll(&mut self, span: Span, site: Site) -> Option<Stall> {
        self.tell(span, StallSource::Poll, site)
    }

    /// The browser saw a long task.
    pub(super) fn long_task(&mut self, span: Span) -> Option<Stall> {
        self.tell(span, StallSource::LongTask, Site::UNKNOWN)
    }

    /// The timer that was due at the span's start came at its end. With `wait` a better account may follow.
    pub(super) fn late(&mut self, span: Span, wait: bool) -> [Option<Stall>; 2] {
        let before = self
            .suspect
            .take()
            .and_then(|span| self.tell(span, StallSource::Probe, Site::UNKNOWN));
        if wait && span.nanos() >= self.threshold && !self.is_told(span) {
            self.suspect = Some(span);
            return [before, None];
        }
        [before, self.tell(span, StallSource::Probe, Site::UNKNOWN)]
    }

    fn is_told(&self, span: Span) -> bool {
        self.told.iter().any(|told| told.overlaps(span))
    }

    fn tell(&mut self, span: Span, source: StallSource, site: Site) -> Option<Stall> {
        if span.nanos() < self.threshold || self.is_told(span) {
            return None;
        }
        if let Some(told) = self.told.get_mut(self.next) {
            *told = span;
        }
        self.next = (self.next + 1) % REMEMBERED;
        self.suspect = self.suspect.filter(|suspect| !suspect.overlaps(span));
        Some(span.stall(source, site))
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
    fn the_poll_tells_and_the_others_keep_quiet() {
        let mut detector = detector();
        let stall = detector.poll(span(1000, 1200), Site::from_u32(7)).unwrap();
        assert_eq!((stall.source, stall.site), (StallSource::Poll, Site::from_u32(7)));
        assert_eq!(stall.duration, Duration::from_millis(200));
        assert_eq!(detector.late(span(1020, 1201), true), [None, None]);
        assert_eq!(detector.long_task(span(999, 1201)), None);
        assert_eq!(detector.late(span(1251, 1252), true), [None, None]);
    }

    #[test]
    fn the_browser_corrects_the_timer() {
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
    fn the_timer_tells_where_nobody_else_does() {
        let mut alone = detector();
        let [None, Some(stall)] = alone.late(span(1040, 1200), false) else {
            panic!("told at once")
        };
        assert_eq!(
            (stall.source, stall.duration),
            (StallSource::Probe, Duration::from_millis(160))
        );
        let mut waiting = detector();
        assert_eq!(waiting.late(span(1040, 1200), true), [None, None]);
        let [Some(late), None] = waiting.late(span(1250, 1251), true) else {
            panic!("told a turn later")
        };
        assert_eq!(late, stall);
        assert_eq!(waiting.late(span(1301, 1301), true), [None, None]);
    }

    #[test]
    fn two_stalls_in_a_row_are_two() {
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
    fn below_the_threshold_is_none() {
        let mut detector = detector();
        assert_eq!(detector.poll(span(0, 99), Site::UNKNOWN), None);
        assert_eq!(detector.late(span(0, 99), false), [None, None]);
        let mut nobody_listens = Detector::new();
        assert_eq!(nobody_listens.long_task(span(0, 1_000_000)), None);
    }
}
