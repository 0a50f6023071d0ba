//! How many events of the crate `tracing` a watch emits.

use core::time::Duration;
use std::time::SystemTime;

/// Admits a number of events in each window of time, and counts the others.
#[derive(Debug)]
pub(crate) struct EventLimit {
    limit: u32,
    window: Duration,
    /// The start of the window in which events are counted.
    began: Option<SystemTime>,
    emitted: u32,
    suppressed: u64,
}

impl EventLimit {
    pub(crate) fn new(limit: u32, window: Duration) -> Self {
        Self {
            limit,
            window,
            began: None,
            emitted: 0,
            suppressed: 0,
        }
    }

    /// Returns the number of events that were left out before this one, or `None` if this one is left out too.
    pub(crate) fn admit(&mut self, now: SystemTime) -> Option<u64> {
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

#[cfg(test)]
pub(crate) mod test {
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

    pub(crate) fn emitted(emit: impl FnOnce()) -> Vec<String> {
        let lines = Lines::default();
        tracing::subscriber::with_default(lines.clone(), emit);
        Arc::into_inner(lines.0).unwrap().into_inner().unwrap()
    }
}
