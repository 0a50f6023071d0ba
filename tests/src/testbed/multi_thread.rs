//! The work-stealing flavour: one thread per worker, and a way to hand a worker over.

use std::sync::Arc;

use super::context::{Context, Core};
use super::runtime::Flavor;
use super::shared::Shared;

/// Starts the thread that serves a worker until the shutdown, or until it hands the worker over.
pub(super) fn start(shared: &Arc<Shared>, core: Core) {
    let name = format!("testbed-{}", core.index);
    let worker = Arc::clone(shared);
    shared.start_thread(name, move || Context::enter(&worker, core, run));
}

/// Runs a worker until it ends. Hooks: `start_processing_scheduled_tasks` and `end_processing_scheduled_tasks` around the time in
/// which it has tasks. Searching and waiting do not count as busy.
fn run(context: &Context) {
    context.metrics.start_processing_scheduled_tasks();
    while context.core.borrow().is_some() && !context.shared.is_closed() {
        context.maintain();
        if let Some(task) = context.next_task() {
            context.run_task(task);
            continue;
        }
        context.metrics.end_processing_scheduled_tasks();
        if let Some(task) = context.steal() {
            context.metrics.start_processing_scheduled_tasks();
            context.run_task(task);
        } else {
            context.sleep();
            context.metrics.start_processing_scheduled_tasks();
        }
    }
    context.metrics.end_processing_scheduled_tasks();
    drain(context);
}

/// Drops the queued tasks while this thread is a worker, so that it counts their ends.
pub(super) fn drain(context: &Context) {
    while let Some(Some(task)) = context.with_core(|core| core.queue.pop()) {
        drop(task);
    }
}

/// Runs code that blocks. On a worker of this flavour, another thread runs the worker meanwhile. On other threads it
/// only runs the code.
///
/// The poll in progress stays with this thread, which started it, and so does its time; the other thread leases another
/// slot under the same index.
pub fn block_in_place<R>(f: impl FnOnce() -> R) -> R {
    if let Some(context) = Context::current().filter(|context| context.shared.flavor == Flavor::MultiThread) {
        context.demote_lifo();
        if let Some(core) = context.core.take() {
            start(&context.shared, core);
        }
    }
    f()
}
