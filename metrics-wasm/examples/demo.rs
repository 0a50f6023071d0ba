//! The workload of the dashboard's demo: tasks that work, sleep, and count their own polls.

use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::pin::pin;
use core::task::{Poll, Waker};
use std::rc::Rc;
use wasm_bindgen::prelude::{Closure, JsValue, wasm_bindgen};

// The class that JavaScript reads with is exported from every module that links the crate with its feature `js`.
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

/// How long a task sleeps between two pieces of work, in milliseconds: up to this, and a fifth of it at least.
const SLEEP: f64 = 50.0;

/// Tasks that the visitor turns.
#[wasm_bindgen]
#[derive(Default)]
pub struct Workload {
    turned: Rc<Turned>,
}

#[derive(Default)]
struct Turned {
    /// How many tasks there shall be, and how many there are.
    wanted: Cell<u32>,
    running: Cell<u32>,
    /// Microseconds of work in a poll.
    work: Cell<f64>,
    /// Polls, counted by the tasks themselves: what the metrics are held against.
    polls: Cell<u64>,
}

#[wasm_bindgen]
impl Workload {
    /// No task yet.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts tasks, or lets some end, until there are so many.
    #[wasm_bindgen(js_name = setTasks)]
    pub fn set_tasks(&self, tasks: u32) {
        self.turned.wanted.set(tasks);
        while self.turned.running.get() < tasks {
            self.turned.running.set(self.turned.running.get() + 1);
            metrics_wasm::spawn_local(counted(Rc::clone(&self.turned)));
        }
    }

    /// So many microseconds of work in each poll that works.
    #[wasm_bindgen(js_name = setWork)]
    pub fn set_work(&self, micros: f64) {
        self.turned.work.set(micros);
    }

    /// Polls that the tasks counted themselves.
    #[wasm_bindgen(getter)]
    pub fn polls(&self) -> u64 {
        self.turned.polls.get()
    }

    /// Tasks that have not ended.
    #[wasm_bindgen(getter)]
    pub fn running(&self) -> u32 {
        self.turned.running.get()
    }

    /// Spawns a task whose one poll holds the thread for so many milliseconds.
    #[wasm_bindgen(js_name = blockInPoll)]
    pub fn block_in_poll(&self, ms: f64) {
        let turned = Rc::clone(&self.turned);
        metrics_wasm::spawn_local(async move {
            turned.polls.set(turned.polls.get() + 1);
            work(ms * 1e3);
        });
    }
}

/// A task, and a count of its polls.
async fn counted(turned: Rc<Turned>) {
    let mut task = pin!(task(&turned));
    poll_fn(|cx| {
        turned.polls.set(turned.polls.get() + 1);
        task.as_mut().poll(cx)
    })
    .await;
    turned.running.set(turned.running.get() - 1);
}

async fn task(turned: &Turned) {
    while turned.running.get() <= turned.wanted.get() {
        // Not all alike, so that the heat map has something to show: a tenth of the polls works ten times as long.
        let share = if random() < 0.1 {
            10.0
        } else {
            0.2 + 1.6 * random()
        };
        work(turned.work.get() * share / 2.0);
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
