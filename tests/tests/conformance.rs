//! Plays the conformance suite, and checks the table made from it.

use tests::conformance::subject::Subject;
use tests::conformance::subjects::{testbed, tokio, wrapped};
use tests::conformance::{run, table};

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
    let problems = table::check(&run(subjects), subjects);
    assert!(
        problems.is_empty(),
        "{} problems:\n{}",
        problems.len(),
        problems.join("\n")
    );
}
