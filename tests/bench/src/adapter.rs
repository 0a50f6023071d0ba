//! Our adapter on Tokio: tasks that its spawner wraps, and the same tasks without a wrapper.

use crate::harness::{Build, Measured, Named, Side, side, timed};
use crate::ours::LAYOUT;
use crate::yielding::{TASKS, Yields, yield_loop};
use metrics_std::tokio::{MeasuredRuntime, Spawner, TokioAdapter};
use metrics_std::{Builder, HistogramConfig};
use tokio::runtime::Runtime;

/// Both sides.
pub(crate) const SIDES: &[Named] = &[
    side("adapter/both", BOTH),
    side("adapter/yield-poll-time", YIELD_POLL_TIME),
];
fn runtime(latency: Option<HistogramConfig>) -> (Runtime, Spawner) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let adapter = TokioAdapter::builder().configure(move |_| {
        let builder = Builder::new().poll_time(LAYOUT);
        match latency {
            Some(layout) => builder.schedule_latency(layout),
            None => builder,
        }
    });
    let MeasuredRuntime { runtime, spawner, .. } = adapter.build(&mut builder).expect("a runtime");
    (runtime, spawner)
}

/// As `yielding`, through the spawner.
const BOTH: Build = || {
    let (runtime, spawner) = runtime(Some(LAYOUT));
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
};

/// As `yield_now`, through the spawner.
const YIELD_POLL_TIME: Build = || {
    let (runtime, spawner) = runtime(None);
    let side: Box<dyn Side> = Box::new(move |ops: u64| -> Measured {
        timed(ops, || {
            let task = spawner.spawn(yield_loop(ops));
            let _ = runtime.block_on(task);
        })
    });
    side
};
