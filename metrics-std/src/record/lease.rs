//! The current worker of a thread: a stack of leases, one or more registries deep.
//!
//! A wrapper uses only a lease of its own registry; finding none, it leases a slot for the thread, which goes back when the
//! thread ends. A lease is held by reference count while a poll goes on, so nothing here stays borrowed across a poll, and
//! a poll ends in the slot of the thread that started it.

use core::cell::{Cell, RefCell};
use core::fmt;
use core::marker::PhantomData;
use core::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use metrics_core::PollStart;
use portable_atomic::{AtomicUsize, Ordering};

use crate::record::target::Home;
use crate::record::thread;
use crate::{Registry, Worker};

thread_local! {
    static LEASES: RefCell<Vec<Rc<Lease>>> = const { RefCell::new(Vec::new()) };
    /// [`GONE`] as this thread last saw it.
    static SEEN: Cell<usize> = const { Cell::new(0) };
}

/// How many registries nobody wants any more. Threads that still have a slot there give it back once they see it move.
static GONE: AtomicUsize = AtomicUsize::new(0);

/// Where a thread stands among the workers of a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    /// The executor has no workers of its own: any slot, for as long as the thread lives.
    Thread,
    /// The thread runs this worker now.
    #[cfg_attr(not(feature = "tokio"), allow(dead_code))]
    Worker(usize),
    /// The runtime has workers, and this thread is none of them.
    #[cfg_attr(not(feature = "tokio"), allow(dead_code))]
    Outside,
}

/// When a poll's end publishes, besides when the interval has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Publish {
    /// Every time: nobody tells when this thread falls idle.
    Always,
    /// After a task's last poll: nobody tells when `block_on` returns, and most often that is when a task has ended.
    #[cfg_attr(not(feature = "tokio"), allow(dead_code))]
    AtTaskEnds,
    /// No more often: the thread's parks publish what is left.
    WhenDue,
}

/// What a thread has a slot for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) spot: Spot,
    /// Which lease of its worker index this is; the last one runs the worker.
    #[cfg_attr(not(feature = "tokio"), allow(dead_code))]
    pub(crate) turn: u64,
    /// The thread's parks are known, so what lies between them is busy time.
    pub(crate) processes: bool,
    pub(crate) publish: Publish,
}

impl Terms {
    /// A thread of whose life nothing is known but the polls.
    pub(crate) fn polls_only(spot: Spot) -> Self {
        Self {
            spot,
            turn: 0,
            processes: false,
            publish: Publish::Always,
        }
    }
}

/// A slot leased by this thread.
pub(crate) struct Lease {
    pub(crate) worker: Worker,
    /// What the tasks spawned on this thread hold: a reference count that only they touch.
    pub(crate) home: Arc<Home>,
    pub(crate) terms: Terms,
    /// Measured tasks being polled on this thread, one inside the other.
    depth: Cell<u32>,
    /// The poll that the runtime's own hooks have open, and how it would end now.
    covered: Cell<Option<Polled>>,
}

/// How a poll ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Polled {
    /// The task goes on.
    Pending,
    /// The task returned `Ready`, or panicked.
    Last,
}

/// How a poll began on a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Open {
    /// It is the poll that the worker counts.
    Outermost,
    /// The runtime's own hooks count it.
    Covered,
    /// It goes on inside another one.
    Nested,
}

impl Lease {
    fn new(worker: Worker, home: &Home, terms: Terms) -> Self {
        worker.set_thread(thread::current());
        // So that a first poll that stalls has a thread to name.
        worker.submit();
        if terms.processes {
            worker.start_processing_scheduled_tasks();
        }
        Self {
            worker,
            home: Arc::new(home.of_lease()),
            terms,
            depth: Cell::new(0),
            covered: Cell::new(None),
        }
    }

    /// Whether this thread is in the middle of a poll, which then ends in this slot whatever happens to the thread.
    pub(crate) fn is_in_poll(&self) -> bool {
        self.depth.get() > 0 || self.covered.get().is_some()
    }

