//! The context of a thread that runs tasks: the worker's metrics, and the core that another thread may take over.

use core::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::metrics::EnterGuard;
use super::park::Park;
use super::queue::LocalQueue;
use super::shared::Shared;
use super::task::Scheduled;

/// A thread in its role as a worker.
///
/// The metrics belong to the thread, the [`Core`] to the worker's index: `block_in_place` hands the core to another
/// thread, which leases a slot of its own under the same index, while the poll that blocks is ended by the thread that
/// started it.
pub(super) struct Context {
    pub(super) shared: Arc<Shared>,
    pub(super) metrics: EnterGuard,
    pub(super) core: RefCell<Option<Core>>,
    /// When the task that runs now became scheduled, passed from the scheduler to the hooks around its poll.
    pub(super) scheduled: Cell<Scheduled>,
}

/// Everything that makes a thread worker number `index`.
pub(super) struct Core {
    pub(super) index: usize,
    pub(super) queue: LocalQueue,
    /// Taken out while the worker waits: the wakers that the I/O driver calls need the rest of the core.
    pub(super) park: Option<Park>,
    pub(super) tick: u32,
    pub(super) searching: bool,
}

thread_local! {
    /// A stack: a worker of one runtime may block on another, current-thread, runtime.
    static ENTERED: RefCell<Vec<Rc<Context>>> = const { RefCell::new(Vec::new()) };
}

impl Context {
    /// Makes this thread the worker that `core` describes while `f` runs.
    pub(super) fn enter<R>(shared: &Arc<Shared>, core: Core, f: impl FnOnce(&Context) -> R) -> R {
        struct Leave;
        impl Drop for Leave {
            fn drop(&mut self) {
                // The context is dropped after the borrow ends: that releases the slot and submits its last numbers.
                let _context = ENTERED.with_borrow_mut(Vec::pop);
            }
        }
        let metrics = shared.lease(core.index);
        let context = Rc::new(Context {
            shared: Arc::clone(shared),
            metrics,
            core: RefCell::new(Some(core)),
            scheduled: Cell::default(),
        });
        ENTERED.with_borrow_mut(|stack| stack.push(Rc::clone(&context)));
        let _leave = Leave;
        f(&context)
    }

    /// This thread's context, if it is now a worker of that runtime.
    pub(super) fn of(shared: &Arc<Shared>) -> Option<Rc<Context>> {
        Context::current().filter(|context| Arc::ptr_eq(&context.shared, shared))
    }

    /// This thread's context, if it is now a worker.
    pub(super) fn current() -> Option<Rc<Context>> {
        ENTERED.with_borrow(|stack| stack.last().cloned())
    }

    /// [`of`](Self::of), for places that may run while the thread ends.
    pub(super) fn with<R>(shared: &Arc<Shared>, f: impl FnOnce(Option<&Context>) -> R) -> R {
        let context = ENTERED
            .try_with(|stack| stack.borrow().last().cloned())
            .ok()
            .flatten();
        f(context
            .as_deref()
            .filter(|context| Arc::ptr_eq(&context.shared, shared)))
    }

    /// The core, unless another thread has taken it over.
    pub(super) fn with_core<R>(&self, f: impl FnOnce(&mut Core) -> R) -> Option<R> {
        self.core.borrow_mut().as_mut().map(f)
    }
}
