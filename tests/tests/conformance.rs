//! Runs the conformance suite and checks the table of its results: with the feature `record`, the metrics that each runtime measures;
//! without it, that every runtime runs unchanged and every metric is `None`.

use std::sync::Arc;

use metrics_std::RECORDING;
use tests::conformance::clock::ManualClock;
use tests::conformance::subject::{Runtime, Setup, Subject, Unsupported};
use tests::conformance::subjects::{testbed, tokio, wrapped};
use tests::conformance::{run, table};

/// A runtime under the one column that all of them share without the feature `record`.
struct Off<'a>(&'a dyn Subject);

impl Subject for Off<'_> {
    fn name(&self) -> &'static str {
        table::OFF
    }

    fn start(&self, setup: &Setup, clock: &ManualClock) -> Result<Arc<dyn Runtime>, Unsupported> {
        self.0.start(setup, clock)
    }
}

#[test]
fn every_runtime_conforms() {
    let subjects: &[&dyn Subject] = &[
        &testbed::MultiThread,
        &testbed::CurrentThread,
        &tokio::MultiThread,
        &tokio::CurrentThread,
        &wrapped::AsyncExecutor,
        &wrapped::Futures,
    ];
    let problems = if RECORDING {
        table::check(&run(subjects), subjects)
    } else {
        // The first two are the testbed, which waits for its metrics to show that it is idle.
        let off: Vec<Off> = subjects[2..].iter().map(|&subject| Off(subject)).collect();
        let off: Vec<&dyn Subject> = off.iter().map(|subject| subject as _).collect();
        table::check_silence(&run(&off), &off)
    };
    assert!(
        problems.is_empty(),
        "{} problems:\n{}",
        problems.len(),
        problems.join("\n")
    );
}
