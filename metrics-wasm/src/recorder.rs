//! The recorder of one thread: a worker whose hooks are called at each measured poll and at the end of each turn.

use crate::host;
use crate::long_polls::LongPolls;
use crate::open_polls::{OpenPoll, OpenPolls};
use crate::runtime::{Registry, Worker};
use crate::turn::{self, Turn};
use crate::waker::{TaskWaker, Wakes};
use core::cell::RefCell;
use metrics_core::{LeaseError, LocationId, PollStart, TaskEnd};
use std::rc::Rc;
use std::sync::Arc;
use wasm_bindgen::closure::Closure;

/// The state that a monitor shares with its clones.
pub(crate) struct Recorder {
    pub(crate) registry: Arc<Registry>,
    pub(crate) worker: Worker,
    pub(crate) wakes: Arc<Wakes>,
    pub(crate) long_polls: LongPolls,
    turn: Turn<Self>,
    open_polls: OpenPolls,
    /// Tasks whose polls were in progress at the end of a turn. They have trapped, unless their polls end after all.
    lost: RefCell<Vec<Arc<TaskWaker>>>,
}

impl Recorder {
    /// Leases the one worker of `registry` and parks it.
    pub(crate) fn new(registry: Arc<Registry>) -> Result<Rc<Self>, LeaseError> {
        let worker = Worker::lease(Arc::clone(&registry), 0)?;
        worker.park();
        Ok(Rc::new_cyclic(|recorder| Self {
            registry,
            worker,
            wakes: Arc::default(),
            long_polls: LongPolls::default(),
            turn: Turn::new(recorder.clone()),
            open_polls: OpenPolls::default(),
            lost: RefCell::default(),
        }))
    }

    pub(crate) fn spawned(&self, spawn_location: LocationId) -> Arc<TaskWaker> {
        TaskWaker::spawned(
            Arc::clone(&self.registry),
            Arc::clone(&self.wakes),
            spawn_location,
        )
    }

    /// Starts a poll of `task`. Only [`end_poll`](Self::end_poll) ends it, or a trap.
    pub(crate) fn start_poll(self: &Rc<Self>, start: PollStart, task: &Arc<TaskWaker>) -> OpenPoll {
        let worker = &self.worker;
        let poll = self.open_polls.begin(task);
        if poll.is_nested() {
            worker.inc_nested_polls();
            return poll;
        }
        if self.turn.poll(self) {
            worker.unpark();
            worker.start_processing_scheduled_tasks();
        } else {
            // Other work may have run since the last poll.
            worker.discard_last_timestamp();
        }
        self.long_polls.start(worker, start.spawn_location);
        // Before the future is polled: a wake during a poll belongs to the next poll.
        if task.choose(worker.choose_latency()) {
            worker.start_chosen_poll(start);
        } else {
            worker.start_poll(start);
        }
        poll
    }

    pub(crate) fn end_poll(&self, poll: &OpenPoll, task: &Arc<TaskWaker>) {
        if !self.open_polls.end(poll) {
            // A microtask ran while the poll was in progress, so there was no trap.
            self.lost.borrow_mut().retain(|lost| !Arc::ptr_eq(lost, task));
            return;
        }
        if poll.is_nested() {
            return;
        }
        self.worker.end_poll();
        self.long_polls.end(&self.worker);
        if !self.turn.is_open() {
            turn::Owner::end_turn(self);
        }
    }

    /// Counts the tasks whose polls were lost as panicked.
    fn count_lost(&self) {
        for task in self.lost.take() {
            if task.end() {
                self.worker.task_ended_at(task.spawn_location, TaskEnd::Panicked);
            }
        }
    }
}

impl turn::Owner for Recorder {
    fn turn(&self) -> &Turn<Self> {
        &self.turn
    }

    /// Ends the polls that have trapped: those that are still in progress, because a microtask runs when the stack is empty.
    ///
    /// Some hosts also run microtasks inside a call out of WebAssembly. The tasks are therefore counted one task of the host later,
    /// when a poll that did not trap has ended.
    fn end_lost_polls(self: &Rc<Self>) {
        let lost = self.open_polls.abandon();
        if lost.is_empty() {
            return;
        }
        self.worker.end_poll();
        self.long_polls.end(&self.worker);
        self.lost.borrow_mut().extend(lost);
        let recorder = Rc::clone(self);
        let count = Closure::once_into_js(move || recorder.count_lost());
        if host::set_timeout(&count, 0.0).is_err() {
            self.count_lost();
        }
    }

    fn has_work(&self) -> bool {
        self.wakes.depth() > 0
    }

    fn end_turn(&self) {
        self.worker.park();
        self.long_polls.end_turn();
    }
}
