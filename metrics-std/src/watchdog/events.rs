//! [`StallEvents`]: stalls as events of the crate `tracing`.

use super::{Stall, StallPhase};
use crate::event_limit::EventLimit;
use core::time::Duration;
use metrics_core::StallKind;

/// Emits an event of the crate `tracing` for each stall, up to a limit per window of time.
///
/// ```
/// use core::time::Duration;
/// use metrics_std::watchdog::{StallEvents, watch_stalls};
/// # use metrics_std::{Builder, Clock, build_wrapped};
/// # let metrics = build_wrapped(Builder::new(), Clock::new())?;
///
/// let mut events = StallEvents::default();
/// let _watchdog = watch_stalls(&metrics, Duration::from_millis(50), move |stall| events.emit(stall))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A stall in progress is a warning, and its end is an event of the level `INFO`. The target is `metrics_std::stall`. The fields are
/// `runtime`, `worker` (an index, `external`, or `several` in a queue stall of several workers), `thread`, `os_thread_id`, `kind`,
/// `spawn_location`, `is_group` (whether that is a [group](Stall::is_group)), `seconds`, `clock_stepped` and `suppressed`: the number of
/// events that the limit has left out since the last one.
#[derive(Debug)]
pub struct StallEvents(EventLimit);

impl Default for StallEvents {
    /// At most ten events in ten seconds.
    fn default() -> Self {
        Self::at_most(10, Duration::from_secs(10))
    }
}

impl StallEvents {
    /// Emits at most `limit` events in each window of this length.
    pub fn at_most(limit: u32, window: Duration) -> Self {
        Self(EventLimit::new(limit, window))
    }

    /// Emits an event for the report of a stall, unless the limit is reached.
    pub fn emit(&mut self, stall: &Stall) {
        let Some(suppressed) = self.0.admit(stall.began + stall.lasted) else {
            return;
        };
        macro_rules! event {
            ($level:ident, $message:literal) => {
                tracing::event!(
                    target: "metrics_std::stall",
                    tracing::Level::$level,
                    runtime = &*stall.runtime,
                    worker = %WorkerName(stall),
                    thread = stall.thread.as_deref(),
                    os_thread_id = stall.os_thread_id,
                    kind = kind(stall.kind),
                    spawn_location = stall.spawn_location.as_deref(),
                    is_group = stall.is_group,
                    seconds = stall.lasted.as_secs_f64(),
                    clock_stepped = stall.clock_stepped,
                    suppressed,
                    $message
                )
            };
        }
        match stall.phase {
            StallPhase::Ongoing => event!(WARN, "a worker is stalled"),
            StallPhase::Over => event!(INFO, "a stall is over"),
        }
    }
}

struct WorkerName<'a>(&'a Stall);

impl core::fmt::Display for WorkerName<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0.worker {
            Some(index) => index.fmt(f),
            None if self.0.kind == StallKind::Queue => f.write_str("several"),
            None => f.write_str("external"),
        }
    }
}

fn kind(kind: StallKind) -> &'static str {
    match kind {
        StallKind::Poll => "poll",
        StallKind::NoProgress => "no_progress",
        StallKind::Queue => "queue",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_limit::test::emitted;
    use std::sync::Arc;
    use std::time::SystemTime;

    fn stall(seconds: u64) -> Stall {
        Stall {
            phase: StallPhase::Ongoing,
            kind: StallKind::Poll,
            runtime: "api".into(),
            worker: Some(3),
            thread: Some("worker".into()),
            os_thread_id: Some(4711),
            spawn_location: Some("src/main.rs:7".into()),
            is_root: false,
            is_group: false,
            began: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
            lasted: Duration::from_millis(60),
            clock_stepped: false,
            victims: Arc::default(),
        }
    }

    #[test]
    fn a_stall_is_an_event_with_fields() {
        let lines = emitted(|| {
            let mut events = StallEvents::default();
            events.emit(&stall(1));
            events.emit(&Stall {
                phase: StallPhase::Over,
                worker: None,
                thread: None,
                os_thread_id: None,
                spawn_location: None,
                kind: StallKind::NoProgress,
                ..stall(1)
            });
            events.emit(&Stall {
                worker: None,
                kind: StallKind::Queue,
                spawn_location: None,
                ..stall(1)
            });
            events.emit(&Stall {
                spawn_location: Some("/orders/{id}".into()),
                is_group: true,
                ..stall(1)
            });
        });
        assert_eq!(
            lines,
            [
                "WARN metrics_std::stall message=a worker is stalled runtime=\"api\" worker=3 thread=\"worker\" os_thread_id=4711 \
                 kind=\"poll\" spawn_location=\"src/main.rs:7\" is_group=false seconds=0.06 clock_stepped=false \
                 suppressed=0",
                "INFO metrics_std::stall message=a stall is over runtime=\"api\" worker=external kind=\"no_progress\" is_group=false \
                 seconds=0.06 clock_stepped=false suppressed=0",
                "WARN metrics_std::stall message=a worker is stalled runtime=\"api\" worker=several thread=\"worker\" os_thread_id=4711 \
                 kind=\"queue\" is_group=false seconds=0.06 clock_stepped=false suppressed=0",
                "WARN metrics_std::stall message=a worker is stalled runtime=\"api\" worker=3 thread=\"worker\" os_thread_id=4711 \
                 kind=\"poll\" spawn_location=\"/orders/{id}\" is_group=true seconds=0.06 clock_stepped=false suppressed=0",
            ]
        );
    }

    #[test]
    fn the_limit_applies_to_the_times_of_the_reports() {
        let lines = emitted(|| {
            let mut events = StallEvents::at_most(1, Duration::from_secs(10));
            // Reported at 105 and 109 s.
            for (began, lasted) in [(100, 5), (108, 1)] {
                let lasted = Duration::from_secs(lasted);
                events.emit(&Stall {
                    lasted,
                    ..stall(began)
                });
            }
        });
        assert_eq!(lines.len(), 1, "{lines:?}");
    }

    #[test]
    fn events_over_the_limit_are_counted_in_the_next_one() {
        let lines = emitted(|| {
            let mut events = StallEvents::at_most(2, Duration::from_secs(10));
            for seconds in [100, 101, 102, 109, 110, 111, 119, 90] {
                events.emit(&stall(seconds));
            }
        });
        let suppressed: Vec<&str> = lines
            .iter()
            .filter_map(|line| line.split("suppressed=").nth(1))
            .collect();
        // At 100 and 101; two are left out; at 110 and 111; one is left out; the clock went back to 90.
        assert_eq!(suppressed, ["0", "0", "2", "0", "1"]);
    }
}