    #[inline]
    pub(crate) fn begin_poll(&self, start: PollStart) -> Open {
        let depth = self.depth.get();
        self.depth.set(depth + 1);
        if depth == 0 && !self.worker.is_polling() {
            // What happened since the last reading is not known here.
            self.worker.discard_last_timestamp();
            self.worker.start_poll(start);
            Open::Outermost
        } else if depth == 0 && self.covered.get().is_some() {
            // The runtime's hook was told of another place, inside the library that spawned for the user.
            self.worker.set_site(start.site);
            Open::Covered
        } else {
            self.worker.incr_nested_polls();
            Open::Nested
        }
    }

    #[inline]
    pub(crate) fn end_poll(&self, open: Open, polled: Polled) {
        self.depth.set(self.depth.get() - 1);
        if open == Open::Outermost {
            self.close(polled);
        }
    }

    #[inline]
    fn close(&self, polled: Polled) {
        #[cfg(feature = "tokio")]
        if polled == Polled::Pending
            && self.home.tokio.is_some()
            && !::tokio::task::coop::has_budget_remaining()
        {
            self.worker.incr_budget_forced_yield_count();
        }
        self.worker.end_poll();
        let publish = match self.terms.publish {
            Publish::Always => true,
            Publish::AtTaskEnds => polled == Polled::Last,
            Publish::WhenDue => false,
        };
        if publish {
            self.worker.submit();
        }
        #[cfg(feature = "tokio")]
        if let Some(host) = &self.home.tokio {
            host.after_poll(self);
        }
    }

    /// The runtime is about to poll a task, and calls a hook again at its end.
    #[cfg(all(feature = "tokio", tokio_unstable))]
    pub(crate) fn begin_covered_poll(&self, start: PollStart) {
        self.worker.discard_last_timestamp();
        self.worker.start_poll(start);
        self.covered.set(Some(Polled::Pending));
    }

    /// The task of the poll going on has ended.
    #[cfg(all(feature = "tokio", tokio_unstable))]
    pub(crate) fn note_end_of_covered_task(&self) {
        if self.covered.get().is_some() {
            self.covered.set(Some(Polled::Last));
        }
    }

    #[cfg(all(feature = "tokio", tokio_unstable))]
    pub(crate) fn end_covered_poll(&self) {
        if let Some(polled) = self.covered.take() {
            self.close(polled);
        }
    }

    pub(crate) fn count_root_poll(&self) {
        self.worker.incr_root_polls();
        if !self.worker.is_polling() {
            self.worker.submit();
        }
    }

    fn is_of(&self, registry: &Arc<Registry>) -> bool {
        Arc::ptr_eq(self.worker.registry(), registry)
    }
}

/// This thread's lease of that registry, if it has one.
#[inline]
pub(crate) fn find(registry: &Arc<Registry>) -> Option<Rc<Lease>> {
    LEASES
        .try_with(|leases| {
            let leases = leases.try_borrow().ok()?;
            leases
                .iter()
                .rev()
                .find(|lease| lease.is_of(registry))
                .map(Rc::clone)
        })
        .ok()
        .flatten()
}

/// Leases a slot for this thread. `None` where it can't have one: its thread-locals are gone, or the registry is full.
#[cold]
pub(crate) fn lease(home: &Home, terms: Terms) -> Option<Rc<Lease>> {
    // Asked first: a lease that could not be kept would be given back at once.
    LEASES.try_with(|_| ()).ok()?;
    let registry = Arc::clone(&home.registry);
    let worker = match terms.spot {
        Spot::Thread => Worker::lease_any(registry),
        Spot::Worker(index) => Worker::lease(registry, index),
        Spot::Outside => Worker::lease_foreign(registry),
    };
    let lease = Rc::new(Lease::new(worker.ok()?, home, terms));
    let kept = |leases: &RefCell<Vec<_>>| {
        leases.try_borrow_mut().ok()?.push(Rc::clone(&lease));
        Some(())
    };
    LEASES.try_with(kept).ok()??;
    Some(lease)
}

/// Nobody wants the numbers of some registry any more.
pub(crate) fn home_is_gone() {
    // Ordering: release, with the acquire in `forget_the_gone`: who sees it move finds the home gone.
    GONE.fetch_add(1, Ordering::Release);
}

