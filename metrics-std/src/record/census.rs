//! The census: what each alive measured task is doing, and whether a waker of it exists.

use core::cell::Cell;
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use metrics_core::{LocationId, TaskActivity, Timestamp};
use portable_atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

use crate::Registry;

/// Threads lock different shards, so that they rarely wait for each other.
const SHARDS: usize = 16;

/// The number of tasks that a reader examines under one lock: a spawn waits about a microsecond for it.
const SEGMENT: usize = 64;

/// How long after a doubtful wake a task is reported as unwakeable. Longer than a task waits in a queue.
const DOUBT: Duration = Duration::from_secs(1);

/// The alive measured tasks of a registry.
#[derive(Default)]
pub(crate) struct Census([Shard; SHARDS]);

/// Aligned, so that threads that lock different shards share no cache line.
#[derive(Default)]
#[repr(align(64))]
struct Shard(Mutex<Tasks>);

#[derive(Default)]
struct Tasks {
    tasks: Vec<Option<Arc<CensusTask>>>,
    free: Vec<usize>,
}

impl Census {
    /// Returns a census if the registry keeps one.
    pub(crate) fn new(registry: &Registry) -> Option<Arc<Self>> {
        registry.keeps_census().then(Arc::default)
    }

    /// Adds a task until the returned entry is dropped.
    pub(crate) fn add(self: &Arc<Self>, location: LocationId, is_polled_by_runtime: bool) -> Entry {
        thread_local! {
            static SHARD: Cell<Option<usize>> = const { Cell::new(None) };
        }
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        // Ordering: relaxed: no other data depends on the number.
        let next = || THREADS.fetch_add(1, Ordering::Relaxed) % SHARDS;
        let shard = SHARD.try_with(|shard| {
            let number = shard.get().unwrap_or_else(next);
            shard.set(Some(number));
            number
        });
        let shard = shard.unwrap_or(0);
        let task = Arc::new(CensusTask {
            location,
            is_polled_by_runtime,
            polls: AtomicU32::new(0),
            is_woken: AtomicBool::new(true),
            is_polled_unwoken: AtomicBool::new(false),
            doubtful: AtomicU32::new(0),
            since: AtomicU64::new(UNKNOWN),
            wakers: Mutex::default(),
        });
        let mut tasks = self.lock(shard);
        let place = tasks.free.pop().unwrap_or_else(|| {
            tasks.tasks.push(None);
            tasks.tasks.len() - 1
        });
        if let Some(slot) = tasks.tasks.get_mut(place) {
            *slot = Some(Arc::clone(&task));
        }
        drop(tasks);
        Entry {
            census: Arc::clone(self),
            task,
            shard,
            place,
        }
    }

    fn lock(&self, shard: usize) -> MutexGuard<'_, Tasks> {
        lock(&self.0[shard].0)
    }

    /// Calls `each` for each task. `is_recent` returns whether less than a duration has passed since a timestamp.
    ///
    /// Returns `false` if no task was ever added: then no task of the runtime is wrapped.
    pub(crate) fn visit(
        &self,
        is_recent: impl Fn(Timestamp, Duration) -> bool,
        each: &mut dyn FnMut(LocationId, TaskActivity),
    ) -> bool {
        let mut is_kept = false;
        let mut found = Vec::with_capacity(SEGMENT);
        for shard in 0..SHARDS {
            for start in (0..).step_by(SEGMENT) {
                let tasks = self.lock(shard);
                let Some(rest) = tasks.tasks.get(start..).filter(|rest| !rest.is_empty()) else {
                    break;
                };
                is_kept = true;
                let segment = rest.iter().take(SEGMENT).flatten();
                found.extend(segment.map(|task| (task.location, task.activity(&is_recent))));
                drop(tasks);
                // Called without the lock: `each` may spawn tasks.
                found.drain(..).for_each(|(location, task)| each(location, task));
            }
        }
        is_kept
    }
}

/// A task in the census. Dropping it removes the task.
pub(crate) struct Entry {
    census: Arc<Census>,
    task: Arc<CensusTask>,
    shard: usize,
    place: usize,
}

impl Entry {
    pub(crate) fn task(&self) -> &Arc<CensusTask> {
        &self.task
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut tasks = self.census.lock(self.shard);
        if let Some(slot) = tasks.tasks.get_mut(self.place) {
            *slot = None;
            tasks.free.push(self.place);
        }
    }
}

/// The value of [`CensusTask::since`] if it is not known.
const UNKNOWN: u64 = u64::MAX;

