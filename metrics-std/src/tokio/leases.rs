//! Tracks which Tokio worker a thread runs, and whether it still runs it.
//!
//! The worker index that Tokio reports does not identify an owner. A task that calls `block_in_place` hands its worker over to another
//! thread, and until its poll returns both threads have the same index. Afterwards the first thread returns to the pool and may run any
//! other worker, without a hook in between. The leases of each worker are therefore numbered, and a thread whose lease is not the latest
//! gives its slot back.

use core::any::Any;
use core::time::Duration;
use portable_atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use metrics_core::TimeSource;
use tokio::runtime::{Handle, Id, RuntimeFlavor};

use super::busy_clock::{BusyClock, BusyTime};
use super::lag_timer::LagTimer;
use crate::Registry;
use crate::record::runtime_leases::{LeaseOptions, PolledBy, RuntimeLeases, SubmitPolicy, ThreadRole};
use crate::record::target::RecordingTarget;
use crate::record::thread;

/// A poll of at least this duration may have handed its worker over, so its end submits. Waking the thread that takes over a worker
/// takes longer than this.
const HAND_OVER: Duration = Duration::from_micros(20);

/// The leases of a Tokio runtime, shared by its hooks and wrappers. It must not hold a handle, because the runtime holds the hooks.
pub(super) struct TokioLeases {
    registry: Arc<Registry>,
    info: OnceLock<RuntimeInfo>,
    hooks: Hooks,
    /// Whether the runtime is known to be a `LocalRuntime`.
    is_local: bool,
    /// Number of running threads of the runtime: workers and the blocking pool.
    threads: AtomicU64,
    /// Number of lag probes of the runtime, each with a task that Tokio counts.
    probes: AtomicU64,
    timer: LagTimer,
    /// [`HAND_OVER`] in ticks.
    hand_over_ticks: u64,
}

/// Whether Tokio calls this crate's hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hooks {
    /// The adapter built the runtime and installed them.
    Installed,
    /// The runtime was built elsewhere, so only wrappers record.
    None,
}

/// The thread that leased a worker last.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeasedBy {
    /// The number of the thread.
    pub(super) number: u64,
    /// Whether the worker was leased only this once.
    pub(super) is_first: bool,
}

/// The properties of the runtime, available once it is built or one of its threads runs.
struct RuntimeInfo {
    id: Id,
    /// The hooks of a worker thread report all of its parks, and it runs nothing else in between.
    reports_parks: bool,
    submit: SubmitPolicy,
    /// The number of the latest lease, per worker.
    generations: Box<[AtomicU64]>,
    /// The number of the thread that has the latest lease, per worker; zero for none.
    threads: Box<[AtomicU64]>,
    /// The busy time per worker; empty if the hooks don't report all parks.
    busy: Box<[BusyClock]>,
}

impl RuntimeInfo {
    fn of(runtime: &Handle, registry: &Registry, hooks: Hooks) -> Self {
        // Between two calls of `block_on` no thread drives a current-thread runtime, and no hook reports that.
        let is_multi_thread = runtime.runtime_flavor() != RuntimeFlavor::CurrentThread;
        let reports_parks = hooks == Hooks::Installed && is_multi_thread;
        let num_workers = runtime.metrics().num_workers();
        let now = registry.clock().now();
        Self {
            id: runtime.id(),
            reports_parks,
            submit: match hooks {
                Hooks::None => SubmitPolicy::EveryPoll,
                Hooks::Installed if is_multi_thread => SubmitPolicy::Interval,
                Hooks::Installed => SubmitPolicy::LastPoll,
            },
            generations: (0..num_workers).map(|_| AtomicU64::new(0)).collect(),
            threads: (0..num_workers).map(|_| AtomicU64::new(0)).collect(),
            busy: (0..num_workers)
                .filter(|_| reports_parks)
                .map(|_| BusyClock::new(now))
                .collect(),
        }
    }
}

impl TokioLeases {
    /// Creates the leases of a runtime that is about to be built with the hooks.
    pub(super) fn hooked(registry: &Arc<Registry>, is_local: bool) -> Self {
        Self::new(registry, Hooks::Installed, is_local)
    }

    /// Creates the leases of a runtime that was built elsewhere.
    pub(super) fn attached(registry: &Arc<Registry>, runtime: &Handle) -> Self {
        let leases = Self::new(registry, Hooks::None, false);
        leases.set_runtime(runtime);
        leases
    }

    fn new(registry: &Arc<Registry>, hooks: Hooks, is_local: bool) -> Self {
        Self {
            registry: Arc::clone(registry),
            info: OnceLock::new(),
            hooks,
            is_local,
            threads: AtomicU64::new(0),
            probes: AtomicU64::new(0),
            timer: LagTimer::new(),
            hand_over_ticks: registry.scale().ticks_of(HAND_OVER),
        }
    }

    /// Returns the leases behind a target, if its runtime is a Tokio runtime.
    pub(super) fn of(target: &RecordingTarget) -> Option<&Self> {
        let runtime: &dyn Any = target.runtime.as_deref()?;
        runtime.downcast_ref()
    }

    /// Stores the properties of the runtime once it is built.
    pub(super) fn set_runtime(&self, runtime: &Handle) {
        self.info
            .get_or_init(|| RuntimeInfo::of(runtime, &self.registry, self.hooks));
    }

    pub(super) fn is_of(&self, runtime: &Handle) -> bool {
        self.is_of_id(runtime.id())
    }

    pub(super) fn is_of_id(&self, runtime: Id) -> bool {
        self.info.get().is_some_and(|info| info.id == runtime)
    }

