//! The flavour with one worker, which the thread that calls `block_on` runs.

use core::future::Future;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context as TaskContext, Poll, Waker};
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex};
use std::task::Wake;

use super::context::{Context, Core};
use super::coop;
use super::shared::Shared;
use super::worker::EVENT_INTERVAL;

/// Wakes the root future: sets its flag and ends the worker's wait.
struct RootWaker {
    woken: AtomicBool,
    shared: Arc<Shared>,
}

impl Wake for RootWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Ordering: pairs with `take`: what the waker did before is seen by the poll after.
        self.woken.store(true, Ordering::Release);
        // The worker itself checks the flag before it sleeps.
        if Context::with(&self.shared, |context| context.is_none()) {
            self.shared.workers[0].unpark.unpark(&self.shared.driver);
        }
    }
}

impl RootWaker {
    fn is_woken(&self) -> bool {
        // Ordering: a hint; `take` decides.
        self.woken.load(Ordering::Relaxed)
    }

    fn take(&self) -> bool {
        // Ordering: pairs with `wake_by_ref`.
        self.woken.swap(false, Ordering::Acquire)
    }
}

/// Holds the worker while no thread blocks on the runtime.
pub(super) struct CoreSlot {
    core: Mutex<Option<Core>>,
    returned: Condvar,
}

impl CoreSlot {
    pub(super) fn new(core: Option<Core>) -> CoreSlot {
        CoreSlot {
            core: Mutex::new(core),
            returned: Condvar::new(),
        }
    }

    /// Takes the worker, once no other thread blocks on the runtime.
    fn take(&self) -> Core {
        let mut core = self.core.lock().unwrap();
        loop {
            match core.take() {
                Some(core) => return core,
                None => core = self.returned.wait(core).unwrap(),
            }
        }
    }

    fn put(&self, core: Option<Core>) {
        *self.core.lock().unwrap() = core;
        self.returned.notify_one();
    }

    /// Takes the worker for good.
    pub(super) fn take_for_good(&mut self) -> Option<Core> {
        self.core.get_mut().unwrap().take()
    }
}

/// Runs the root future and the runtime's tasks on this thread until the former is done. Hook: `inc_root_polls` for each
/// poll of the root, which is no task.
pub(super) fn block_on<F: Future>(shared: &Arc<Shared>, slot: &CoreSlot, root: F) -> F::Output {
    /// Gives the worker back, also when the root panics.
    struct PutBack<'a>(&'a CoreSlot, &'a Context);
    impl Drop for PutBack<'_> {
        fn drop(&mut self) {
            self.1.metrics.end_processing_scheduled_tasks();
            self.0.put(self.1.core.take());
        }
    }

    let wake = Arc::new(RootWaker {
        woken: AtomicBool::new(true),
        shared: Arc::clone(shared),
    });
    let waker = Waker::from(Arc::clone(&wake));
    let mut cx = TaskContext::from_waker(&waker);
    let mut root = pin!(root);
    Context::enter(shared, slot.take(), |context| {
        let _put_back = PutBack(slot, context);
        context.metrics.start_processing_scheduled_tasks();
        loop {
            if wake.take() {
                context.metrics.inc_root_polls();
                if let Poll::Ready(output) = coop::with_budget(|| root.as_mut().poll(&mut cx)) {
                    return output;
                }
            }
            let ran = run_tasks(context);
            if wake.is_woken() {
                // A root that keeps waking itself must not starve the driver.
                shared.driver.turn_now();
            } else if !ran {
                context.metrics.end_processing_scheduled_tasks();
                context.sleep();
                context.metrics.start_processing_scheduled_tasks();
            }
        }
    })
}

/// Runs tasks until it is time to poll the root and the driver again. Returns `false` if there was no task.
// Never inlined, as is `next_task`: a benchmark compiles the testbed with and without metrics, and what is inlined would depend
// on how often each copy is called.
#[inline(never)]
fn run_tasks(context: &Context) -> bool {
    for done in 0..EVENT_INTERVAL {
        let Some(task) = context.next_task() else {
            return done > 0;
        };
        context.run_task(task);
        context.maintain();
    }
    true
}
