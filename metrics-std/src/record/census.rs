//! The census: what each alive measured task is doing, and whether a waker of it exists.

use core::cell::Cell;
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use metrics_core::{LocationId, TaskActivity, Timestamp};
use portable_atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

use crate::Registry;

/// Threads lock different shards, so that they rarely wait for each other.
const SHARDS: usize = 16;

/// The number of tasks that a reader looks up under one lock: a spawn waits about a microsecond for it.
const SEGMENT: usize = 64;

/// How long a task waits before it is reported as unwakeable. A wake that overlaps with the start of a poll can queue a task that seems to
/// wait, for less than this.
const GRACE: Duration = Duration::from_secs(1);

/// The alive measured tasks of a registry.
#[derive(Default)]
pub(crate) struct Census([Shard; SHARDS]);

/// Aligned, so that threads that lock different shards share no cache line.
#[derive(Default)]
#[repr(align(64))]
struct Shard(Mutex<Tasks>);

#[derive(Default)]
struct Tasks {
    /// The first waker of each task. A free place has none.
    wakers: Vec<Option<Weak<dyn CensusWaker>>>,
    free: Vec<usize>,
}

/// A waker of a task. Its references tell whether anybody can wake the task.
pub(crate) trait CensusWaker: Send + Sync {
    /// Returns the task's state, which its first waker contains.
    fn census(&self) -> Option<&CensusTask>;
}

/// The place of a task in the census.
pub(crate) struct Place {
    shard: usize,
    index: usize,
}

impl Census {
    /// Returns a census if the registry keeps one. It needs a clock, to tell a task that nobody can wake from one that is queued.
    pub(crate) fn new(registry: &Registry) -> Option<Arc<Self>> {
        (registry.keeps_census() && registry.is_timed()).then(Arc::default)
    }

    /// Adds a task, whose first waker this is, until it is [removed](Self::remove).
    pub(crate) fn add(&self, waker: Weak<dyn CensusWaker>) -> Place {
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
        let mut tasks = self.lock(shard);
        let index = tasks.free.pop().unwrap_or(tasks.wakers.len());
        match tasks.wakers.get_mut(index) {
            Some(place) => *place = Some(waker),
            None => tasks.wakers.push(Some(waker)),
        }
        Place { shard, index }
    }

    /// Removes a task, which has [ended](CensusTask::end).
    pub(crate) fn remove(&self, place: &Place) {
        let mut tasks = self.lock(place.shard);
        if let Some(waker) = tasks.wakers.get_mut(place.index) {
            *waker = None;
            tasks.free.push(place.index);
        }
    }

    fn lock(&self, shard: usize) -> MutexGuard<'_, Tasks> {
        lock(&self.0[shard].0)
    }

    /// Calls `each` for each task. `now` is the current time, and `is_recent` returns whether less than a duration has passed since a
    /// timestamp.
    ///
    /// Returns `false` if no task was ever added: then no task of the runtime is wrapped.
    pub(crate) fn visit(
        &self,
        now: Timestamp,
        is_recent: impl Fn(Timestamp, Duration) -> bool,
        each: &mut dyn FnMut(LocationId, TaskActivity),
    ) -> bool {
        let mut is_kept = false;
        let mut found = Vec::with_capacity(SEGMENT);
        for shard in 0..SHARDS {
            for start in (0..).step_by(SEGMENT) {
                let tasks = self.lock(shard);
                let Some(rest) = tasks.wakers.get(start..).filter(|rest| !rest.is_empty()) else {
                    break;
                };
                is_kept = true;
                found.extend(rest.iter().take(SEGMENT).flatten().filter_map(Weak::upgrade));
                drop(tasks);
                // Without the lock: `each`, or the last reference to an executor's waker, may spawn and end tasks.
                for waker in found.drain(..) {
                    if let Some(task) = waker.census()
                        && let Some(activity) = task.activity(&waker, now, &is_recent)
                    {
                        each(task.location, activity);
                    }
                }
            }
        }
        is_kept
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
    has_ended: AtomicBool,
    /// The end of the last poll in ticks, or when a reader first found that it had ended.
    since: AtomicU64,
    /// The waker in use, if it is not the first one.
    last: Mutex<Option<Weak<dyn CensusWaker>>>,
}

impl CensusTask {
    /// Creates the state of a task that was spawned and not polled.
    pub(crate) fn new(location: LocationId, is_polled_by_runtime: bool) -> Self {
        Self {
            location,
            is_polled_by_runtime,
            polls: AtomicU32::new(0),
            is_woken: AtomicBool::new(true),
            is_polled_unwoken: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
            since: AtomicU64::new(UNKNOWN),
            last: Mutex::default(),
        }
    }

    /// Notes a waker that replaces the last one, and which the wrapper holds [twice](Self::has_waker).
    pub(crate) fn replace_waker(&self, waker: Weak<dyn CensusWaker>) {
        *lock(&self.last) = Some(waker);
    }

