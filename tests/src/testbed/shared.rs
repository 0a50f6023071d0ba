//! The state that all threads of a runtime share, and the scheduling of tasks.

use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Waker;
use std::io;
use std::sync::{Arc, Mutex};
use std::thread;

use crossbeam_deque::Injector;
use slab::Slab;

use super::Registry;
use super::blocking;
use super::builder::Limits;
use super::context::{Context, Core};
use super::driver::Driver;
use super::idle::Idle;
use super::metrics::{self, EnterGuard, Worker};
use super::multi_thread::drain;
use super::park::{self, Unpark};
use super::queue::{Entry, LocalQueue, Pushed, Remote, retry};
use super::runtime::Flavor;
use super::task::Runnable;

pub(super) struct Shared {
    pub(super) flavor: Flavor,
    pub(super) registry: Registry,
    /// The global queue: tasks scheduled by other threads, and tasks for which local queues have no room.
    pub(super) global: Injector<Runnable>,
    pub(super) workers: Box<[WorkerHandle]>,
    pub(super) idle: Idle,
    pub(super) driver: Driver,
    pub(super) blocking: blocking::Pool,
    tasks: Mutex<Tasks>,
    closed: AtomicBool,
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
}

/// The part of a worker that other threads use.
pub(super) struct WorkerHandle {
    pub(super) queue: Arc<Remote>,
    pub(super) unpark: Unpark,
}

/// The tasks that have not ended, so that a shutdown can end them.
struct Tasks {
    accepting: bool,
    wakers: Slab<Waker>,
}

impl Shared {
    /// The shared part, and the core of each worker for the threads that will run them.
    pub(super) fn new(registry: Registry, limits: &Limits) -> io::Result<(Arc<Shared>, Vec<Core>)> {
        let (mut cores, mut workers) = (Vec::new(), Vec::new());
        for index in 0..limits.workers {
            let queue = LocalQueue::new(limits.local_queue_capacity);
            let (park, unpark) = park::pair();
            workers.push(WorkerHandle {
                queue: queue.remote(),
                unpark,
            });
            cores.push(Core {
                index,
                queue,
                park: Some(park),
                tick: 0,
                searching: false,
            });
        }
        let shared = Arc::new(Shared {
            global: Injector::new(),
            idle: Idle::new(workers.len()),
            workers: workers.into_boxed_slice(),
            driver: Driver::new(Arc::clone(&registry))?,
            blocking: blocking::Pool::new(Arc::clone(&registry), limits.blocking_threads),
            registry,
            flavor: limits.flavor,
            tasks: Mutex::new(Tasks {
                accepting: true,
                wakers: Slab::new(),
            }),
            closed: AtomicBool::new(false),
            threads: Mutex::new(Vec::new()),
        });
        Ok((shared, cores))
    }

    /// Leases a slot for this thread, which now serves worker `index`, and makes it the thread's current worker: a
    /// wrapped future polled here is recorded in it.
    pub(super) fn lease(&self, index: usize) -> EnterGuard {
        let worker = Worker::lease(Arc::clone(&self.registry), index).expect("the storage of a server grows");
        let worker = metrics::enter(worker);
        // Submits at once: if the first poll stalls, the watchdog reports the thread.
        worker.submit();
        worker
    }

    /// Queues a task. Hooks: `inc_local_schedule_count`, `inc_overflow_count`, `remote_schedule`.
    pub(super) fn schedule(self: &Arc<Self>, task: Runnable, entry: Entry) {
        Context::with(self, |context| match context {
            Some(context) if context.core.borrow().is_some() => {
                if let Some(pushed) = context.with_core(|core| core.queue.push(task, entry, &self.global)) {
                    self.record(context, &pushed);
                }
            }
            _ => {
                self.registry.shared().remote_schedule();
                self.global.push(task);
                self.notify();
            }
        });
    }

    fn record(&self, context: &Context, pushed: &Pushed) {
        if pushed.local {
            context.metrics.inc_local_schedule_count();
        }
        if let Some(moved) = pushed.overflowed {
            context.metrics.inc_overflow_count(moved);
        }
        if pushed.stealable {
            self.notify();
        }
    }

    /// Wakes a worker for new work, if no worker is searching.
    pub(super) fn notify(&self) {
        if let Some(worker) = self.idle.worker_to_notify() {
            self.workers[worker].unpark.unpark(&self.driver);
        }
    }

    /// Returns whether there is work that a searching worker could find.
    pub(super) fn has_work(&self) -> bool {
        !self.global.is_empty() || self.workers.iter().any(|worker| worker.queue.is_stealable())
    }

    /// Puts a new task on the list, unless the runtime is shutting down.
    pub(super) fn adopt<T>(&self, spawn: impl FnOnce(usize) -> (Runnable, T)) -> Option<(Runnable, T)> {
        let mut tasks = self.tasks.lock().unwrap();
        if !tasks.accepting {
            return None;
        }
        let entry = tasks.wakers.vacant_entry();
        let (runnable, task) = spawn(entry.key());
        entry.insert(runnable.waker());
        Some((runnable, task))
    }

    /// Takes an ended task off the list.
    pub(super) fn disown(&self, key: usize) {
        let waker = self.tasks.lock().unwrap().wakers.try_remove(key);
        // Outside the lock: this may be the last reference to the task.
        drop(waker);
    }

    pub(super) fn num_alive_tasks(&self) -> usize {
        self.tasks.lock().unwrap().wakers.len()
    }

    pub(super) fn is_closed(&self) -> bool {
        // Ordering: pairs with `close`.
        self.closed.load(Ordering::Acquire)
    }

    /// Starts a thread that is joined at the shutdown.
    pub(super) fn start_thread(&self, name: String, f: impl FnOnce() + Send + 'static) {
        let thread = thread::Builder::new()
            .name(name)
            .spawn(f)
            .expect("the system has a thread left");
        self.threads.lock().unwrap().push(thread);
    }

    /// Ends everything: workers leave their loops, then every task that is left is dropped unfinished.
    ///
    /// `core` is the current-thread flavour's worker, which no thread serves now.
    pub(super) fn close(self: &Arc<Self>, core: Option<Core>) {
        self.tasks.lock().unwrap().accepting = false;
        // Ordering: pairs with `is_closed`.
        self.closed.store(true, Ordering::Release);
        for worker in &self.workers {
            worker.unpark.unpark(&self.driver);
        }
        self.blocking.close();
        // A worker may start another thread while it ends, so take them one at a time.
        while let Some(thread) = self.next_thread() {
            thread.join().expect("a worker's loop does not panic");
        }
        if let Some(core) = core {
            Context::enter(self, core, drain);
        }

        // A woken task is scheduled once more and then dropped here instead of being run.
        let wakers: Vec<Waker> = self
            .tasks
            .lock()
            .unwrap()
            .wakers
            .iter()
            .map(|(_, waker)| waker.clone())
            .collect();
        wakers.into_iter().for_each(Waker::wake);
        while let Some(task) = retry(|| self.global.steal()) {
            drop(task);
        }
    }

    fn next_thread(&self) -> Option<thread::JoinHandle<()>> {
        self.threads.lock().unwrap().pop()
    }
}
