//! The leases of a thread, one for each registry whose tasks it polls.
//!
//! A wrapper uses only a lease of its own registry. Finding none, it leases a slot for the thread, which gives it back when it ends.
//! A lease is held by reference count during a poll, so that nothing here stays borrowed across the poll, and a poll ends in the slot
//! of the thread that started it.

use core::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use metrics_core::TaskEnd;
use portable_atomic::Ordering;

use super::lease::{AfterPoll, Lease, OpenPoll, PollEnd};
use super::runtime_leases::{LeaseOptions, PolledBy, SubmitPolicy, ThreadRole};
use super::target::{RecordingTarget, orphaned_registries};
use crate::{Registry, Worker};

thread_local! {
    static LEASES: RefCell<Vec<Rc<Lease>>> = const { RefCell::new(Vec::new()) };
    /// [`orphaned_registries`] as this thread last saw it.
    static SEEN_ORPHANED: Cell<usize> = const { Cell::new(0) };
}

/// The slot in which a poll on this thread is recorded. `None` if the thread can't have one.
#[inline]
pub(crate) fn lease_for_poll(target: &RecordingTarget, polled_by: PolledBy) -> Option<Rc<Lease>> {
    release_orphaned();
    let found = find(&target.registry);
    match (&target.runtime, found) {
        (None, Some(lease)) => Some(lease),
        (None, None) => lease(target, LeaseOptions::polls_only(ThreadRole::Any)),
        (Some(runtime), Some(lease))
            // A thread in the middle of a poll keeps the slot in which that poll began.
            if lease.is_in_poll() || runtime.is_current(&lease.options, polled_by) =>
        {
            Some(lease)
        }
        (Some(_), _) => lease_anew(target, polled_by),
    }
}

/// Leases a slot for what the thread is to the runtime now, and gives back one for what it was.
#[cold]
fn lease_anew(target: &RecordingTarget, polled_by: PolledBy) -> Option<Rc<Lease>> {
    release(&target.registry);
    let options = target.runtime.as_ref()?.lease_options(polled_by)?;
    lease(target, options)
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

/// Leases a slot for this thread. `None` if its thread-locals are gone, or the registry is full.
#[cold]
fn lease(target: &RecordingTarget, options: LeaseOptions) -> Option<Rc<Lease>> {
    // Checked first: a lease that can't be kept would be given back at once.
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

/// The most leases that a thread keeps which no hook ends. An idle thread does not notice that a registry has lost its last owner, and
/// keeps its memory.
const MOST_KEPT: usize = 16;

/// Gives back the oldest lease, if there are too many. The thread leases a slot anew when it polls there again.
#[cold]
fn release_surplus() {
    let surplus = LEASES.try_with(|leases| {
        let mut leases = leases.try_borrow_mut().ok()?;
        // The threads of other runtimes give theirs back by hooks and guards.
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

/// Makes a lease the current one of its registry. `None` if the thread's leases are gone, or in the middle of a change.
pub(super) fn push(lease: &Rc<Lease>) -> Option<()> {
    let push = |leases: &RefCell<Vec<_>>| {
        leases
            .try_borrow_mut()
            .ok()
            .map(|mut leases| leases.push(Rc::clone(lease)))
    };
    LEASES.try_with(push).ok()?
}

/// The poll of a measured task in this slot has ended.
#[inline]
pub(crate) fn end_poll(lease: &Lease, open: OpenPoll, end: PollEnd) {
    if lease.end_poll(open, end) == AfterPoll::Release {
        release(lease.worker.registry());
    }
}

/// The poll that the runtime's own hooks had open on this thread has ended.
#[allow(dead_code, reason = "not every runtime reports its polls")]
pub(crate) fn end_hooked_poll(lease: &Lease) {
    if lease.end_hooked_poll() == AfterPoll::Release {
        release(lease.worker.registry());
    }
}

/// A target with the same registry whose reference count other threads touch less often, if this thread has a lease.
pub(crate) fn thread_local_handle(target: &Arc<RecordingTarget>) -> Arc<RecordingTarget> {
    find(&target.registry).map_or_else(|| Arc::clone(target), |lease| Arc::clone(&lease.target))
}

/// A task was accepted on this thread.
pub(crate) fn count_spawn(target: &Arc<RecordingTarget>, polled_by: PolledBy) {
    if polled_by == PolledBy::LocalExecutor {
        // Ordering: relaxed, here and in `count_end`: the number is all that is shared.
        target.local_tasks.fetch_add(1, Ordering::Relaxed);
    }
    match find(&target.registry) {
        Some(lease) => lease.worker.task_spawned(),
        None => target.registry.shared().task_spawned(),
    }
}

/// A task ended on this thread.
pub(crate) fn count_end(target: &Arc<RecordingTarget>, polled_by: PolledBy, end: TaskEnd) {
    if polled_by == PolledBy::LocalExecutor {
        target.local_tasks.fetch_sub(1, Ordering::Relaxed);
    }
    match find(&target.registry) {
        Some(lease) => lease.worker.task_ended(end),
        None => target.registry.shared().task_ended(end),
    }
}

/// Gives back this thread's leases of that registry. A poll keeps its own until it ends.
pub(crate) fn release(registry: &Arc<Registry>) {
    release_where(|lease| lease.is_of(registry));
}

/// Gives back this thread's slots in registries that have lost their last owner, if there are new ones.
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
    // A poll that goes on keeps its slot, so that a measured future inside it counts as nested. The next poll looks again.
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
    // Dropped outside the borrow: giving a slot back reads a clock, which may be the user's.
    drop(released);
}
