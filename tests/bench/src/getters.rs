//! Reads one counter of each of 32 workers in turn.

use crate::harness::{Build, Measured, Named, side, timed};
use crate::ours::{LAYOUT, SetClock, registry};
use metrics_core::{RuntimeMetrics, Worker};
use std::hint::black_box;

/// Every side of this build.
pub(crate) const SIDES: &[Named] = &[
    side("getter/ours", OURS),
    #[cfg(tokio_unstable)]
    side("getter/tokio", tokio_peer::GETTER),
];

/// A power of two, so that the turn costs an `and`.
const WORKERS: usize = 32;

const OURS: Build = || {
    let registry = registry(SetClock::default(), WORKERS, LAYOUT);
    let lease = |index| Worker::lease(registry.clone(), index).expect("a free slot");
    let workers: Vec<_> = (0..WORKERS).map(lease).collect();
    let metrics = RuntimeMetrics::new(registry);
    Box::new(move |ops: u64| -> Measured {
        black_box(&workers);
        timed(ops, || {
            for turn in 0..ops {
                let worker = turn as usize % WORKERS;
                let _ = black_box(black_box(&metrics).worker_poll_count(worker));
            }
        })
    })
};

#[cfg(tokio_unstable)]
mod tokio_peer {
    use super::{Build, Measured, WORKERS, black_box, timed};
    use tokio::runtime::Builder;

    pub(super) const GETTER: Build = || {
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .build()
            .expect("a runtime");
        let metrics = runtime.metrics();
        Box::new(move |ops: u64| -> Measured {
            black_box(&runtime);
            timed(ops, || {
                for turn in 0..ops {
                    let worker = turn as usize % WORKERS;
                    black_box(black_box(&metrics).worker_poll_count(worker));
                }
            })
        })
    };
}