    /// Returns whether anybody but the wrapper and the caller holds a waker of the task, whose first one is `first`.
    ///
    /// The wrapper holds the last waker twice. Each later waker, even one that was replaced, holds the first one. If nobody else holds
    /// one, this stays so until the next poll. Another reader may hold the first one: then the task is wakeable for this reader.
    fn has_waker(&self, first: &Arc<dyn CensusWaker>) -> bool {
        const CALLER: usize = 1;
        const WRAPPER: usize = 2;
        match &*lock(&self.last) {
            None => Arc::strong_count(first) > CALLER + WRAPPER,
            Some(last) => Arc::strong_count(first) > CALLER + 1 || last.strong_count() > WRAPPER,
        }
    }

    /// Notes that a poll begins.
    #[inline]
    pub(crate) fn start_poll(&self, is_nested: bool) {
        // Ordering: relaxed: this thread alone writes it during a poll. It is odd already if the last poll has panicked.
        let polls = self.polls.load(Ordering::Relaxed);
        self.polls.store(polls.wrapping_add(1) | 1, Ordering::Relaxed);
        // Ordering: release fence, pairs with the second acquire fence in `activity`: a reader that sees the wake taken
        // sees the poll.
        fence(Ordering::Release);
        if !self.is_polled_by_runtime && (is_nested || !self.is_woken.load(Ordering::Relaxed)) {
            self.is_polled_unwoken.store(true, Ordering::Relaxed);
        }
        self.is_woken.store(false, Ordering::Relaxed);
    }

    /// Notes that a poll returned `Pending` at this time, if it was measured.
    #[inline]
    pub(crate) fn end_poll(&self, now: Option<Timestamp>) {
        self.since
            .store(now.map_or(UNKNOWN, Timestamp::ticks), Ordering::Relaxed);
        let polls = self.polls.load(Ordering::Relaxed);
        // Ordering: release, pairs with the acquire in `activity`: a reader that sees the end sees the wakers that the
        // poll cloned.
        self.polls.store(polls.wrapping_add(1), Ordering::Release);
    }

    /// Notes that the task has ended. The wrapper drops its waker later.
    pub(crate) fn end(&self) {
        // Ordering: relaxed: the drop of the waker releases it.
        self.has_ended.store(true, Ordering::Relaxed);
    }

    /// Notes that the task is about to be woken. The caller holds a waker meanwhile.
    pub(crate) fn note_wake(&self) {
        // Ordering: relaxed: the drop of the waker that the caller holds releases it.
        self.is_woken.store(true, Ordering::Relaxed);
    }

    /// Returns what the task is doing, or `None` if it has ended. `first` is its first waker.
    fn activity(
        &self,
        first: &Arc<dyn CensusWaker>,
        now: Timestamp,
        is_recent: impl Fn(Timestamp, Duration) -> bool,
    ) -> Option<TaskActivity> {
        // Ordering: acquire, pairs with the release in `end_poll`.
        let polls = self.polls.load(Ordering::Acquire);
        let has_waker = self.has_waker(first);
        // Ordering: acquire fence, pairs with the release at which a waker is dropped: a reader that sees that it is gone
        // sees its wakes, and the end of the task if its wrapper dropped it.
        fence(Ordering::Acquire);
        if self.has_ended.load(Ordering::Relaxed) {
            return None;
        }
        let is_woken = self.is_woken.load(Ordering::Relaxed);
        let is_polled_unwoken = self.is_polled_unwoken.load(Ordering::Relaxed);
        let since = self.since.load(Ordering::Relaxed);
        // Ordering: acquire fence, pairs with the release fence in `start_poll`: the values are those of one wait.
        fence(Ordering::Acquire);
        if polls % 2 == 1 || self.polls.load(Ordering::Relaxed) != polls {
            return Some(TaskActivity::Polling);
        }
        if is_woken {
            return Some(TaskActivity::Queued);
        }
        let since = match since {
            UNKNOWN => self.note_wait(now),
            ticks => Some(Timestamp::from_ticks(ticks)),
        };
        let may_be_queued = since.is_none_or(|since| is_recent(since, GRACE));
        Some(TaskActivity::Waiting {
            since,
            is_wakeable: has_waker || is_polled_unwoken || may_be_queued,
        })
    }

    /// Notes that the task waits now, because the end of its last poll is not known. Returns the time that another reader has noted.
    fn note_wait(&self, now: Timestamp) -> Option<Timestamp> {
        // Ordering: relaxed: no other data depends on it. If the task is polled meanwhile, the wait may start too early, by at most the
        // duration of one snapshot.
        let noted = self
            .since
            .compare_exchange(UNKNOWN, now.ticks(), Ordering::Relaxed, Ordering::Relaxed);
        noted.err().map(Timestamp::from_ticks)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
