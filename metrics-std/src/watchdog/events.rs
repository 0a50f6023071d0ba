//! [`StallEvents`]: stalls as events of the crate `tracing`.

use super::{Stall, StallPhase};
use core::time::Duration;
use metrics_core::StallKind;
use std::time::SystemTime;

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
pub struct StallEvents {
    limit: u32,
    window: Duration,
    /// The start of the window in which events are counted.
    began: Option<SystemTime>,
    emitted: u32,
    suppressed: u64,
}

impl Default for StallEvents {
    /// At most ten events in ten seconds.
    fn default() -> Self {
        Self::at_most(10, Duration::from_secs(10))
    }
}

impl StallEvents {
    /// Emits at most `limit` events in each window of this length.
    pub fn at_most(limit: u32, window: Duration) -> Self {
        Self {
            limit,
            window,
            began: None,
            emitted: 0,
            suppressed: 0,
        }
    }

    /// Emits an event for the report of a stall, unless the limit is reached.
    pub fn emit(&mut self, stall: &Stall) {
        let Some(suppressed) = self.admit(stall.began + stall.lasted) else {
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

    /// Returns the number of events that were left out before this one, or `None` if this one is left out too.
    fn admit(&mut self, now: SystemTime) -> Option<u64> {
        // If the system's clock went back, a new window begins.
        let is_within = self
            .began
            .and_then(|began| now.duration_since(began).ok())
            .is_some_and(|age| age < self.window);
        if !is_within {
            self.began = Some(now);
            self.emitted = 0;
        }
        if self.emitted == self.limit {
            self.suppressed += 1;
            return None;
        }
        self.emitted += 1;
        Some(core::mem::take(&mut self.suppressed))
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
    use core::fmt::Write as _;
    use std::sync::{Arc, Mutex};
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    /// Keeps each event as one line.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<String>>>);

    struct Line(String);

    impl Visit for Line {
        fn record_debug(&mut self, field: &Field, value: &dyn core::fmt::Debug) {
            write!(self.0, " {}={value:?}", field.name()).unwrap();
        }
    }

    impl Subscriber for Lines {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, event: &Event<'_>) {
            let mut line = Line(format!(
                "{} {}",
                event.metadata().level(),
                event.metadata().target()
            ));
            event.record(&mut line);
            self.0.lock().unwrap().push(line.0);
        }
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

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

    fn emitted(emit: impl FnOnce()) -> Vec<String> {
        let lines = Lines::default();
        tracing::subscriber::with_default(lines.clone(), emit);
        Arc::into_inner(lines.0).unwrap().into_inner().unwrap()
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