/// What the wrapper and the wakers of a task note for the census.
pub(crate) struct CensusTask {
    location: LocationId,
    is_polled_by_runtime: bool,
    /// Twice the number of polls that have started, less one during a poll. Only the polling thread writes it.
    polls: AtomicU32,
    /// Whether the task was spawned or woken since its last poll began.
    is_woken: AtomicBool,
    /// Whether the task was ever polled without a wake: a parent polls it, and may do so again.
    is_polled_unwoken: AtomicBool,
    /// The number of the poll that began during a wake: that wake may have caused this poll, or may cause the next.
    doubtful: AtomicU32,
    /// The end of the last poll in ticks.
    since: AtomicU64,
    /// The wakers that were made for the task, oldest first. The last one is in use.
    wakers: Mutex<Vec<Weak<dyn Send + Sync>>>,
}

impl CensusTask {
    /// Notes a new waker of the task, which the wrapper holds [twice](Self::has_waker).
    pub(crate) fn add_waker(&self, waker: Weak<dyn Send + Sync>) {
        let mut wakers = lock(&self.wakers);
        let mut is_first = true;
        wakers.retain(|waker| core::mem::take(&mut is_first) || waker.strong_count() > 0);
        wakers.push(waker);
    }

    /// Returns whether anybody but the wrapper holds a waker of the task.
    ///
    /// The wrapper holds the last waker twice, and the last waker holds the first one, if it is another. If nobody else
    /// holds one, this stays so until the next poll.
    fn has_waker(&self) -> bool {
        let wakers = lock(&self.wakers);
        let last = wakers.len().saturating_sub(1);
        wakers.iter().enumerate().any(|(number, waker)| {
            let of_wrapper = match number {
                number if number == last => 2,
                0 => 1,
                _ => 0,
            };
            waker.strong_count() > of_wrapper
        })
    }

    /// Notes that a poll begins.
    pub(crate) fn start_poll(&self, is_nested: bool) {
        // Ordering: relaxed: this thread alone writes it during a poll.
        let polls = self.polls.load(Ordering::Relaxed);
        self.polls.store(polls.wrapping_add(1), Ordering::Relaxed);
        // Ordering: release fence, pairs with the second acquire fence in `activity`: a reader that sees the wake taken
        // sees the poll.
        fence(Ordering::Release);
        if !self.is_polled_by_runtime && (is_nested || !self.is_woken.load(Ordering::Relaxed)) {
            self.is_polled_unwoken.store(true, Ordering::Relaxed);
        }
        self.is_woken.store(false, Ordering::Relaxed);
    }

    /// Notes that a poll returned `Pending` at this time.
    pub(crate) fn end_poll(&self, now: Option<Timestamp>) {
        self.since
            .store(now.map_or(UNKNOWN, Timestamp::ticks), Ordering::Relaxed);
        let polls = self.polls.load(Ordering::Relaxed);
        // Ordering: release, pairs with the acquire in `activity`: a reader that sees the end sees the wakers that the
        // poll cloned.
        self.polls.store(polls.wrapping_add(1), Ordering::Release);
    }

    /// Notes a wake, which `wake` performs. The caller holds a waker meanwhile.
    pub(crate) fn wake(&self, wake: impl FnOnce()) {
        // Ordering: relaxed, here and below: the drop of the waker that the caller holds releases all of them.
        let before = self.polls.load(Ordering::Relaxed);
        self.is_woken.store(true, Ordering::Relaxed);
        wake();
        let poll = self.polls.load(Ordering::Relaxed).div_ceil(2);
        // A poll that had already begun may take the wake, although the wake leads to another poll.
        if before % 2 == 1 || poll != before.div_ceil(2) {
            self.doubtful.store(poll, Ordering::Relaxed);
        }
    }

    fn activity(&self, is_recent: impl Fn(Timestamp, Duration) -> bool) -> TaskActivity {
        // Ordering: acquire, pairs with the release in `end_poll`.
        let polls = self.polls.load(Ordering::Acquire);
        if polls % 2 == 1 {
            return TaskActivity::Polling;
        }
        let has_waker = self.has_waker();
        // Ordering: acquire fence, pairs with the release at which a waker is dropped: a reader that sees that it is gone
        // sees its wakes.
        fence(Ordering::Acquire);
        let is_woken = self.is_woken.load(Ordering::Relaxed);
        let is_doubtful = self.doubtful.load(Ordering::Relaxed) == polls / 2;
        let is_polled_unwoken = self.is_polled_unwoken.load(Ordering::Relaxed);
        let since = self.since.load(Ordering::Relaxed);
        // Ordering: acquire fence, pairs with the release fence in `start_poll`: the values are those of one wait.
        fence(Ordering::Acquire);
        if self.polls.load(Ordering::Relaxed) != polls {
            return TaskActivity::Polling;
        }
        if is_woken {
            return TaskActivity::Queued;
        }
        let since = (since != UNKNOWN).then(|| Timestamp::from_ticks(since));
        let may_be_queued = is_doubtful && since.is_none_or(|since| is_recent(since, DOUBT));
        TaskActivity::Waiting {
            since,
            is_wakeable: has_waker || is_polled_unwoken || may_be_queued,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
