//! The programs without metrics: the hooks are empty.

use tokio::runtime::{Handle, Runtime};

/// No hooks.
macro_rules! hooks {
    ($($code:tt)*) => {};
}

/// The future without a wrapper.
macro_rules! measured {
    ($metrics:expr, $future:expr) => {
        $future
    };
}

mod metrics {
    pub(crate) type Clock = ();
    pub(crate) type RuntimeMetrics = ();
    pub(crate) type WakeStamp = ();
    pub(crate) type Worker = ();
}

type Spawner = Handle;

#[path = "../executor.rs"]
mod executor;
#[path = "../static_loop.rs"]
mod static_loop;
#[path = "../tokio_tasks.rs"]
mod tokio_tasks;

type Result<T> = core::result::Result<T, Box<dyn core::error::Error>>;

fn main() -> Result<()> {
    let program = std::env::args().nth(2);
    let polls = match program.as_deref() {
        Some("static") => static_loop::run(),
        Some("tokio") => tokio_tasks::run(tokio()?),
        _ => executor::run(&(), (), ()),
    };
    println!("{polls}");
    Ok(())
}

fn tokio() -> Result<(Runtime, Spawner)> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let spawner = runtime.handle().clone();
    Ok((runtime, spawner))
}
