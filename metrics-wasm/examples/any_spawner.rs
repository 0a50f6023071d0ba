//! Leptos and other crates spawn through `any_spawner`. With this executor, their tasks are measured.
//!
//! In an app of leptos, call `install` before `leptos::mount::mount_to_body`.

use any_spawner::{CustomExecutor, Executor, ExecutorError, PinnedFuture, PinnedLocalFuture};

struct Measured;

impl CustomExecutor for Measured {
    fn spawn(&self, future: PinnedFuture<()>) {
        metrics_wasm::spawn_local(future);
    }

    fn spawn_local(&self, future: PinnedLocalFuture<()>) {
        metrics_wasm::spawn_local(future);
    }

    // The host polls the tasks.
    fn poll_local(&self) {}
}

/// Makes `any_spawner` spawn measured tasks.
pub(crate) fn install() -> Result<(), ExecutorError> {
    Executor::init_custom_executor(Measured)
}

#[allow(dead_code, reason = "the test of this example calls `install` itself")]
fn main() -> Result<(), ExecutorError> {
    install()?;
    Executor::spawn_local(async { /* what a component awaits */ });
    Ok(())
}
