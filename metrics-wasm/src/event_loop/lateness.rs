//! Decides which late timers were delayed by a busy thread, and which by the browser.
//!
//! A browser runs the timers of a hidden page, and those of a hidden iframe of another origin, once per second at most. The iframe
//! gets no event about it, and its document is not hidden. Two of its late timers in a row fire a whole number of seconds apart.
//!
//! A dedicated worker does not run while its page is frozen. The page's message about that may arrive after the late timer.

use super::stall::Span;

const SECOND: u64 = 1_000_000_000;

/// A timer that is later than this did not fire on time. A throttled one is later, except by chance.
const ON_TIME: u64 = 50_000_000;
/// The largest distance from a whole number of seconds at which a throttled timer fires.
const JITTER: u64 = 150_000_000;

/// A timer that is later than this, in nanoseconds, was not delayed by the thread's work: the computer slept, the worker was frozen with
/// its page, or a debugger paused the thread. Browsers offer to stop a page that does not respond for so long.
pub(super) const IMPLAUSIBLE: u64 = 5 * SECOND;

/// What may delay a timer, apart from the thread's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delays {
    /// Nothing.
    None,
    /// A freeze of the page, which a message reports.
    Frozen,
    /// Throttling, which no event reports.
    Throttled,
}

/// Decides whether the lateness of a timer is a sample.
#[derive(Debug)]
pub(super) struct Lateness {
    delays: Delays,
    throttled: bool,
    /// A late timer that becomes a sample at the next one, unless an event or that timer shows that the browser delayed it.
    held: Option<Span>,
    /// The time at which the previous timer fired, if it was late.
    fired_late: Option<u64>,
}

impl Lateness {
    pub(super) const fn new(delays: Delays) -> Self {
        Self {
            delays,
            throttled: false,
            held: None,
            fired_late: None,
        }
    }

    /// Discards what is known about earlier timers: the page was hidden or did not run.
    pub(super) fn interrupt(&mut self) {
        *self = Self::new(self.delays);
    }

    /// Adds a timer that was due at the start of the span and fired at its end. `explained` is `true` if measured polls kept the thread
    /// busy in between. Returns the samples: the one that was held, and this one.
    pub(super) fn sample(&mut self, late: Span, explained: bool) -> [Option<Span>; 2] {
        if late.nanos() >= IMPLAUSIBLE {
            let held = self.held.take();
            self.interrupt();
            return [held, None];
        }
        if self.delays == Delays::None || explained || late.nanos() < ON_TIME {
            let held = self.held.take();
            self.interrupt();
            return [held, Some(late)];
        }
        let before = self.fired_late.replace(late.end);
        let aligned = before.is_some_and(|before| is_whole_seconds(late.end.saturating_sub(before)));
        self.throttled |= aligned && self.delays == Delays::Throttled;
        if self.throttled {
            self.held = None;
            return [None, None];
        }
        [self.held.replace(late), None]
    }
}

const fn is_whole_seconds(nanos: u64) -> bool {
    let beyond = (nanos + JITTER) % SECOND;
    nanos + JITTER >= SECOND && beyond <= 2 * JITTER
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const MS: u64 = 1_000_000;

    fn span(due: u64, fired: u64) -> Span {
        Span {
            start: due * MS,
            end: fired * MS,
        }
    }

    /// The samples of a timer of 50 ms that is set again whenever it fires.
    fn samples(mut lateness: Lateness, fired: &[u64]) -> Vec<Span> {
        let mut set = 0;
        let mut samples = Vec::new();
        for &fired in fired {
            let found = lateness.sample(span(set + 50, fired), false);
            samples.extend(found.into_iter().flatten());
            set = fired;
        }
        samples
    }

    #[test]
    fn a_throttled_timer_is_no_sample() {
        for first in [230, 500, 990] {
            let fired: Vec<u64> = (0..10).map(|second| first + second * 1000).collect();
            assert_eq!(
                samples(Lateness::new(Delays::Throttled), &fired),
                [],
                "first at {first} ms"
            );
        }
        // Once per minute, as after five minutes in the background, each is too late to be plausible.
        assert_eq!(samples(Lateness::new(Delays::Throttled), &[60_000, 120_000]), []);
    }

    #[test]
    fn a_busy_thread_is_a_sample_one_period_later() {
        let lates = samples(Lateness::new(Delays::Throttled), &[50, 350, 400, 450]);
        assert_eq!(
            lates,
            [span(50, 50), span(100, 350), span(400, 400), span(450, 450)]
        );
        let mut lateness = Lateness::new(Delays::Throttled);
        assert_eq!(lateness.sample(span(50, 300), false), [None, None]);
        assert_eq!(
            lateness.sample(span(350, 351), false),
            [Some(span(50, 300)), Some(span(350, 351))]
        );
    }

    #[test]
    fn stalls_in_a_row_are_samples() {
        let lates = samples(Lateness::new(Delays::Throttled), &[200, 400, 600, 650]);
        assert_eq!(lates.len(), 4);
        // A second apart, but measured polls ran meanwhile.
        let mut lateness = Lateness::new(Delays::Throttled);
        for late in [span(50, 1000), span(1050, 2000), span(2050, 3000)] {
            assert_eq!(lateness.sample(late, true), [None, Some(late)]);
        }
    }

    #[test]
    fn a_timer_on_time_ends_the_throttling() {
        let lates = samples(
            Lateness::new(Delays::Throttled),
            &[500, 1500, 2500, 2550, 2900, 2950],
        );
        assert_eq!(lates, [span(2550, 2550), span(2600, 2900), span(2950, 2950)]);
    }

    #[test]
    fn an_implausible_gap_is_no_sample() {
        for delays in [Delays::None, Delays::Throttled] {
            let lates = samples(Lateness::new(delays), &[50, 8 * 3_600_000, 8 * 3_600_000 + 50]);
            assert_eq!(lates.len(), 2, "{lates:?}");
            assert!(lates.iter().all(|late| late.nanos() == 0), "{lates:?}");
        }
    }

    #[test]
    fn a_host_that_never_throttles_gives_each_sample_at_once() {
        let mut lateness = Lateness::new(Delays::None);
        for late in [span(50, 1000), span(1050, 2000)] {
            assert_eq!(lateness.sample(late, false), [None, Some(late)]);
        }
    }

    #[test]
    fn a_late_timer_of_a_worker_waits_for_the_events_of_its_page() {
        let mut lateness = Lateness::new(Delays::Frozen);
        assert_eq!(lateness.sample(span(50, 2050), false), [None, None]);
        lateness.interrupt();
        assert_eq!(
            lateness.sample(span(2100, 2101), false),
            [None, Some(span(2100, 2101))]
        );
        // A worker is not throttled: whole seconds are samples too.
        for late in [span(2151, 3151), span(3201, 4151)] {
            assert_eq!(lateness.sample(late, false)[1], None);
        }
        assert_eq!(
            lateness.sample(span(4201, 4202), false),
            [Some(span(3201, 4151)), Some(span(4201, 4202))]
        );
    }
}
