//! The leases of a thread, one for each registry whose tasks it polls.
//!
//! A wrapper uses only a lease of its own registry. If there is none, it leases a slot, which the thread gives back when it ends. A poll
//! holds its lease by reference count, so that the list is not borrowed during the poll, and the poll ends in the slot in which it
//! started.

use core::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use metrics_core::{LocationId, TaskEnd};
use portable_atomic::Ordering;

use super::lease::{AfterPoll, Lease, OpenPoll, PollEnd};
use super::runtime_leases::{LeaseOptions, PolledBy, SubmitPolicy, ThreadRole};
use super::target::{RecordingTarget, orphaned_registries};
use crate::{Registry, Worker};

thread_local! {
    static LEASES: RefCell<Vec<Rc<Lease>>> = const { RefCell::new(Vec::new()) };
    /// The last value of [`orphaned_registries`] that this thread has read.
    static SEEN_ORPHANED: Cell<usize> = const { Cell::new(0) };
}

/// Returns the lease of the slot in which a poll on this thread is recorded, or `None` if the thread can't have one.
#[inline]
pub(crate) fn lease_for_poll(target: &RecordingTarget, polled_by: PolledBy) -> Option<Rc<Lease>> {
    release_orphaned();
    let found = find(&target.registry);
    match (&target.runtime, found) {
        (None, Some(lease)) => Some(lease),
        (None, None) => lease(target, LeaseOptions::polls_only(ThreadRole::Any)),
        (Some(runtime), Some(lease))
            // During a poll, a thread keeps the slot in which that poll began.
            if lease.is_in_poll() || runtime.is_current(&lease.options, polled_by) =>
        {
            Some(lease)
        }
        (Some(_), _) => lease_anew(target, polled_by),
    }
}

/// Gives back the slot of the thread's former role, and leases a slot for its current role.
#[cold]
fn lease_anew(target: &RecordingTarget, polled_by: PolledBy) -> Option<Rc<Lease>> {
    release(&target.registry);
    let options = target.runtime.as_ref()?.lease_options(polled_by)?;
    lease(target, options)
}

/// Returns this thread's lease for a registry, if it has one.
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

/// Returns the target of this thread's latest lease whose target matches.
#[allow(dead_code, reason = "only an adapter looks for its runtime")]
#[inline]
pub(crate) fn find_target(matches: impl Fn(&RecordingTarget) -> bool) -> Option<Arc<RecordingTarget>> {
    LEASES
        .try_with(|leases| {
            let leases = leases.try_borrow().ok()?;
            let lease = leases.iter().rev().find(|lease| matches(&lease.target))?;
            Some(Arc::clone(&lease.target))
        })
        .ok()
        .flatten()
}

/// Leases a slot for this thread. Returns `None` if its thread-locals are destroyed or the registry is full.
#[cold]
fn lease(target: &RecordingTarget, options: LeaseOptions) -> Option<Rc<Lease>> {
    // Checked first, because a lease that can't be stored would be given back at once.
    LEASES.try_with(|_| ()).ok()?;
    let registry = Arc::clone(&target.registry);
    let worker = match options.role {
        ThreadRole::Any => Worker::lease_any(registry),
        ThreadRole::Worker(index) => Worker::lease(registry, index),
        ThreadRole::External => Worker::lease_external(registry),
    };
    let lease = Rc::new(Lease::new(worker.ok()?, target, options));
    push(&lease)?;
    release_surplus();
    Some(lease)
}

/// Maximum number of leases per thread that no hook or guard ends. An idle thread does not notice that a registry has lost its last owner,
/// and keeps its memory.
const MOST_KEPT: usize = 4;

/// Gives back the oldest lease if there are too many. The thread leases a slot again when it next polls a task of that registry.
#[cold]
fn release_surplus() {
    let surplus = LEASES.try_with(|leases| {
        let mut leases = leases.try_borrow_mut().ok()?;
        // Hooks and guards give back the leases with `SubmitPolicy::Interval`.
        let is_kept = |lease: &Rc<Lease>| lease.options.submit != SubmitPolicy::Interval;
        if leases.iter().filter(|lease| is_kept(lease)).count() <= MOST_KEPT {
            return None;
        }
        let (_, older) = leases.split_last()?;
        let oldest = older
            .iter()
            .position(|lease| is_kept(lease) && !lease.is_in_poll())?;
        Some(leases.remove(oldest))
    });
    // Dropped outside the borrow, as in `release_where`.
    drop(surplus);
}

