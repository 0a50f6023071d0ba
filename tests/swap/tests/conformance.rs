//! The conformance suite with metrics-mock in the place of metrics-std: runtimes run as before, and every row of the list reads
//! `None` at every moment.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "sources of another package, not all of which is used here"
)]

// What those sources name.
use metrics_std as metrics;
use metrics_std::ManualClock as HandClock;

#[path = "../../src/conformance/mod.rs"]
mod conformance;
#[path = "../../src/testbed/mod.rs"]
mod testbed;

use std::sync::Arc;

use conformance::clock::ManualClock;
use conformance::subject::{Runtime, Setup, Subject, Unsupported};
use conformance::subjects::{tokio, wrapped};
use conformance::{run, table};

/// A kind of runtime, under the one column that all of them share here.
struct Mocked<S>(S);

impl<S: Subject> Subject for Mocked<S> {
    fn name(&self) -> &'static str {
        table::MOCK
    }

    fn start(&self, setup: &Setup, clock: &ManualClock) -> Result<Arc<dyn Runtime>, Unsupported> {
        self.0.start(setup, clock)
    }
}

/// Those that come to rest without being told by their metrics, as the testbed is.
#[test]
fn every_row_reads_none() {
    let subjects: &[&dyn Subject] = &[
        &Mocked(tokio::MultiThread),
        &Mocked(tokio::CurrentThread),
        &Mocked(wrapped::AsyncExecutor),
        &Mocked(wrapped::Futures),
    ];
    let problems = table::check_silence(&run(subjects), subjects);
    assert!(
        problems.is_empty(),
        "{} problems:\n{}",
        problems.len(),
        problems.join("\n")
    );
}
