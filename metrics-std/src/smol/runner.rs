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
use super::pool::Pool;
use crate::Worker;
use crate::record::target::RecordingTarget;
use crate::record::{EnterGuard, enter_with};

thread_local! {
    /// The executors that this thread is polling, from the outermost to the innermost.
    static CURRENT: RefCell<Vec<Polling>> = const { RefCell::new(Vec::new()) };
}

/// An executor that a thread is polling.
struct Polling {
    pool: Arc<Pool>,
    /// `None` for a local executor.
    executor: Option<Executor>,
    /// Whether the thread is a worker of the executor.
    is_worker: bool,
}

/// Returns the executor that this thread is polling: the innermost one, without local executors.
pub(super) fn current() -> Option<Executor> {
    let innermost = |polling: &RefCell<Vec<Polling>>| {
        let polling = polling.borrow();
        polling.iter().rev().find_map(|polling| polling.executor.clone())
    };
    CURRENT.try_with(innermost).ok()?
}

pin_project! {
    /// Polls a future of an executor, and reports what its thread does.
    pub(super) struct Runner<F> {
        pool: Arc<Pool>,
        // `None` for a local executor.
        executor: Option<Executor>,
        // Made by the first poll.
        thread: IfRecording<Option<WorkerThread>>,
        #[pin]
        future: F,
    }
}

impl<F> Runner<F> {
    pub(super) fn new(pool: Arc<Pool>, executor: Option<Executor>, future: F) -> Self {
        Self {
            pool,
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
        let is_nested = is_worker_of(this.pool);
        let _current = Current::enter(this.pool, this.executor.as_ref(), true);
        let Some(thread) = this.thread.get_mut().filter(|_| !is_nested) else {
            return this.future.poll(cx);
        };
        let worker = thread.get_or_insert_with(|| WorkerThread::start(this.pool));
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

/// Returns whether this thread is a worker of an executor that it is polling.
fn is_worker_of(pool: &Arc<Pool>) -> bool {
    let is = |polling: &Polling| polling.is_worker && Arc::ptr_eq(&polling.pool, pool);
    CURRENT.with_borrow(|polling| polling.iter().any(is))
}

/// Makes an executor the current one until it is dropped.
pub(super) struct Current(());

impl Current {
    pub(super) fn enter(pool: &Arc<Pool>, executor: Option<&Executor>, is_worker: bool) -> Self {
        let entered = Polling {
            pool: Arc::clone(pool),
            executor: executor.cloned(),
            is_worker,
        };
        CURRENT.with_borrow_mut(|polling| polling.push(entered));
        Self(())
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        // Dropped after the borrow: its executor may be the last clone, and drops its tasks.
        let ended = CURRENT.with_borrow_mut(Vec::pop);
        drop(ended);
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
    fn start(pool: &Pool) -> Self {
        let workers = Arc::clone(&pool.workers);
        // Ordering: relaxed, here and in the drop: no other data depends on the number.
        workers.fetch_add(1, Ordering::Relaxed);
        let target = pool.target();
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
