//! Every task of a runtime, by Tokio's unstable task hooks.

use std::sync::Arc;

use metrics_core::{PollStart, TimeSource, Timestamp};
use tokio::runtime::{Builder, TaskMeta};

use crate::location;
use crate::record::lease as current;
use crate::record::target::{Driver, Home};

type TaskCallback = Box<dyn Fn(&TaskMeta<'_>) + Send + Sync>;

/// The user's own, which the adapter's call.
#[derive(Default)]
pub(super) struct TaskCallbacks {
    pub(super) spawn: Vec<TaskCallback>,
    pub(super) before_poll: Vec<TaskCallback>,
    pub(super) after_poll: Vec<TaskCallback>,
    pub(super) terminate: Vec<TaskCallback>,
}

impl TaskCallbacks {
    /// Ours beside the user's.
    pub(super) fn record(&mut self, home: &Arc<Home>) {
        let before = Arc::clone(home);
        self.before_poll.push(Box::new(move |meta| {
            if let Some(lease) = before.lease(Driver::Spawned) {
                let start = PollStart {
                    scheduled_at: scheduled_at(&before, meta),
                    site: location::intern(meta.spawned_at()),
                };
                lease.begin_covered_poll(start);
            }
        }));
        let after = Arc::clone(home);
        self.after_poll.insert(
            0,
            Box::new(move |_| {
                if let Some(lease) = current::find(&after.registry) {
                    lease.end_covered_poll();
                }
            }),
        );
        let end = Arc::clone(home);
        self.terminate.insert(
            0,
            Box::new(move |_| {
                if let Some(lease) = current::find(&end.registry) {
                    lease.note_end_of_covered_task();
                }
            }),
        );
    }

    /// Hands the task hooks to Tokio.
    pub(super) fn install(self, builder: &mut Builder) {
        if !self.spawn.is_empty() {
            builder.on_task_spawn(move |meta| call(&self.spawn, meta));
        }
        if !self.before_poll.is_empty() {
            builder.on_before_task_poll(move |meta| call(&self.before_poll, meta));
        }
        if !self.after_poll.is_empty() {
            builder.on_after_task_poll(move |meta| call(&self.after_poll, meta));
        }
        if !self.terminate.is_empty() {
            builder.on_task_terminate(move |meta| call(&self.terminate, meta));
        }
    }
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
