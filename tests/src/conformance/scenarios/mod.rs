//! The scenarios, by subject.

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

/// A scenario: its description and its function.
pub type Scenario = (&'static str, fn(&mut Trial<'_>) -> Result<(), Unsupported>);

/// All scenarios.
pub static SCENARIOS: &[&[Scenario]] = &[
    parks::SCENARIOS,
    polls::SCENARIOS,
    queues::SCENARIOS,
    tasks::SCENARIOS,
    blocking_and_io::SCENARIOS,
    traps::SCENARIOS,
];

/// Reads until another thread has made the expected progress. Stops after a timeout; the scenario then fails on the last value.
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
