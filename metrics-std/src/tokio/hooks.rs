//! Every task of a runtime, by Tokio's unstable task hooks.

use std::sync::Arc;

use metrics_core::{PollStart, TimeSource, Timestamp};
use tokio::runtime::{Builder, TaskMeta};

use crate::current;
use crate::home::{Driver, Home};
use crate::site;

type TaskCallback = Box<dyn Fn(&TaskMeta<'_>) + Send + Sync>;

/// The user's own, which the adapter's call.
#[derive(Default)]
pub(super) struct TaskCallbacks {
    pub(super) spawn: Vec<TaskCallback>,
    pub(super) before_poll: Vec<TaskCallback>,
    pub(super) after_poll: Vec<TaskCallback>,
    pub(super) terminate: Vec<TaskCallback>,
}

/// Hands the task hooks to Tokio.
pub(super) fn install(builder: &mut Builder, home: &Arc<Home>, callbacks: TaskCallbacks) {
    let TaskCallbacks {
        spawn,
        before_poll,
        after_poll,
        terminate,
    } = callbacks;
    if home.registry.schedule_latency_config().is_some() {
        builder.track_task_schedule_latency();
    }
    if !spawn.is_empty() {
        builder.on_task_spawn(move |meta| call(&spawn, meta));
    }
    builder.on_before_task_poll({
        let home = Arc::clone(home);
        move |meta| {
            call(&before_poll, meta);
            if let Some(lease) = home.lease(Driver::Spawned) {
                let start = PollStart {
                    scheduled_at: scheduled_at(&home, meta),
                    site: site::intern(meta.spawned_at()),
                };
                lease.begin_covered_poll(start);
            }
        }
    });
    builder.on_after_task_poll({
        let home = Arc::clone(home);
        move |meta| {
            if let Some(lease) = current::find(&home.registry) {
                lease.end_covered_poll();
            }
            call(&after_poll, meta);
        }
    });
    builder.on_task_terminate({
        let home = Arc::clone(home);
        move |meta| {
            if let Some(lease) = current::find(&home.registry) {
                lease.note_end_of_covered_task();
            }
            call(&terminate, meta);
        }
    });
}

fn call(callbacks: &[TaskCallback], meta: &TaskMeta<'_>) {
    for callback in callbacks {
        callback(meta);
    }
}

/// When Tokio scheduled the task, by our clock. Tokio tells how long ago that was.
fn scheduled_at(home: &Home, meta: &TaskMeta<'_>) -> Option<Timestamp> {
    let latency = meta.schedule_latency()?;
    let registry = &home.registry;
    let ago = registry.scale().ticks_of(latency);
    Some(Timestamp::from_ticks(
        registry.clock().now().ticks().saturating_sub(ago),
    ))
}
