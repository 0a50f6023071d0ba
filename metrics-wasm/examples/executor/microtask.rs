//! A small executor on `queueMicrotask` that calls the hooks of a worker.
//!
//! The host runs microtasks before anything else, so a task is polled as soon as the current job ends. An endless chain of
//! microtasks would block rendering, input and timers. Once a turn has used its budget, the executor therefore runs the rest of its queue
//! in a macrotask.

use async_task::{Builder, Runnable, Task};
use core::cell::{Cell, RefCell};
use core::panic::Location;
use core::time::Duration;
use metrics_wasm::metrics_core::{
    HistogramConfig, LocationId, MetricSet, NoProbe, PollStart, TaskEnd, TimeSource, WakeStamp, WorkerNumber,
};
use metrics_wasm::{BuildError, PerformanceClock, Registry, RuntimeMetrics, Worker, no_finer_than};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use wasm_bindgen::prelude::{Closure, JsValue, wasm_bindgen};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = queueMicrotask)]
    fn queue_microtask(job: &Closure<dyn FnMut()>);

    /// Node only.
    #[wasm_bindgen(js_name = setImmediate, catch)]
    fn set_immediate(job: &Closure<dyn FnMut()>) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(job: &Closure<dyn FnMut()>, ms: f64) -> JsValue;

    type MessageChannel;
    type MessagePort;

    #[wasm_bindgen(constructor, catch)]
    fn new() -> Result<MessageChannel, JsValue>;

    #[wasm_bindgen(method, getter)]
    fn port1(this: &MessageChannel) -> MessagePort;

    #[wasm_bindgen(method, getter)]
    fn port2(this: &MessageChannel) -> MessagePort;

    #[wasm_bindgen(method, setter)]
    fn set_onmessage(this: &MessagePort, job: &Closure<dyn FnMut()>);

    #[wasm_bindgen(method, js_name = postMessage)]
    fn post_message(this: &MessagePort, message: &JsValue);
}

/// The data of a task that the hooks need.
pub(crate) struct Meta {
    scheduled_at: WakeStamp,
    spawn_location: LocationId,
}

struct Executor {
    queue: RefCell<VecDeque<Runnable<Meta>>>,
    worker: Worker,
    registry: Arc<Registry>,
    /// Nanoseconds that tasks may run for in one turn.
    budget: u64,
    /// Whether a turn is queued.
    woken: Cell<bool>,
    turn: Closure<dyn FnMut()>,
    /// Queues a macrotask in browsers.
    channel: RefCell<Option<MessageChannel>>,
    sites: RefCell<Vec<&'static Location<'static>>>,
}

thread_local! {
    static EXECUTOR: RefCell<Option<Rc<Executor>>> = const { RefCell::new(None) };
}

fn executor() -> Option<Rc<Executor>> {
    EXECUTOR.with_borrow(Clone::clone)
}

/// Installs this thread's executor and returns a reader of its metrics. Once tasks have run for `budget`, the host gets its turn: after
/// every poll if it is zero, and when no task is left if it is [`Duration::MAX`].
pub(crate) fn install(name: &str, budget: Duration) -> Result<RuntimeMetrics, BuildError> {
    let clock = PerformanceClock::detect();
    let layout = no_finer_than(HistogramConfig::DEFAULT, clock.resolution());
    let builder = metrics_wasm::metrics_core::Builder::new()
        .name(name)
        .poll_time(layout)
        .schedule_latency(layout)
        // Metrics that are not named here are `None`. This executor does not steal and has no I/O driver.
        .measures(
            MetricSet::worker(&[
                WorkerNumber::BusyDurationTotal,
                WorkerNumber::ParkCount,
                WorkerNumber::ParkUnparkCount,
                WorkerNumber::PollCount,
                WorkerNumber::LocalScheduleCount,
            ])
            .union(MetricSet::TASKS),
        );
    let (metrics, worker) = metrics_wasm::build(builder, clock, NoProbe)?;
    worker.park();
    let executor = Executor {
        queue: RefCell::default(),
        registry: Arc::clone(worker.registry()),
        worker,
        budget: u64::try_from(budget.as_nanos()).unwrap_or(u64::MAX),
        woken: Cell::new(false),
        turn: Closure::new(|| {
            if let Some(executor) = executor() {
                executor.turn();
            }
        }),
        channel: RefCell::default(),
        sites: RefCell::default(),
    };
    EXECUTOR.set(Some(Rc::new(executor)));
    Ok(metrics)
}

