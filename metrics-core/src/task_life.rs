//! The life of one task, as a wrapper around its future sees it.

use crate::tasks::TaskEnd;

/// Tells how a task ended, once, from the polls and the drop of its future. For adapters that wrap futures.
///
/// A wrapper calls [`start_poll`](Self::start_poll) and [`end_poll`](Self::end_poll) around each poll,
/// [`start_drop`](Self::start_drop) before its future is dropped and [`end_drop`](Self::end_drop) after. Of these calls one returns
/// the end: a future that is polled again after `Ready`, or panics then, has ended before.
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
    /// In a poll, or past one that panicked.
    Polling,
    /// Its future is being dropped, on a thread that was or was not unwinding before.
    Dropping {
        unwinding: bool,
    },
    Ended,
}

impl TaskLife {
    /// A task that has just been spawned.
    pub const fn new() -> Self {
        Self(Stage::New)
    }

    /// Whether the task has been neither polled nor dropped.
    pub const fn is_new(&self) -> bool {
        matches!(self.0, Stage::New)
    }

    /// The future is about to be polled.
    #[inline]
    pub const fn start_poll(&mut self) {
        if !matches!(self.0, Stage::Ended) {
            self.0 = Stage::Polling;
        }
    }

    /// The future's poll has returned. A poll that panics calls nothing.
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

    /// The future is about to be dropped, on a thread that is or is not `unwinding` from a panic.
    #[inline]
    pub const fn start_drop(&mut self, unwinding: bool) {
        if matches!(self.0, Stage::New | Stage::Waiting) {
            self.0 = Stage::Dropping { unwinding };
        }
    }

    /// The future has been dropped. The task panicked if its last poll did, or if the thread is `unwinding` now and was not before.
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
    #[cfg(target_arch = "wasm32")]
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
    fn a_task_ends_once() {
        for polls in [&[true][..], &[false, true], &[true, true], &[true, false]] {
            let (life, end) = polled(polls);
            assert_eq!(end, Some(TaskEnd::Completed));
            assert_eq!(dropped(life, false, true), None);
        }
        let (mut life, _) = polled(&[true]);
        life.start_poll();
        assert_eq!(dropped(life, true, true), None, "it panicked when polled again");
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
