//! The start and the end of an overload as events of the crate `tracing`.

use core::time::Duration;
use std::time::SystemTime;

use super::LoadState;
use crate::event_limit::EventLimit;

/// Emits an event when the runtime becomes overloaded, and one when the overload is over.
pub(super) struct OverloadEvents {
    runtime: Box<str>,
    limit: EventLimit,
    /// The start of the overload, and whether it had an event.
    overload: Option<(SystemTime, bool)>,
}

impl OverloadEvents {
    /// At most ten events in ten seconds: a runtime near its capacity is overloaded again and again.
    pub(super) fn new(runtime: &str) -> Self {
        Self {
            runtime: runtime.into(),
            limit: EventLimit::new(10, Duration::from_secs(10)),
            overload: None,
        }
    }

    /// Another watch of the runtime emits its events while this one is not watching.
    pub(super) fn update(&mut self, state: LoadState, is_watching: bool, now: SystemTime) {
        let state = if is_watching { state } else { LoadState::Normal };
        macro_rules! event {
            ($level:ident, $message:literal, $($field:tt)*) => {
                tracing::event!(
                    target: "metrics_std::overload",
                    tracing::Level::$level,
                    runtime = &*self.runtime,
                    $($field)*
                    $message
                )
            };
        }
        match (self.overload, state) {
            (None, LoadState::Shedding) => {
                let suppressed = self.limit.admit(now);
                self.overload = Some((now, suppressed.is_some()));
                if let Some(suppressed) = suppressed {
                    event!(WARN, "the runtime is overloaded", suppressed,);
                }
            }
            (Some((began, was_emitted)), LoadState::Normal) => {
                self.overload = None;
                if was_emitted {
                    let lasted = now.duration_since(began).unwrap_or_default();
                    event!(INFO, "the overload is over", seconds = lasted.as_secs_f64(),);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_limit::test::emitted;

    fn at(millis: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
    }

    #[test]
    fn an_overload_has_an_event_at_its_begin_and_at_its_end() {
        let lines = emitted(|| {
            let mut events = OverloadEvents::new("api");
            events.update(LoadState::Shedding, false, at(0));
            // Requests are accepted again and again until the overload is over.
            for (millis, state) in [
                (100, LoadState::Shedding),
                (200, LoadState::Accepting),
                (300, LoadState::Shedding),
                (400, LoadState::Accepting),
            ] {
                events.update(state, true, at(millis));
            }
            events.update(LoadState::Normal, true, at(600));
            events.update(LoadState::Normal, true, at(700));
        });
        assert_eq!(
            lines,
            [
                "WARN metrics_std::overload message=the runtime is overloaded runtime=\"api\" suppressed=0",
                "INFO metrics_std::overload message=the overload is over runtime=\"api\" seconds=0.5",
            ]
        );
    }

    #[test]
    fn overloads_over_the_limit_are_counted_in_the_next_event() {
        let lines = emitted(|| {
            let mut events = OverloadEvents::new("api");
            for begin in (0..120).map(|overload| 100 * overload) {
                events.update(LoadState::Shedding, true, at(begin));
                events.update(LoadState::Normal, true, at(begin + 50));
            }
        });
        let begins: Vec<&str> = lines
            .iter()
            .filter_map(|line| line.split("suppressed=").nth(1))
            .collect();
        // 100 overloads in ten seconds have ten events. The other 90 are counted in the first event of the next window.
        let counts: Vec<u64> = begins.iter().map(|count| count.parse().unwrap()).collect();
        assert_eq!(counts, [&[0; 10][..], &[90], &[0; 9]].concat());
        assert_eq!(lines.len(), 2 * begins.len(), "each has an end");
    }
}
