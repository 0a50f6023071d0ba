//! The executor without metrics: where the hooks are, nothing is.

/// No hook.
macro_rules! hook {
    ($call:expr) => {};
}

/// The future alone.
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

#[path = "../executor.rs"]
mod executor;

fn main() {
    executor::run(&(), (), ());
}
