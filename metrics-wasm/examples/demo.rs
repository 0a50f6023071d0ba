//! The workload of the dashboard's demo: tasks that work, sleep, and count their own polls.

use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::pin::pin;
use core::task::{Poll, Waker};
use std::rc::Rc;
use wasm_bindgen::prelude::{Closure, JsValue, wasm_bindgen};

// A module that links this crate with the feature `js` exports the class `RuntimeMetrics`.
use metrics_wasm as _;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance)]
    fn now() -> f64;

    #[wasm_bindgen(js_namespace = Math)]
    fn random() -> f64;

    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(job: &JsValue, ms: f64) -> JsValue;
}

/// The longest time in milliseconds that a task sleeps between two pieces of work. The shortest is a fifth of it.
const SLEEP: f64 = 50.0;

/// The tasks of the workload, whose number and work the visitor sets.
#[wasm_bindgen]
#[derive(Default)]
pub struct Workload {
    settings: Rc<Settings>,
}

#[derive(Default)]
struct Settings {
    /// How many tasks to run, and how many run.
    wanted: Cell<u32>,
    running: Cell<u32>,
    /// Microseconds of work in a poll.
    work: Cell<f64>,
    /// The number of polls that the tasks counted themselves. Tests compare the metrics with it.
    polls: Cell<u64>,
}

#[wasm_bindgen]
impl Workload {
    /// A workload without tasks.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts or ends tasks until `tasks` of them run.
    #[wasm_bindgen(js_name = setTasks)]
    pub fn set_tasks(&self, tasks: u32) {
        self.settings.wanted.set(tasks);
        while self.settings.running.get() < tasks {
            self.settings.running.set(self.settings.running.get() + 1);
            metrics_wasm::spawn_local(counted(Rc::clone(&self.settings)));
        }
    }

    /// Sets the average work of a poll in microseconds, approximately.
    #[wasm_bindgen(js_name = setWork)]
    pub fn set_work(&self, micros: f64) {
        self.settings.work.set(micros);
    }

    /// The number of polls that the tasks counted themselves.
    #[wasm_bindgen(getter)]
    pub fn polls(&self) -> u64 {
        self.settings.polls.get()
    }

    /// The number of tasks that have not ended.
    #[wasm_bindgen(getter)]
    pub fn running(&self) -> u32 {
        self.settings.running.get()
    }

    /// Spawns a task whose only poll blocks the thread for `ms` milliseconds.
    #[wasm_bindgen(js_name = blockInPoll)]
    pub fn block_in_poll(&self, ms: f64) {
        let settings = Rc::clone(&self.settings);
        metrics_wasm::spawn_local(async move {
            settings.polls.set(settings.polls.get() + 1);
            work(ms * 1e3);
        });
    }
}

/// A task that counts its polls.
async fn counted(settings: Rc<Settings>) {
    let mut task = pin!(task(&settings));
    poll_fn(|cx| {
        settings.polls.set(settings.polls.get() + 1);
        task.as_mut().poll(cx)
    })
    .await;
    settings.running.set(settings.running.get() - 1);
}

async fn task(settings: &Settings) {
    while settings.running.get() <= settings.wanted.get() {
        // A tenth of the polls works ten times as long, so that the heat map shows a distribution.
        let share = if random() < 0.1 {
            10.0
        } else {
            0.2 + 1.6 * random()
        };
        work(settings.work.get() * share / 2.0);
        sleep(SLEEP * (0.2 + 0.8 * random())).await;
    }
}

fn work(micros: f64) {
    let end = now() + micros / 1e3;
    while now() < end {}
}

async fn sleep(ms: f64) {
    let waker: Rc<RefCell<Option<Waker>>> = Rc::default();
    let done = Rc::new(Cell::new(false));
    let (wake, over) = (Rc::clone(&waker), Rc::clone(&done));
    let ring = Closure::once_into_js(move || {
        over.set(true);
        if let Some(waker) = wake.take() {
            waker.wake();
        }
    });
    set_timeout(&ring, ms);
    poll_fn(|cx| {
        if done.get() {
            return Poll::Ready(());
        }
        waker.replace(Some(cx.waker().clone()));
        Poll::Pending
    })
    .await;
}
