//! The state of the scripted runtime: the queue of each task and the activity of each worker. It checks every transition.

use alloc::{sync::Arc, vec, vec::Vec};
use core::fmt;
use metrics_core::{LocationId, PollStart, Timestamp};
use portable_atomic::{AtomicU64, Ordering};

use super::probe::Depths;

/// A task of a [`MockRuntime`](crate::MockRuntime).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(usize);

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {}", self.0)
    }
}

/// A queue that holds scheduled tasks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Queue {
    /// Any worker polls its tasks.
    Global,
    /// Only the worker with this index polls its tasks.
    Local(usize),
}

#[derive(Clone, Copy)]
struct Scheduled {
    queue: Queue,
    since: Timestamp,
}

#[derive(Clone, Copy)]
enum Place {
    /// Waits for a wake.
    Waiting,
    Queued(Scheduled),
    /// A wake during the poll schedules the next one.
    Polled(Option<Scheduled>),
    Ended,
}

struct Task {
    location: LocationId,
    place: Place,
}

#[derive(Clone, Copy)]
enum Activity {
    Awake,
    Polling(TaskId),
    Parked,
}

pub(super) struct Script {
    tasks: Vec<Task>,
    workers: Vec<Activity>,
    depths: Arc<Depths>,
}

impl Script {
    pub(super) fn new(workers: usize, depths: Arc<Depths>) -> Self {
        Self {
            tasks: Vec::new(),
            workers: vec![Activity::Awake; workers],
            depths,
        }
    }

    pub(super) fn spawn(&mut self, location: LocationId, queue: Queue, since: Timestamp) -> TaskId {
        let id = TaskId(self.tasks.len());
        self.tasks.push(Task {
            location,
            place: Place::Waiting,
        });
        self.put(id, Place::Queued(Scheduled { queue, since }));
        id
    }

    /// Returns whether the task was not scheduled yet.
    #[track_caller]
    pub(super) fn wake(&mut self, id: TaskId, queue: Queue, since: Timestamp) -> bool {
        let scheduled = Scheduled { queue, since };
        match self.place(id) {
            Place::Waiting => self.put(id, Place::Queued(scheduled)),
            Place::Polled(None) => self.put(id, Place::Polled(Some(scheduled))),
            Place::Queued(_) | Place::Polled(_) => return false,
            Place::Ended => panic!("{id} has ended: spawn another"),
        }
        true
    }

    #[track_caller]
    pub(super) fn start_poll(&mut self, worker: usize, id: TaskId) -> PollStart {
        self.check_between_polls(worker, "start_poll");
        let scheduled = match self.place(id) {
            Place::Queued(scheduled) => scheduled,
            Place::Waiting => panic!("{id} is not scheduled: wake it before it is polled"),
            Place::Polled(_) => panic!("{id} is being polled: call `end_poll` on that worker first"),
            Place::Ended => panic!("{id} has ended: spawn another"),
        };
        if let Queue::Local(owner) = scheduled.queue {
            assert!(
                owner == worker,
                "{id} is in the queue of worker {owner}: let worker {worker} `steal` it first"
            );
        }
        self.put(id, Place::Polled(None));
        self.workers[worker] = Activity::Polling(id);
        PollStart {
            scheduled_at: Some(scheduled.since),
            spawn_location: self.tasks[id.0].location,
        }
    }

    #[track_caller]
    pub(super) fn end_poll(&mut self, worker: usize) {
        let id = self.check_polling(worker, "end_poll");
        let place = match self.place(id) {
            Place::Polled(Some(scheduled)) => Place::Queued(scheduled),
            _ => Place::Waiting,
        };
        self.put(id, place);
        self.workers[worker] = Activity::Awake;
    }

    /// Ends a task and returns its spawn location.
    #[track_caller]
    pub(super) fn end_task(&mut self, id: TaskId) -> LocationId {
        match self.place(id) {
            Place::Waiting | Place::Queued(_) => self.put(id, Place::Ended),
            Place::Polled(_) => panic!("{id} is being polled: call `end_poll` before the task ends"),
            Place::Ended => panic!("{id} has already ended"),
        }
        self.tasks[id.0].location
    }

    /// Moves tasks into the queue of `worker` from those of other workers.
    #[track_caller]
    pub(super) fn steal(&mut self, worker: usize, ids: &[TaskId]) {
        self.check_between_polls(worker, "steal");
        let own = Queue::Local(worker);
        self.transfer("steal", ids, own, |from| from != own && from != Queue::Global);
    }

    /// Moves tasks from the queue of `worker` into the global one.
    #[track_caller]
    pub(super) fn overflow(&mut self, worker: usize, ids: &[TaskId]) {
        self.check_awake(worker, "overflow");
        self.transfer("overflow", ids, Queue::Global, |from| {
            from == Queue::Local(worker)
        });
    }

    #[track_caller]
    fn transfer(&mut self, method: &str, ids: &[TaskId], to: Queue, is_source: impl Fn(Queue) -> bool) {
        assert!(!ids.is_empty(), "no task: `{method}` moves at least one");
        for &id in ids {
            match self.place(id) {
                Place::Queued(Scheduled { queue, since }) if is_source(queue) => {
                    self.put(id, Place::Queued(Scheduled { queue: to, since }));
                }
                _ => panic!("{id} is not in a queue that `{method}` takes tasks from"),
            }
        }
    }

    #[track_caller]
    pub(super) fn park(&mut self, worker: usize) {
        self.check_between_polls(worker, "park");
        self.workers[worker] = Activity::Parked;
    }

    #[track_caller]
    pub(super) fn unpark(&mut self, worker: usize) {
        match self.workers[worker] {
            Activity::Parked => self.workers[worker] = Activity::Awake,
            _ => panic!("worker {worker} is not parked: call `park` before `unpark`"),
        }
    }

    #[track_caller]
    pub(super) fn check_awake(&self, worker: usize, method: &str) {
        if let Activity::Parked = self.workers[worker] {
            panic!("worker {worker} is parked: call `unpark` before `{method}`");
        }
    }

    #[track_caller]
    pub(super) fn check_between_polls(&self, worker: usize, method: &str) {
        self.check_awake(worker, method);
        if let Activity::Polling(id) = self.workers[worker] {
            panic!("worker {worker} is polling {id}: call `end_poll` before `{method}`");
        }
    }

    /// Returns the task that is being polled.
    #[track_caller]
    pub(super) fn check_polling(&self, worker: usize, method: &str) -> TaskId {
        match self.workers[worker] {
            Activity::Polling(id) => id,
            _ => panic!("worker {worker} is not in a poll: call `start_poll` before `{method}`"),
        }
    }

    #[track_caller]
    fn place(&self, id: TaskId) -> Place {
        match self.tasks.get(id.0) {
            Some(task) => task.place,
            None => panic!("{id} belongs to another runtime: use the one that spawned it"),
        }
    }

    fn put(&mut self, id: TaskId, place: Place) {
        let old = core::mem::replace(&mut self.tasks[id.0].place, place);
        if let Place::Queued(scheduled) = old {
            self.depth(scheduled.queue).fetch_sub(1, Ordering::Relaxed);
        }
        if let Place::Queued(scheduled) = place {
            self.depth(scheduled.queue).fetch_add(1, Ordering::Relaxed);
        }
    }

    fn depth(&self, queue: Queue) -> &AtomicU64 {
        match queue {
            Queue::Global => &self.depths.global,
            Queue::Local(worker) => &self.depths.local[worker],
        }
    }
}
