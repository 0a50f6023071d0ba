//! The cooperative budget: a task whose resources are always ready must yield now and then.
//!
//! Every resource of the testbed spends one unit per operation through [`poll_proceed`]. A task whose budget is spent gets
//! `Pending` from it and is scheduled again at the back. The LIFO chain of a worker shares one budget, or two tasks that
//! wake each other would starve the queue together.

use core::cell::Cell;
use core::future::poll_fn;
use core::task::{Context, Poll};

/// Operations between two returns to the scheduler, as in Tokio.
pub const BUDGET: u32 = 128;

#[derive(Clone, Copy)]
struct Budget {
    left: u32,
    /// A resource refused in the poll that runs now.
    refused: bool,
}

thread_local! {
    /// `None` outside a worker: code outside a worker is not limited.
    static CURRENT: Cell<Option<Budget>> = const { Cell::new(None) };
}

/// Runs `f` with a fresh budget, and afterwards restores what was before.
pub(super) fn with_budget<R>(f: impl FnOnce() -> R) -> R {
    struct Restore(Option<Budget>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(self.0);
        }
    }
    let _restore = Restore(CURRENT.replace(Some(Budget {
        left: BUDGET,
        refused: false,
    })));
    f()
}

/// Spends one unit, or returns `Pending` and wakes the task if no unit is left.
pub fn poll_proceed(cx: &mut Context<'_>) -> Poll<()> {
    match CURRENT.get() {
        None => Poll::Ready(()),
        Some(Budget { left: 0, .. }) => {
            CURRENT.set(Some(Budget {
                left: 0,
                refused: true,
            }));
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        Some(budget) => {
            CURRENT.set(Some(Budget {
                left: budget.left - 1,
                ..budget
            }));
            Poll::Ready(())
        }
    }
}

/// Spends one unit, and yields if no unit is left.
pub async fn consume_budget() {
    poll_fn(poll_proceed).await;
}

/// Returns whether a resource was refused since the last call. Called at the end of each poll: spending the last unit is not a forced
/// yield, but a refused unit is.
pub(super) fn take_refused() -> bool {
    match CURRENT.get() {
        Some(budget) => {
            CURRENT.set(Some(Budget {
                refused: false,
                ..budget
            }));
            budget.refused
        }
        None => false,
    }
}
