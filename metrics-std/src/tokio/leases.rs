//! Which Tokio worker a thread runs, and whether it still does.
//!
//! The index that Tokio tells is no owner. A task that calls `block_in_place` gives its worker to another thread, and until its
//! poll returns both answer to one index; afterwards the first thread goes back to the pool and may run any other worker, with no hook
//! in between. So each lease of an index takes a turn, and a thread whose turn is past gives its slot back.

use core::time::Duration;
use portable_atomic::{AtomicU64, Ordering};
use std::rc::Rc;
use std::sync::OnceLock;

use tokio::runtime::{Handle, Id, RuntimeFlavor};

use crate::Registry;
use crate::record::lease::{self as current, Lease, Publish, Spot, Terms};
use crate::record::target::{Driver, Home};

/// A poll of at least this long is published at its end. The thread may have given its worker away in the middle, and
/// then does not pass another hook. Waking a thread that takes a worker over takes longer than this.
const LONG_POLL: Duration = Duration::from_micros(20);

/// What the hooks and wrappers of a Tokio runtime know of it. Holds no handle: the runtime holds the hooks.
pub(crate) struct Host {
    facts: OnceLock<Facts>,
    /// [`LONG_POLL`] in ticks.
    long_poll: u64,
}

/// What is known once the runtime is built, or one of its threads runs.
struct Facts {
    id: Id,
    /// Each worker thread parks and unparks through the hooks, and runs nothing else meanwhile.
    processes: bool,
    publish: Publish,
    /// The last turn taken of each worker index.
    turns: Box<[AtomicU64]>,
}

impl Facts {
    fn of(runtime: &Handle) -> Self {
        // Between two calls of `block_on` nobody drives a current-thread runtime, and no hook tells.
        let hooked = runtime.runtime_flavor() != RuntimeFlavor::CurrentThread;
        Self {
            id: runtime.id(),
            processes: hooked,
            publish: if hooked {
                Publish::WhenDue
            } else {
                Publish::AtTaskEnds
            },
            turns: (0..runtime.metrics().num_workers())
                .map(|_| AtomicU64::new(0))
                .collect(),
        }
    }
}

impl Host {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            facts: OnceLock::new(),
            long_poll: registry.scale().ticks_of(LONG_POLL),
        }
    }

    pub(super) fn learn(&self, runtime: &Handle) {
        self.facts.get_or_init(|| Facts::of(runtime));
    }

    pub(super) fn is_of(&self, runtime: &Handle) -> bool {
        self.facts.get().is_some_and(|facts| facts.id == runtime.id())
    }

    /// The facts, on a thread of this runtime.
    fn facts_here(&self) -> Option<&Facts> {
        match self.facts.get() {
            Some(facts) => Some(facts),
            // A worker can be quicker than the builder that starts it.
            None => Handle::try_current()
                .ok()
                .map(|runtime| self.facts.get_or_init(|| Facts::of(&runtime))),
        }
    }

    #[inline]
    fn spot(&self, driver: Driver) -> Spot {
        let here = match driver {
            Driver::Spawned => true,
            Driver::Anyone => Handle::try_current().is_ok_and(|runtime| self.is_of(&runtime)),
        };
        let worker = if here {
            tokio::runtime::worker_index()
        } else {
            None
        };
        worker.map_or(Spot::Outside, Spot::Worker)
    }

    /// The slot for a poll that begins on this thread.
    #[inline]
    pub(crate) fn lease(&self, home: &Home, driver: Driver) -> Option<Rc<Lease>> {
        let found = current::find(&home.registry);
        // A thread in the middle of a poll stays with the slot it began that in.
        if let Some(lease) = found
            && (lease.is_in_poll() || (lease.terms.spot == self.spot(driver) && self.has_turn(&lease)))
        {
            return Some(lease);
        }
        self.change(home, driver)
    }

    #[cold]
    fn change(&self, home: &Home, driver: Driver) -> Option<Rc<Lease>> {
        current::release(&home.registry);
        let spot = self.spot(driver);
        let terms = match spot {
            Spot::Worker(index) => {
                let facts = self.facts_here()?;
                // Ordering: relaxed. A turn orders nothing; the slot's lease does.
                let turn = facts.turns.get(index)?.fetch_add(1, Ordering::Relaxed) + 1;
                Terms {
                    spot,
                    turn,
                    processes: facts.processes,
                    publish: facts.publish,
                }
            }
            Spot::Thread | Spot::Outside => Terms::polls_only(spot),
        };
        current::lease(home, terms)
    }

    /// Whether no other thread has leased this worker since.
    #[inline]
    fn has_turn(&self, lease: &Lease) -> bool {
        let Spot::Worker(index) = lease.terms.spot else {
            return true;
        };
        let turn = self.facts.get().and_then(|facts| facts.turns.get(index));
        // Ordering: relaxed, as in `change`: a turn read late only keeps the slot a poll longer.
        turn.is_some_and(|turn| turn.load(Ordering::Relaxed) == lease.terms.turn)
    }

    /// After a poll in this slot.
    #[inline]
    pub(crate) fn after_poll(&self, lease: &Lease) {
        let uneventful = match lease.worker.last_poll() {
            // Nobody takes a worker over within so short a poll.
            Some(ticks) => ticks < self.long_poll,
            None => self.has_turn(lease),
        };
        if !uneventful {
            self.after_long_poll(lease);
        }
    }

    #[cold]
    fn after_long_poll(&self, lease: &Lease) {
        let has_turn = self.has_turn(lease);
        if !has_turn {
            lease.worker.end_busy_at_last_timestamp();
        }
        lease.worker.submit();
        if !has_turn {
            current::release(lease.worker.registry());
        }
    }

    /// The thread gives its slot back. Where another one runs the worker now, its time since is nobody's.
    pub(crate) fn before_release(&self, lease: &Lease) {
        if !self.has_turn(lease) {
            lease.worker.end_busy_at_last_timestamp();
        }
    }

    /// The thread is about to block until there is work.
    pub(super) fn park(&self, home: &Home) {
        if let Some(lease) = self.lease(home, Driver::Spawned) {
            lease.worker.park();
        }
    }

    /// The thread woke up.
    pub(super) fn unpark(&self, home: &Home) {
        if let Some(lease) = self.lease(home, Driver::Spawned) {
            lease.worker.unpark();
            if lease.terms.processes {
                lease.worker.start_processing_scheduled_tasks();
            }
        }
    }
}
