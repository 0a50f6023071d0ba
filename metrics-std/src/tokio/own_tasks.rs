//! Spawns the tasks of this crate. Metrics and task hooks leave them out.

use core::future::Future;

use tokio::runtime::Handle;

#[cfg(not(tokio_unstable))]
pub(super) fn spawn(runtime: &Handle, task: impl Future<Output = ()> + Send + 'static) {
    drop(runtime.spawn(task));
}

/// The spawn location of all tasks of this crate. The task hooks identify them by it.
#[cfg(tokio_unstable)]
static LOCATION: std::sync::OnceLock<&'static core::panic::Location<'static>> = std::sync::OnceLock::new();

#[cfg(tokio_unstable)]
pub(super) fn spawn(runtime: &Handle, task: impl Future<Output = ()> + Send + 'static) {
    #[track_caller]
    fn spawn_here(runtime: &Handle, task: impl Future<Output = ()> + Send + 'static) {
        let here = core::panic::Location::caller();
        LOCATION.get_or_init(|| here);
        drop(runtime.spawn(task));
    }
    spawn_here(runtime, task);
}

/// Returns whether a task is one of this crate. The user's callbacks are not called for it.
#[cfg(tokio_unstable)]
pub(super) fn is_own(meta: &tokio::runtime::TaskMeta<'_>) -> bool {
    LOCATION
        .get()
        .is_some_and(|location| **location == *meta.spawned_at())
}