    pub(super) fn probe_started(&self) {
        // Ordering: relaxed, here and below: no other data depends on the count.
        self.probes.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn probe_ended(&self) {
        self.probes.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns the number of lag probes of the runtime.
    pub(super) fn probes(&self) -> u64 {
        self.probes.load(Ordering::Relaxed)
    }

    /// Returns the timer of the loop lag probe that has the claim.
    pub(super) fn timer(&self) -> &LagTimer {
        &self.timer
    }

    pub(super) fn hooks(&self) -> Hooks {
        self.hooks
    }

    /// Returns the properties of the runtime. Call it on one of its threads.
    fn info_here(&self) -> Option<&RuntimeInfo> {
        match self.info.get() {
            Some(info) => Some(info),
            // A worker thread may run before the thread that builds the runtime has called `set_runtime`.
            None => Handle::try_current().ok().map(|runtime| {
                self.info
                    .get_or_init(|| RuntimeInfo::of(&runtime, &self.registry, self.hooks))
            }),
        }
    }

    /// Returns the busy time of a worker, or `None` if it is not measured here or the registry has no clock.
    pub(super) fn busy(&self, worker: usize) -> Option<BusyTime> {
        let clock = self.info.get()?.busy.get(worker)?;
        self.registry.is_timed().then(|| clock.read(&self.registry))
    }

    /// Returns the thread that leased a worker last.
    pub(super) fn thread(&self, worker: usize) -> Option<LeasedBy> {
        let info = self.info.get()?;
        // Ordering: relaxed, twice: no other data depends on the numbers.
        let number = info.threads.get(worker)?.load(Ordering::Relaxed);
        let generation = info.generations.get(worker)?.load(Ordering::Relaxed);
        (number != 0).then_some(LeasedBy {
            number,
            is_first: generation == 1,
        })
    }

    pub(super) fn is_local(&self) -> bool {
        self.is_local
    }

    /// Returns whether any thread of the runtime runs.
    pub(super) fn is_running(&self) -> bool {
        // Ordering: relaxed: no other data depends on the count.
        self.threads.load(Ordering::Relaxed) > 0
    }

    /// Ends the busy period of the worker that this thread runs, which is about to park.
    pub(super) fn stop_busy(&self) {
        if let Some(busy) = self.busy_here() {
            busy.stop(&self.registry, self.registry.clock().now());
        }
    }

    /// Starts a busy period of the worker that this thread runs, which has been unparked.
    pub(super) fn start_busy(&self) {
        if let Some(busy) = self.busy_here() {
            busy.start(self.registry.clock().now());
        }
    }

    fn busy_here(&self) -> Option<&BusyClock> {
        self.info_here()?.busy.get(tokio::runtime::worker_index()?)
    }

    pub(super) fn thread_started(&self) {
        // Ordering: relaxed: starting a thread orders its increment after those of the thread that starts it.
        self.threads.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends all busy periods when the last thread of the runtime stops. No hook reports that a single worker ends.
    pub(super) fn thread_stopped(&self) {
        // Ordering: acquire and release, pairs with itself on the other threads: the last thread writes after all others.
        if self.threads.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(info) = self.info.get()
        {
            let now = self.registry.clock().now();
            info.busy.iter().for_each(|busy| busy.stop(&self.registry, now));
        }
    }

    #[inline]
    fn role(&self, polled_by: PolledBy) -> ThreadRole {
        let here = match polled_by {
            PolledBy::Runtime => true,
            PolledBy::LocalExecutor | PolledBy::Unknown => {
                Handle::try_current().is_ok_and(|runtime| self.is_of(&runtime))
            }
        };
        let worker = if here {
            tokio::runtime::worker_index()
        } else {
            None
        };
        worker.map_or(ThreadRole::External, ThreadRole::Worker)
    }
}

impl RuntimeLeases for TokioLeases {
    fn lease_options(&self, polled_by: PolledBy) -> Option<LeaseOptions> {
        let role = self.role(polled_by);
        let ThreadRole::Worker(index) = role else {
            return Some(LeaseOptions::polls_only(role));
        };
        let info = self.info_here()?;
        // Ordering: relaxed, here and below: they order no other access; leasing the slot does.
        let latest = info.generations.get(index)?;
        let generation = latest.fetch_add(1, Ordering::Relaxed) + 1;
        let thread = thread::current().map_or(0, |thread| thread.get());
        // If another thread has leased the worker meanwhile, its number stays.
        if latest.load(Ordering::Relaxed) == generation {
            info.threads.get(index)?.store(thread, Ordering::Relaxed);
        }
        Some(LeaseOptions {
            role,
            generation,
            reports_parks: info.reports_parks,
            submit: info.submit,
            hand_over_ticks: self.hand_over_ticks,
        })
    }

    #[inline]
    fn is_current(&self, options: &LeaseOptions, polled_by: PolledBy) -> bool {
        options.role == self.role(polled_by) && self.is_latest(options)
    }

    #[inline]
    fn is_latest(&self, options: &LeaseOptions) -> bool {
        let ThreadRole::Worker(index) = options.role else {
            return true;
        };
        let info = self.info.get();
        let latest = info.and_then(|info| info.generations.get(index));
        // Ordering: relaxed, as in `lease_options`: a stale generation only keeps the slot for another poll.
        latest.is_some_and(|latest| latest.load(Ordering::Relaxed) == options.generation)
    }

    #[inline]
    fn is_budget_spent(&self) -> bool {
        !tokio::task::coop::has_budget_remaining()
    }
}
