//! Records every task of a runtime through Tokio's unstable task hooks.

use std::sync::Arc;

use metrics_core::{PollStart, TimeSource, Timestamp};
use tokio::runtime::TaskMeta;

use super::installed::Installed;
use super::own_tasks::is_own;
use crate::location;
use crate::record::runtime_leases::PolledBy;
use crate::record::target::RecordingTarget;
use crate::record::thread_leases;

type TaskCallback = Box<dyn Fn(&TaskMeta<'_>) + Send + Sync>;

/// The callbacks of each event, in call order.
#[derive(Default)]
pub(super) struct TaskCallbacks {
    pub(super) spawn: Vec<TaskCallback>,
    pub(super) before_poll: Vec<TaskCallback>,
    pub(super) after_poll: Vec<TaskCallback>,
    pub(super) terminate: Vec<TaskCallback>,
}

impl TaskCallbacks {
    pub(super) fn is_empty(&self) -> bool {
        let all = [&self.spawn, &self.before_poll, &self.after_poll, &self.terminate];
        all.iter().all(|callbacks| callbacks.is_empty())
    }

    /// Adds the callbacks that record.
    pub(super) fn record(&mut self, target: &Arc<RecordingTarget>) {
        let before = Arc::clone(target);
        self.before_poll.push(Box::new(move |meta| {
            if let Some(lease) = thread_leases::lease_for_poll(&before, PolledBy::Runtime) {
                let is_measured = lease.worker.choose_latency().unwrap_or(true);
                let start = PollStart {
                    scheduled_at: is_measured.then(|| scheduled_at(&before, meta)).flatten(),
                    spawn_location: location::intern(meta.spawned_at()),
                };
                lease.start_hooked_poll(start);
            }
        }));
        let after = Arc::clone(target);
        self.after_poll.insert(
            0,
            Box::new(move |_| {
                if let Some(lease) = thread_leases::find(&after.registry) {
                    thread_leases::end_hooked_poll(&lease);
                }
            }),
        );
        let end = Arc::clone(target);
        self.terminate.insert(
            0,
            Box::new(move |_| {
                if let Some(lease) = thread_leases::find(&end.registry) {
                    lease.end_hooked_task();
                }
            }),
        );
    }

    /// Installs the callbacks in Tokio's builder.
    pub(super) fn install(self, installed: &mut Installed<'_>) {
        if !self.spawn.is_empty() {
            installed
                .builder
                .on_task_spawn(move |meta| call(&self.spawn, meta));
            installed.remove_by(|builder| builder.on_task_spawn(|_| ()));
        }
        if !self.before_poll.is_empty() {
            installed
                .builder
                .on_before_task_poll(move |meta| call(&self.before_poll, meta));
            installed.remove_by(|builder| builder.on_before_task_poll(|_| ()));
        }
        if !self.after_poll.is_empty() {
            installed
                .builder
                .on_after_task_poll(move |meta| call(&self.after_poll, meta));
            installed.remove_by(|builder| builder.on_after_task_poll(|_| ()));
        }
        if !self.terminate.is_empty() {
            installed
                .builder
                .on_task_terminate(move |meta| call(&self.terminate, meta));
            installed.remove_by(|builder| builder.on_task_terminate(|_| ()));
        }
    }
}

fn call(callbacks: &[TaskCallback], meta: &TaskMeta<'_>) {
    if is_own(meta) {
        return;
    }
    for callback in callbacks {
        callback(meta);
    }
}

/// Returns when Tokio scheduled the task, as a timestamp of the registry's clock. Tokio reports how long ago that was.
fn scheduled_at(target: &RecordingTarget, meta: &TaskMeta<'_>) -> Option<Timestamp> {
    let registry = &target.registry;
    if !registry.clock().is_real_time() {
        return None;
    }
    let latency = meta.schedule_latency()?;
    let ago = registry.scale().ticks_of(latency);
    Some(Timestamp::from_ticks(
        registry.clock().now().ticks().saturating_sub(ago),
    ))
}
