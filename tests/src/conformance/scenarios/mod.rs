//! The scenarios, by what they are about.

mod blocking_and_io;
mod parks;
mod polls;
mod queues;
mod tasks;
mod traps;

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
