//! The rule that decides from a sequence of delays whether a runtime is overloaded.

use core::time::Duration;

use super::LoadState;

/// `CoDel`'s rule: a queue whose shortest delay stays above a target for an interval does not empty.
///
/// ```
/// use core::time::Duration;
/// use metrics_std::overload::{LoadState, OverloadRule};
///
/// let ms = Duration::from_millis;
/// let mut rule = OverloadRule::new(ms(5), ms(100));
/// assert_eq!(rule.update(ms(0), Some(ms(20))), LoadState::Normal);
/// assert_eq!(rule.update(ms(50), Some(ms(20))), LoadState::Normal, "perhaps a burst");
/// assert_eq!(rule.update(ms(100), Some(ms(20))), LoadState::Shedding);
/// assert_eq!(rule.update(ms(105), Some(ms(1))), LoadState::Accepting, "the queue is short again");
/// assert_eq!(rule.update(ms(110), Some(ms(6))), LoadState::Shedding, "at once, because the overload is not over");
/// assert_eq!(rule.update(ms(115), Some(ms(1))), LoadState::Accepting);
/// assert_eq!(rule.update(ms(210), Some(ms(1))), LoadState::Normal, "nothing was rejected for an interval");
/// ```
#[derive(Clone, Debug)]
pub struct OverloadRule {
    target: Duration,
    interval: Duration,
    state: LoadState,
    /// The first of the delays above the target that nothing has interrupted.
    above_since: Option<Duration>,
    /// The time of the last delay.
    last: Duration,
    /// The time of the last delay that led to [`LoadState::Shedding`].
    shed_at: Option<Duration>,
}

impl OverloadRule {
    /// Creates a rule with no delays yet.
    ///
    /// A `target` of 5 ms and an `interval` of 100 ms suit requests of a few milliseconds. The target is the delay that is acceptable at
    /// all times, and the interval is the length of a burst that is to be absorbed.
    pub const fn new(target: Duration, interval: Duration) -> Self {
        Self {
            target,
            interval,
            state: LoadState::Normal,
            above_since: None,
            last: Duration::ZERO,
            shed_at: None,
        }
    }

    /// Updates the state with the shortest `delay` since the last update, or `None` if none was measured.
    ///
    /// `None` keeps an overloaded runtime in its state until an interval has passed since it last shed load. An update after an interval
    /// or more without a delay forgets earlier delays above the target, unless its own delay is at least as long as that time: then the
    /// queue can't have been empty. `now` is the time of any clock that does not step back. Call this several times per interval.
    pub fn update(&mut self, now: Duration, delay: Option<Duration>) -> LoadState {
        let lasts = |since: Duration| now.saturating_sub(since) < self.interval;
        self.shed_at = self.shed_at.filter(|&shed_at| lasts(shed_at));
        let gap = now.saturating_sub(self.last);
        if gap >= self.interval && delay.is_none_or(|delay| delay < gap) {
            self.above_since = None;
        }
        let is_overloaded = self.shed_at.is_some();
        let accepts = if is_overloaded {
            LoadState::Accepting
        } else {
            LoadState::Normal
        };
        self.state = match delay {
            None if is_overloaded => self.state,
            None => LoadState::Normal,
            Some(delay) if delay <= self.target => {
                self.above_since = None;
                accepts
            }
            Some(_) if is_overloaded || !lasts(*self.above_since.get_or_insert(now)) => {
                self.shed_at = Some(now);
                LoadState::Shedding
            }
            Some(_) => accepts,
        };
        if delay.is_some() {
            self.last = now;
        }
        self.state
    }
}
