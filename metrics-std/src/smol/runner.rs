//! [`Runner`]: makes a thread a worker of an executor while it polls the executor's future.

use core::cell::RefCell;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use std::task::Wake;

use metrics_core::IfRecording;
use pin_project_lite::pin_project;
use portable_atomic::{AtomicBool, AtomicUsize, Ordering};

use super::Executor;
use crate::Worker;
use crate::record::target::RecordingTarget;
use crate::record::{EnterGuard, enter_with};

thread_local! {
    /// The executor whose future this thread is polling.
    static CURRENT: RefCell<Option<Executor>> = const { RefCell::new(None) };
}

/// Returns the executor whose future this thread is polling.
pub(super) fn current() -> Option<Executor> {
    CURRENT.try_with(|current| current.borrow().clone()).ok()?
}

pin_project! {
    /// Polls a future of an executor, and reports what its thread does.
    pub(super) struct Runner<F> {
        executor: Executor,
        // Made by the first poll.
        thread: IfRecording<Option<WorkerThread>>,
        #[pin]
        future: F,
    }
}

impl<F> Runner<F> {
    pub(super) fn new(executor: Executor, future: F) -> Self {
        Self {
            executor,
            thread: IfRecording::new(|| None),
            future,
        }
    }
}

impl<F: Future> Future for Runner<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let current = Current::enter(this.executor);
        let Some(thread) = this.thread.get_mut().filter(|_| !current.is_nested) else {
            return this.future.poll(cx);
        };
        let worker = thread.get_or_insert_with(|| WorkerThread::start(this.executor));
        worker.unpark();
        let (signal, waker) = worker.waker(cx.waker());
        let polled = this.future.poll(&mut Context::from_waker(&waker));
        if polled.is_ready() {
            *thread = None;
        } else if !signal.woken.load(Ordering::Relaxed) {
            worker.park();
        }
        polled
    }
}

/// Makes an executor the current one until it is dropped.
struct Current {
    outer: Option<Executor>,
    /// Whether the executor was the current one before: the thread is its worker already.
    is_nested: bool,
}

impl Current {
    fn enter(executor: &Executor) -> Self {
        let outer = CURRENT.replace(Some(executor.clone()));
        Self {
            is_nested: outer.as_ref().is_some_and(|outer| outer.is(executor)),
            outer,
        }
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        CURRENT.replace(self.outer.take());
    }
}

/// A thread that is a worker.
struct WorkerThread {
    /// `None` if the thread could not lease a slot.
    worker: Option<EnterGuard>,
    is_parked: bool,
    waker: Option<(Arc<Signal>, Waker)>,
    workers: Arc<AtomicUsize>,
}

impl WorkerThread {
    fn start(executor: &Executor) -> Self {
        let workers = Arc::clone(executor.workers());
        // Ordering: relaxed, here and in the drop: no other data depends on the number.
        workers.fetch_add(1, Ordering::Relaxed);
        let target = executor.metrics().probe().target();
        let worker = Worker::lease_any(Arc::clone(&target.registry)).ok();
        let worker = worker.map(|worker| enter_with(worker, RecordingTarget::clone(target)));
        if let Some(worker) = &worker {
            worker.start_processing_scheduled_tasks();
        }
        Self {
            worker,
            is_parked: false,
            waker: None,
            workers,
        }
    }

    fn park(&mut self) {
        if let Some(worker) = &self.worker {
            worker.end_processing_scheduled_tasks();
            worker.park();
            self.is_parked = true;
        }
    }

    fn unpark(&mut self) {
        if let Some(worker) = &self.worker
            && self.is_parked
        {
            worker.unpark();
            worker.start_processing_scheduled_tasks();
            self.is_parked = false;
        }
    }

    /// Returns a waker that notes wakes in its signal, which is cleared.
    fn waker(&mut self, waker: &Waker) -> (Arc<Signal>, Waker) {
        let kept = self.waker.take();
        let (signal, waker) = kept
            .filter(|(signal, _)| signal.waker.will_wake(waker))
            .unwrap_or_else(|| {
                let signal = Arc::new(Signal {
                    woken: AtomicBool::new(false),
                    waker: waker.clone(),
                });
                let waker = Waker::from(Arc::clone(&signal));
                (signal, waker)
            });
        signal.woken.store(false, Ordering::Relaxed);
        self.waker = Some((Arc::clone(&signal), waker.clone()));
        (signal, waker)
    }
}

impl Drop for WorkerThread {
    fn drop(&mut self) {
        self.workers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The waker of the future, which notes that it was woken: the future is polled again at once, so its thread does not park.
struct Signal {
    // Ordering: relaxed everywhere: a wake that is noted late counts one more park, of no length.
    woken: AtomicBool,
    waker: Waker,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Relaxed);
        self.waker.wake_by_ref();
    }
}
