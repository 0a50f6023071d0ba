//! Tasks spawned on a current-thread Tokio runtime, by its handle or by the adapter's spawner.

use tokio::runtime::Runtime;
use tokio::task::yield_now;

use crate::Spawner;

const TASKS: u64 = 200;
const POLLS_OF_EACH: u64 = 50;

/// `cargo xtask zero-cost` counts the instructions executed in here, by this name.
#[inline(never)]
fn measured_region(runtime: &Runtime, spawner: &Spawner) -> u64 {
    runtime.block_on(async {
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                spawner.spawn(async {
                    for _ in 1..POLLS_OF_EACH {
                        yield_now().await;
                    }
                    POLLS_OF_EACH
                })
            })
            .collect();
        let mut polls = 0;
        for task in tasks {
            polls += task.await.unwrap_or(0);
        }
        polls
    })
}

/// Runs the tasks and returns their number of polls.
pub(crate) fn run((runtime, spawner): (Runtime, Spawner)) -> u64 {
    measured_region(&runtime, &spawner)
}