/// Makes a lease the current one of its registry. Returns `None` if the thread's leases are destroyed or being changed.
pub(super) fn push(lease: &Rc<Lease>) -> Option<()> {
    let push = |leases: &RefCell<Vec<_>>| {
        leases
            .try_borrow_mut()
            .ok()
            .map(|mut leases| leases.push(Rc::clone(lease)))
    };
    LEASES.try_with(push).ok()?
}

/// Ends the poll of a measured task in this slot.
#[inline]
pub(crate) fn end_poll(lease: &Lease, open: OpenPoll, end: PollEnd) {
    if lease.end_poll(open, end) == AfterPoll::Release {
        release(lease.worker.registry());
    }
}

/// Ends the poll that the runtime's hooks have started on this thread.
#[allow(dead_code, reason = "not every runtime reports its polls")]
pub(crate) fn end_hooked_poll(lease: &Lease) {
    if lease.end_hooked_poll() == AfterPoll::Release {
        release(lease.worker.registry());
    }
}

/// Returns the lease's target if this thread has a lease, because other threads touch its reference count less often, else `target`.
pub(crate) fn thread_local_handle(target: &Arc<RecordingTarget>) -> Arc<RecordingTarget> {
    find(&target.registry).map_or_else(|| Arc::clone(target), |lease| Arc::clone(&lease.target))
}

/// Counts a task that was spawned on this thread.
pub(crate) fn count_spawn(target: &Arc<RecordingTarget>, polled_by: PolledBy, location: LocationId) {
    if polled_by == PolledBy::LocalExecutor {
        // Ordering: relaxed, here and in `count_end`: no other data depends on the number.
        target.local_tasks.fetch_add(1, Ordering::Relaxed);
    }
    match find(&target.registry) {
        Some(lease) => lease.worker.task_spawned_at(location),
        None => target.registry.shared().task_spawned_at(location),
    }
}

/// Counts a task that ended on this thread.
pub(crate) fn count_end(
    target: &Arc<RecordingTarget>,
    polled_by: PolledBy,
    location: LocationId,
    end: TaskEnd,
) {
    if polled_by == PolledBy::LocalExecutor {
        target.local_tasks.fetch_sub(1, Ordering::Relaxed);
    }
    match find(&target.registry) {
        Some(lease) => lease.worker.task_ended_at(location, end),
        None => target.registry.shared().task_ended_at(location, end),
    }
}

/// Gives back this thread's leases for a registry. A poll in progress keeps its lease until it ends.
pub(crate) fn release(registry: &Arc<Registry>) {
    release_where(|lease| lease.is_of(registry));
}

/// Gives back this thread's slots in orphaned registries if a registry has lost its last owner since the last call.
#[inline]
fn release_orphaned() {
    let orphaned = orphaned_registries();
    if SEEN_ORPHANED.with(|seen| seen.replace(orphaned)) != orphaned {
        release_orphaned_now(orphaned);
    }
}

#[cold]
fn release_orphaned_now(orphaned: usize) {
    release_where(|lease| lease.is_orphaned() && !lease.is_in_poll());
    // A poll in progress keeps its slot, so that a measured future inside it counts as nested. The next poll checks again.
    let kept = LEASES.try_with(|leases| {
        let leases = leases.try_borrow();
        leases.is_ok_and(|leases| leases.iter().any(|lease| lease.is_orphaned()))
    });
    if kept.unwrap_or(false) {
        SEEN_ORPHANED.with(|seen| seen.set(orphaned.wrapping_sub(1)));
    }
}

#[cold]
pub(super) fn release_where(matches: impl Fn(&Lease) -> bool) {
    let released = LEASES.try_with(|leases| {
        let Ok(mut leases) = leases.try_borrow_mut() else {
            return Vec::new();
        };
        leases.extract_if(.., |lease| matches(lease)).collect()
    });
    // Dropped outside the borrow: giving back a slot reads the clock, which may be the user's code.
    drop(released);
}
