//! The life of one task, as a wrapper around its future observes it.

use crate::tasks::TaskEnd;

/// Determines how a task ended from the polls and the drop of its future. It reports the end exactly once. For
/// adapters that wrap futures.
///
/// Call [`start_poll`](Self::start_poll) and [`end_poll`](Self::end_poll) around each poll,
/// [`start_drop`](Self::start_drop) before the future is dropped and [`end_drop`](Self::end_drop) after it. Exactly
/// one of these calls returns the end. A future that is polled again after `Ready`, or panics then, has already ended.
///
/// ```
/// use metrics_core::{TaskEnd, TaskLife};
///
/// let mut life = TaskLife::new();
/// life.start_poll();
/// assert_eq!(life.end_poll(true), Some(TaskEnd::Completed));
/// life.start_drop(false);
/// assert_eq!(life.end_drop(false), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct TaskLife(Stage);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Not polled yet.
    #[default]
    New,
    /// Between two polls.
    Waiting,
    /// In a poll, or after one that panicked.
    Polling,
    /// The future is being dropped. The field is whether the thread was already unwinding.
    Dropping {
        unwinding: bool,
    },
    Ended,
}

impl TaskLife {
    /// Creates the state of a task that was just spawned.
    pub const fn new() -> Self {
        Self(Stage::New)
    }

    /// Returns `true` if the task has been neither polled nor dropped.
    pub const fn is_new(&self) -> bool {
        matches!(self.0, Stage::New)
    }

    /// Reports that the future is about to be polled.
    #[inline]
    pub const fn start_poll(&mut self) {
        if !matches!(self.0, Stage::Ended) {
            self.0 = Stage::Polling;
        }
    }

    /// Reports that the future's poll returned. Don't call it for a poll that panics.
    #[inline]
    pub const fn end_poll(&mut self, ready: bool) -> Option<TaskEnd> {
        match (self.0, ready) {
            (Stage::Ended, _) => None,
            (_, true) => {
                self.0 = Stage::Ended;
                Some(TaskEnd::Completed)
            }
            (_, false) => {
                self.0 = Stage::Waiting;
                None
            }
        }
    }

    /// Reports that the future is about to be dropped. `unwinding` is whether the thread is unwinding from a panic.
    #[inline]
    pub const fn start_drop(&mut self, unwinding: bool) {
        if matches!(self.0, Stage::New | Stage::Waiting) {
            self.0 = Stage::Dropping { unwinding };
        }
    }

    /// Reports that the future has been dropped. The task panicked if its last poll did, or if the thread is
    /// `unwinding` now and was not before.
    #[inline]
    pub const fn end_drop(&mut self, unwinding: bool) -> Option<TaskEnd> {
        let end = match self.0 {
            Stage::Ended => return None,
            Stage::Polling => TaskEnd::Panicked,
            Stage::Dropping { unwinding: before } if unwinding && !before => TaskEnd::Panicked,
            Stage::New | Stage::Waiting | Stage::Dropping { .. } => TaskEnd::Cancelled,
        };
        self.0 = Stage::Ended;
        Some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn polled(ready: &[bool]) -> (TaskLife, Option<TaskEnd>) {
        let mut life = TaskLife::new();
        let mut end = None;
        for &ready in ready {
            life.start_poll();
            let ended = life.end_poll(ready);
            assert!(end.is_none() || ended.is_none(), "a second end");
            end = end.or(ended);
        }
        (life, end)
    }

    fn dropped(mut life: TaskLife, before: bool, after: bool) -> Option<TaskEnd> {
        life.start_drop(before);
        life.end_drop(after)
    }

    #[test]
    fn a_task_is_new_until_its_first_poll_or_its_drop() {
        assert!(TaskLife::new().is_new());
        for polls in [&[false][..], &[true]] {
            assert!(!polled(polls).0.is_new());
        }
        let mut life = TaskLife::new();
        life.start_poll();
        assert!(!life.is_new());
        let mut life = TaskLife::new();
        life.start_drop(false);
        assert!(!life.is_new());
    }

    #[test]
    fn a_task_ends_once() {
        for polls in [&[true][..], &[false, true], &[true, true], &[true, false]] {
            let (life, end) = polled(polls);
            assert_eq!(end, Some(TaskEnd::Completed));
            assert_eq!(dropped(life, false, true), None);
        }
        let (mut life, _) = polled(&[true]);
        life.start_poll();
        assert_eq!(dropped(life, true, true), None, "the second poll panicked");
    }

    #[test]
    fn a_drop_before_ready_cancels() {
        for polls in [&[][..], &[false], &[false, false]] {
            for unwinding in [false, true] {
                let (life, end) = polled(polls);
                assert_eq!(end, None);
                assert_eq!(dropped(life, unwinding, unwinding), Some(TaskEnd::Cancelled));
            }
        }
    }

    #[test]
    fn a_panic_in_a_poll_or_in_the_drop_is_a_panic() {
        let (mut life, _) = polled(&[false]);
        life.start_poll();
        assert_eq!(dropped(life.clone(), true, true), Some(TaskEnd::Panicked));
        assert_eq!(
            dropped(life, false, false),
            Some(TaskEnd::Panicked),
            "caught in between"
        );
        let (life, _) = polled(&[false]);
        assert_eq!(dropped(life, false, true), Some(TaskEnd::Panicked));
    }
}
