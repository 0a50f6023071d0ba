//! The conformance suite: for each metric a scenario that moves it by a known amount and one that must leave it alone,
//! on every kind of runtime that this project supports.
//!
//! [`run`] plays every [scenario](scenarios::SCENARIOS) on every [`Subject`]. A scenario says what it expects of a metric; a
//! runtime that does not measure the metric reads `None`, which is noted in the table and is no failure, unless no
//! runtime at all measures it.

pub mod clock;
pub mod patience;
pub mod reading;
pub mod scenarios;
pub mod subject;
pub mod subjects;
pub mod table;
pub mod trial;

use subject::Subject;
use trial::{Ledger, Trial};

/// Plays every scenario on every subject.
pub fn run(subjects: &[&dyn Subject]) -> Ledger {
    let mut ledger = Ledger::default();
    for &subject in subjects {
        for &(scenario, play) in scenarios::SCENARIOS.iter().copied().flatten() {
            let mut trial = Trial {
                subject,
                scenario,
                ledger: &mut ledger,
            };
            // What the runtime can't do is not played; that shows in the table as a metric that never moved.
            let _unsupported = play(&mut trial);
        }
    }
    ledger
}
