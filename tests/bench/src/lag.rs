//! The CPU time of an idle runtime: with both lag probes, with as many timers and wakes that measure nothing, and alone.

use crate::harness::{Build, Measured, Named, Side, slow_side, timed};
use metrics_std::tokio::{DEFAULT_LAG_PERIOD, Spawner, attach, watch_loop_lag, watch_wake_latency};
use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::time::sleep;

/// Every side.
pub(crate) const SIDES: &[Named] = &[
    slow_side("lag/probes", PROBES),
    slow_side("lag/by-hand", BY_HAND),
    slow_side("lag/idle", IDLE),
];

/// Builds a runtime as `#[tokio::main]` does, and measures it.
fn measured() -> (Runtime, Spawner) {
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let measured = attach(runtime.handle()).expect("a measured runtime");
    (runtime, measured.spawner)
}

/// An operation is a millisecond in which nothing else runs. `probes` are held meanwhile.
fn idle<T: 'static>(runtime: Runtime, probes: T) -> Box<dyn Side> {
    // A run begins between two samples and lasts whole periods, so each period has one sample of each probe.
    thread::sleep(DEFAULT_LAG_PERIOD / 2);
    Box::new(move |ops: u64| -> Measured {
        let _held = (&runtime, &probes);
        let millis = ops.next_multiple_of(DEFAULT_LAG_PERIOD.as_millis() as u64);
        let before = cpu_time();
        let measured = timed(millis, || thread::sleep(Duration::from_millis(millis)));
        Measured {
            cpu: Some(cpu_time().saturating_sub(before)),
            ..measured
        }
    })
}

/// Returns the CPU time of all threads of this process.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).expect("a clock that starts at zero")
}

const IDLE: Build = || idle(measured().0, ());

const PROBES: Build = || {
    let (runtime, spawner) = measured();
    let loop_lag = watch_loop_lag(&spawner, DEFAULT_LAG_PERIOD);
    let wake_latency = watch_wake_latency(&spawner, DEFAULT_LAG_PERIOD).expect("a thread");
    idle(runtime, (loop_lag, wake_latency))
};

const BY_HAND: Build = || {
    let (runtime, _) = measured();
    runtime.spawn(async {
        loop {
            sleep(DEFAULT_LAG_PERIOD).await;
        }
    });
    let woken = Arc::new(Notify::new());
    let wakes = Arc::downgrade(&woken);
    runtime.spawn(async move {
        loop {
            woken.notified().await;
        }
    });
    thread::spawn(move || {
        // The runtime drops its tasks when it ends.
        while let Some(wakes) = wakes.upgrade() {
            wakes.notify_one();
            drop(wakes);
            thread::sleep(DEFAULT_LAG_PERIOD);
        }
    });
    idle(runtime, ())
};
