//! Our adapter on Tokio: tasks that its spawner wraps, for the same tasks without a wrapper.

use crate::harness::{Build, Measured, Named, Side, side, timed};
use crate::ours::{LAYOUT, one_in_8};
use crate::yielding::{TASKS, Yields, yield_loop};
use metrics_std::tokio::{MeasuredRuntime, Spawner, TokioAdapter};
use metrics_std::{Builder, Sampling};
use tokio::runtime::Runtime;

/// Every side.
pub(crate) const SIDES: &[Named] = &[
    side("adapter/both", BOTH),
    side("adapter/attached", ATTACHED),
    side("adapter/off", OFF),
    side("adapter/one-in-8", ONE_IN_8),
    side("adapter/everything", EVERYTHING),
    side("adapter/locations", LOCATIONS),
    side("adapter/census", CENSUS),
    side("adapter/yield-poll-time", YIELD_POLL_TIME),
];

type Configure = fn(Builder<'static>) -> Builder<'static>;

fn runtime(configure: Configure) -> (Runtime, Spawner) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let adapter = TokioAdapter::builder().configure(move |_| configure(Builder::new()));
    let MeasuredRuntime { runtime, spawner, .. } = adapter.build(&mut builder).expect("a runtime");
    (runtime, spawner)
}

fn poll_time(metrics: Builder<'static>) -> Builder<'static> {
    metrics.poll_time(LAYOUT)
}

fn both(metrics: Builder<'static>) -> Builder<'static> {
    poll_time(metrics).schedule_latency(LAYOUT)
}

fn off(metrics: Builder<'static>) -> Builder<'static> {
    both(metrics)
        .poll_time_sampling(Sampling::Off)
        .schedule_latency_sampling(Sampling::Off)
}

fn locations(metrics: Builder<'static>) -> Builder<'static> {
    both(metrics).locations(64)
}

fn everything(metrics: Builder<'static>) -> Builder<'static> {
    locations(metrics).flight_recorder(4_095)
}

/// As `yielding`, through the spawner.
fn yielding((runtime, spawner): (Runtime, Spawner)) -> Box<dyn Side> {
    Box::new(move |ops: u64| -> Measured {
        let polls = ops.div_ceil(TASKS).max(2);
        let mut tasks = Vec::with_capacity(TASKS as usize);
        timed(polls * TASKS, || {
            runtime.block_on(async {
                for _ in 0..TASKS {
                    tasks.push(spawner.spawn(Yields(polls - 1)));
                }
                for task in tasks.drain(..) {
                    let _ = task.await;
                }
            });
        })
    })
}

const BOTH: Build = || yielding(runtime(both));
const OFF: Build = || yielding(runtime(off));
const ONE_IN_8: Build = || yielding(runtime(|metrics| one_in_8(both(metrics))));
const EVERYTHING: Build = || yielding(runtime(everything));
const LOCATIONS: Build = || yielding(runtime(locations));
const CENSUS: Build = || yielding(runtime(|metrics| locations(metrics).census()));

/// On a runtime that the adapter did not build.
const ATTACHED: Build = || {
    let runtime = crate::yielding::current_thread(|_| {});
    let adapter = TokioAdapter::builder().configure(|_| both(Builder::new()));
    let MeasuredRuntime { spawner, .. } = adapter.attach(runtime.handle()).expect("a measured runtime");
    yielding((runtime, spawner))
};

/// As `yield_now`, through the spawner.
const YIELD_POLL_TIME: Build = || {
    let (runtime, spawner) = runtime(poll_time);
    let side: Box<dyn Side> = Box::new(move |ops: u64| -> Measured {
        timed(ops, || {
            let task = spawner.spawn(yield_loop(ops));
            let _ = runtime.block_on(task);
        })
    });
    side
};
