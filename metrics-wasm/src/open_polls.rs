//! The polls in progress on a thread. A trap ends them without unwinding, so that no guard records their end.

use crate::waker::TaskWaker;
use core::cell::{Cell, RefCell};
use std::sync::Arc;

/// The deepest nesting of measured futures whose tasks are known. A trap leaves deeper tasks alive in the metrics.
const DEPTH: usize = 8;

/// The measured polls in progress: one, and those nested in it.
#[derive(Default)]
pub(crate) struct OpenPolls {
    /// The tasks that are being polled, the outermost first.
    tasks: RefCell<[Option<Arc<TaskWaker>>; DEPTH]>,
    depth: Cell<usize>,
    /// The number of times that polls were abandoned. The end of a poll that began before the last time is not recorded.
    abandoned: Cell<u32>,
}

/// A poll that has begun.
pub(crate) struct OpenPoll {
    depth: usize,
    abandoned: u32,
}

impl OpenPoll {
    /// Returns `true` if another measured poll was in progress when it began.
    pub(crate) const fn is_nested(&self) -> bool {
        self.depth > 0
    }
}

impl OpenPolls {
    pub(crate) fn begin(&self, task: &Arc<TaskWaker>) -> OpenPoll {
        let depth = self.depth.get();
        if let Some(open) = self.tasks.borrow_mut().get_mut(depth) {
            *open = Some(Arc::clone(task));
        }
        self.depth.set(depth + 1);
        OpenPoll {
            depth,
            abandoned: self.abandoned.get(),
        }
    }

    /// Ends a poll. Returns `false` if it was abandoned.
    pub(crate) fn end(&self, poll: &OpenPoll) -> bool {
        if poll.abandoned != self.abandoned.get() {
            return false;
        }
        self.depth.set(poll.depth);
        if let Some(open) = self.tasks.borrow_mut().get_mut(poll.depth) {
            *open = None;
        }
        true
    }

    /// Abandons the polls in progress, and returns their tasks.
    pub(crate) fn abandon(&self) -> Vec<Arc<TaskWaker>> {
        if self.depth.replace(0) == 0 {
            return Vec::new();
        }
        self.abandoned.set(self.abandoned.get().wrapping_add(1));
        self.tasks
            .borrow_mut()
            .iter_mut()
            .filter_map(Option::take)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::PerformanceClock;
    use metrics_core::{Builder, LocationId};
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn task() -> Arc<TaskWaker> {
        let registry = Builder::new().build(PerformanceClock::UNAVAILABLE);
        TaskWaker::spawned(
            registry.expect("the defaults are valid"),
            Arc::default(),
            LocationId::UNKNOWN,
        )
    }

    #[test]
    fn an_abandoned_poll_has_no_end() {
        let polls = OpenPolls::default();
        let (outer, inner) = (task(), task());
        let trapped = polls.begin(&outer);
        assert!(!trapped.is_nested() && polls.begin(&inner).is_nested());
        let lost = polls.abandon();
        assert!(lost.len() == 2 && Arc::ptr_eq(&lost[0], &outer) && Arc::ptr_eq(&lost[1], &inner));
        let next = polls.begin(&inner);
        assert!(!next.is_nested(), "the poll before it is given up");
        assert!(!polls.end(&trapped));
        assert!(polls.end(&next) && polls.abandon().is_empty());
    }

    #[test]
    fn polls_end_from_the_innermost_outwards_at_any_depth() {
        let polls = OpenPolls::default();
        let task = task();
        let open: Vec<_> = (0..2 * DEPTH).map(|_| polls.begin(&task)).collect();
        assert_eq!(open.iter().filter(|poll| poll.is_nested()).count(), 2 * DEPTH - 1);
        assert!(open.iter().rev().all(|poll| polls.end(poll)));
        assert!(polls.abandon().is_empty());
        assert_eq!(Arc::strong_count(&task), 1, "no poll keeps it");
    }
}