/// Spawns a task on this thread's executor; `None` if there is none.
#[track_caller]
pub(crate) fn spawn<F>(future: F) -> Option<Task<F::Output, Meta>>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let executor = executor()?;
    let spawn_location = executor.spawn_location(Location::caller());
    executor.worker.task_spawned();
    let ended = Ended(Rc::clone(&executor), TaskEnd::Cancelled);
    let counted = async move {
        let mut ended = ended;
        let output = future.await;
        ended.1 = TaskEnd::Completed;
        output
    };
    let meta = Meta {
        scheduled_at: WakeStamp::new(),
        spawn_location,
    };
    let schedule = |runnable| {
        if let Some(executor) = self::executor() {
            executor.push(runnable);
        }
    };
    let (runnable, task) = Builder::new().metadata(meta).spawn_local(|_| counted, schedule);
    runnable.schedule();
    Some(task)
}

/// Counts the end of a task when it is dropped: completed, or else cancelled.
struct Ended(Rc<Executor>, TaskEnd);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.worker.task_ended(self.1);
    }
}

impl Executor {
    fn spawn_location(&self, location: &'static Location<'static>) -> LocationId {
        let mut sites = self.sites.borrow_mut();
        let index = sites
            .iter()
            .position(|known| *known == location)
            .unwrap_or_else(|| {
                sites.push(location);
                sites.len() - 1
            });
        u32::try_from(index + 1).map_or(LocationId::UNKNOWN, LocationId::from_u32)
    }

    /// Queues a task that was spawned or woken.
    fn push(&self, runnable: Runnable<Meta>) {
        runnable.metadata().scheduled_at.mark(self.worker.now());
        self.worker.inc_local_schedule_count();
        self.queue.borrow_mut().push_back(runnable);
        if !self.woken.replace(true) {
            queue_microtask(&self.turn);
        }
    }

    /// Runs one turn: polls tasks until the queue is empty or the budget is used.
    fn turn(&self) {
        let worker = &self.worker;
        worker.unpark();
        worker.start_processing_scheduled_tasks();
        let started = worker.now();
        let is_spent = || self.registry.scale().nanos(worker.now(), started) >= self.budget;
        loop {
            let Some(runnable) = self.queue.borrow_mut().pop_front() else {
                self.woken.set(false);
                break;
            };
            let Meta {
                scheduled_at,
                spawn_location,
            } = runnable.metadata();
            worker.start_poll(PollStart {
                scheduled_at: scheduled_at.take(),
                spawn_location: *spawn_location,
            });
            runnable.run();
            worker.end_poll();
            if !self.queue.borrow().is_empty() && is_spent() {
                self.continue_later();
                break;
            }
        }
        worker.park();
    }

    /// Continues in a macrotask. Browsers delay nested timers by 4 ms, so a timer is the last choice.
    fn continue_later(&self) {
        if set_immediate(&self.turn).is_ok() {
            return;
        }
        let mut channel = self.channel.borrow_mut();
        if channel.is_none() {
            *channel = MessageChannel::new().ok();
            if let Some(channel) = &*channel {
                channel.port1().set_onmessage(&self.turn);
            }
        }
        match &*channel {
            Some(channel) => channel.port2().post_message(&JsValue::NULL),
            None => drop(set_timeout(&self.turn, 0.0)),
        }
    }
}
