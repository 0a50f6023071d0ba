//! The scenarios, by what they are about.

mod blocking_and_io;
mod parks;
mod polls;
mod queues;
mod tasks;
mod traps;

use core::future::poll_fn;
use core::task::Poll;
use std::thread;
use std::time::Instant;

use super::patience::PATIENCE;
use super::reading::Reading;
use super::subject::Unsupported;
use super::trial::Trial;

/// A scenario: what it shows, and how.
pub type Scenario = (&'static str, fn(&mut Trial<'_>) -> Result<(), Unsupported>);

/// All of them.
pub static SCENARIOS: &[&[Scenario]] = &[
    parks::SCENARIOS,
    polls::SCENARIOS,
    queues::SCENARIOS,
    tasks::SCENARIOS,
    blocking_and_io::SCENARIOS,
    traps::SCENARIOS,
];

/// Lets the scheduler poll something else: a wake in mid-poll and one `Pending`.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if core::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Reads until another thread has come so far. Gives up after a while, for the scenario to fail on what it read.
fn until(read: impl Fn() -> Reading, done: impl Fn(&Reading) -> bool) -> Reading {
    let start = Instant::now();
    loop {
        let reading = read();
        if done(&reading) || start.elapsed() > PATIENCE {
            return reading;
        }
        thread::yield_now();
    }
}
