//! Spawns a task that is ready at once, and awaits it, on Tokio's current-thread runtime.

use crate::harness::{Build, Measured, Named, Side, side, timed};
use crate::yielding::current_thread;
use metrics_std::Builder;
use metrics_std::tokio::{MeasuredRuntime, TokioAdapter};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// Every side.
pub(crate) const SIDES: &[Named] = &[
    side("spawn/tokio", TOKIO),
    side("spawn/spawner", SPAWNER),
    side("spawn/locations", LOCATIONS),
    side("spawn/census", CENSUS),
    side("spawn/ambient", AMBIENT),
    side("spawn/ambient-unmeasured", AMBIENT_UNMEASURED),
];

fn spawn_and_join(runtime: Runtime, spawn: impl Fn() -> JoinHandle<()> + 'static) -> Box<dyn Side> {
    Box::new(move |ops: u64| -> Measured {
        timed(ops, || {
            runtime.block_on(async {
                for _ in 0..ops {
                    let _ = spawn().await;
                }
            });
        })
    })
}

fn configured(configure: for<'a> fn(Builder<'a>) -> Builder<'a>) -> MeasuredRuntime<Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let adapter = TokioAdapter::builder().configure(configure);
    adapter.build(&mut builder).expect("a runtime")
}

fn measured() -> MeasuredRuntime<Runtime> {
    configured(|builder| builder)
}

const TOKIO: Build = || spawn_and_join(current_thread(|_| {}), || tokio::spawn(async {}));

/// Spawns with the spawner of a runtime.
fn spawner(measured: MeasuredRuntime<Runtime>) -> Box<dyn Side> {
    let MeasuredRuntime { runtime, spawner, .. } = measured;
    spawn_and_join(runtime, move || spawner.spawn(async {}))
}

const SPAWNER: Build = || spawner(measured());

const LOCATIONS: Build = || spawner(configured(|builder| builder.locations(64)));

/// A census needs locations.
const CENSUS: Build = || spawner(configured(|builder| builder.locations(64).census()));

/// The free function on a measured runtime, which it looks up.
const AMBIENT: Build = || spawn_and_join(measured().runtime, || metrics_std::tokio::spawn(async {}));

/// The same on a runtime without metrics.
const AMBIENT_UNMEASURED: Build =
    || spawn_and_join(current_thread(|_| {}), || metrics_std::tokio::spawn(async {}));
