//! The conformance suite: for each metric, a scenario that changes it by a known amount and one that must not change it,
//! on every kind of runtime that this project supports.
//!
//! [`run`] runs every [scenario](scenarios::SCENARIOS) on every [`Subject`]. A scenario states the expected value of a metric. A
//! runtime that does not measure the metric returns `None`, which is noted in the table and is not a failure, unless no
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

/// Runs every scenario on every subject.
pub fn run(subjects: &[&dyn Subject]) -> Ledger {
    let mut ledger = Ledger::default();
    for &subject in subjects {
        for &(scenario, play) in scenarios::SCENARIOS.iter().copied().flatten() {
            let mut trial = Trial {
                subject,
                scenario,
                ledger: &mut ledger,
            };
            // Scenarios that need an operation that the runtime lacks are skipped. The table then shows that the metric never changed.
            let _unsupported = play(&mut trial);
        }
    }
    ledger
}