/// Gives back this thread's slots in registries that nobody wants any more, if there are new ones.
#[inline]
pub(crate) fn forget_the_gone() {
    // Ordering: acquire, with the release in `home_is_gone`.
    let gone = GONE.load(Ordering::Acquire);
    if SEEN.with(|seen| seen.replace(gone)) != gone {
        give_back(|lease| !lease.is_wanted() && !lease.is_in_poll());
        // A poll that goes on needs its slot: a measured future inside it must find that it is nested. The next poll
        // after it looks again.
        let kept = LEASES.try_with(|leases| {
            let leases = leases.try_borrow();
            leases.is_ok_and(|leases| leases.iter().any(|lease| !lease.is_wanted()))
        });
        if kept.unwrap_or(false) {
            SEEN.with(|seen| seen.set(gone.wrapping_sub(1)));
        }
    }
}

impl Lease {
    fn is_wanted(&self) -> bool {
        self.home.is_wanted() || Arc::strong_count(&self.home) > 1
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        #[cfg(feature = "tokio")]
        if let Some(host) = &self.home.tokio {
            host.before_release(self);
        }
    }
}

/// Gives back this thread's leases of that registry, save those that a poll still holds until it ends.
#[cfg(feature = "tokio")]
pub(crate) fn release(registry: &Arc<Registry>) {
    give_back(|lease| lease.is_of(registry));
}

#[cold]
fn give_back(which: impl Fn(&Lease) -> bool) {
    let released = LEASES.try_with(|leases| {
        let Ok(mut leases) = leases.try_borrow_mut() else {
            return Vec::new();
        };
        leases.extract_if(.., |lease| which(lease)).collect()
    });
    // Dropped outside the borrow: giving back a slot reads a clock that may be the user's own.
    drop(released);
}

/// The guard of [`enter`]: until it is dropped, its worker is this thread's current one.
///
/// It dereferences to the [`Worker`], whose hooks the scheduler's loop goes on calling. Dropping it submits and gives
/// the slot back.
pub struct Entered {
    lease: Rc<Lease>,
    /// As long as it is entered, the lease is wanted.
    _home: Home,
    /// It belongs to the thread it was made on.
    _thread: PhantomData<*const ()>,
}

/// Makes `worker` the current one of this thread, for wrappers of the same registry that are polled here.
///
/// For the author of a runtime, at the top of a worker thread:
///
/// ```
/// use metrics_std::{Builder, Clock, NoProbe, PollStart};
///
/// let (metrics, workers) = metrics_std::build(Builder::new().name("mine").workers(1), Clock::new(), NoProbe)?;
/// for worker in workers {
///     std::thread::spawn(move || {
///         let worker = metrics_std::enter(worker);
///         worker.start_processing_scheduled_tasks();
///         worker.start_poll(PollStart::default());
///         // Poll a task here.
///         worker.end_poll();
///         worker.park();
///     })
///     .join()
///     .unwrap();
/// }
/// assert_eq!(metrics.poll_count(), Some(1));
/// # Ok::<(), metrics_std::BuildError>(())
/// ```
///
/// While the runtime has a poll open on it ([`Worker::start_poll`]), wrappers polled inside count as nested and add no
/// poll of their own; between polls they count as tasks.
pub fn enter(worker: Worker) -> Entered {
    let home = Home::of(Arc::clone(worker.registry()));
    let terms = Terms {
        spot: Spot::Thread,
        turn: 0,
        processes: false,
        publish: Publish::WhenDue,
    };
    let lease = Rc::new(Lease::new(worker, &home, terms));
    // On a thread that is ending, or in the middle of such a change, wrappers go without it and lease or share.
    let _ = LEASES.try_with(|leases| {
        leases
            .try_borrow_mut()
            .map(|mut leases| leases.push(Rc::clone(&lease)))
    });
    Entered {
        lease,
        _home: home,
        _thread: PhantomData,
    }
}

impl Deref for Entered {
    type Target = Worker;

    #[inline(always)]
    fn deref(&self) -> &Worker {
        &self.lease.worker
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let _ = LEASES.try_with(|leases| {
            if let Ok(mut leases) = leases.try_borrow_mut() {
                leases.retain(|lease| !Rc::ptr_eq(lease, &self.lease));
            }
        });
    }
}

impl fmt::Debug for Entered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Entered").field(&self.lease.worker).finish()
    }
}
