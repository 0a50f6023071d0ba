//! `cargo xtask tokio-on-core`: runs Tokio's test suites on a Tokio whose runtime metrics are metrics-core.
//!
//! Tokio's package contains its tests. It is copied from cargo's registry into `target/`, in the version of `Cargo.lock`, and
//! patched there with the files of `tests/tokio-on-core`.

mod differences;
mod tree;

use std::collections::BTreeMap;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Result, bail, ensure};

use crate::children::{self, Outcome};
use crate::flags::exit_code;
use crate::libtest::{self, Tally};
use crate::toolchain::Toolchain;
use crate::workspace;
use differences::Difference;
use tree::Tree;

/// The test binaries, in the order in which they run.
const SUITES: &[&str] = &[
    "rt_metrics",
    "rt_unstable_metrics",
    // The same with the assertions that differ on purpose changed, so that those after them are checked too.
    "rt_unstable_metrics_adjusted",
    "rt_every_poll",
    "rt_common",
    "rt_threaded",
    "task_hooks",
];

/// A suite takes at most half a minute on two slow cores, after the build.
const LIMIT: Duration = Duration::from_secs(15 * 60);

pub(crate) fn run() -> Result<ExitCode> {
    let differences = differences::read()?;
    let tree = Tree::prepare()?;
    let mut build = cargo(&tree);
    build.arg("--no-run");
    build.args(SUITES.iter().flat_map(|suite| ["--test", suite]));
    ensure!(
        build.status()?.success(),
        "the patched Tokio does not build; it is in {}",
        tree.dir().display()
    );
    let mut tally = Tally::default();
    for &suite in SUITES {
        let output = run_suite(&tree, suite)?;
        let expected: Vec<&Difference> = differences.iter().filter(|row| row.suite == suite).collect();
        let before = tally.failed;
        check(&results(&output), suite, &expected, &mut tally);
        if tally.failed > before {
            show(&output);
        }
    }
    println!("{tally}");
    Ok(exit_code(tally.failed == 0 && tally.passed > 0))
}

/// Returns the command that tests the patched Tokio, without the names of the suites.
fn cargo(tree: &Tree) -> Command {
    let core = workspace::root().join("metrics-core");
    let mut command = Toolchain::host().cargo(&["test", "--quiet", "--features", "full,schedule-latency"]);
    command
        .current_dir(tree.dir())
        .arg("--config")
        .arg(format!(
            "patch.crates-io.metrics-core.path={:?}",
            core.to_string_lossy()
        ))
        .arg("--target-dir")
        .arg(tree.dir().with_file_name("build"))
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", "--cfg tokio_unstable")
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_PROFILE_DEV_DEBUG", "0");
    command
}

/// Runs a suite and returns its output. A failed test is not an error here, because some are listed.
fn run_suite(tree: &Tree, suite: &str) -> Result<Vec<String>> {
    let mut command = cargo(tree);
    command.args(["--test", suite, "--", "--format=pretty"]);
    let (outcome, output) = children::output(command, LIMIT)?;
    let ended = output.iter().any(|line| line.starts_with("test result: "));
    if matches!(outcome, Outcome::TimedOut) || !ended {
        show(&output);
        bail!("{suite} did not run to its end");
    }
    Ok(output)
}

/// Prints the output of a suite. It is indented, because the matrix would count the suite's summary line.
fn show(output: &[String]) {
    for line in output {
        println!("  | {line}");
    }
}

/// The result of each test of a suite by its name: `None` if it passed, else the place of its panic.
type Results = BTreeMap<String, Option<String>>;

/// Reads the output of libtest.
fn results(output: &[String]) -> Results {
    let mut results = Results::new();
    let mut failing = None;
    for line in output {
        if let Some((test, result)) = libtest::result(line) {
            match result {
                "ok" => _ = results.insert(test.to_owned(), None),
                "FAILED" => _ = results.insert(test.to_owned(), Some("no panic".to_owned())),
                _ => {}
            }
        } else if let Some(test) = line
            .strip_prefix("---- ")
            .and_then(|line| line.strip_suffix(" stdout ----"))
        {
            failing = Some(test);
        } else if let Some((_, place)) = line.split_once("panicked at ")
            && let Some(test) = failing.take()
        {
            // `file:line:column:`
            let place = place.rsplitn(3, ':').last().unwrap_or(place);
            results.insert(test.to_owned(), Some(place.to_owned()));
        }
    }
    results
}

/// Compares the results of a suite with the differences that are listed for it.
fn check(results: &Results, suite: &str, expected: &[&Difference], tally: &mut Tally) {
    let mut passed = 0;
    for (test, failed_at) in results {
        let row = expected.iter().find(|row| row.test == *test);
        let (holds, what) = match failed_at {
            Some(place) if row.is_some_and(|row| row.places.contains(place)) => {
                (true, format!("fails at {place}, as listed"))
            }
            Some(place) => (false, format!("fails at {place}, which is not listed")),
            None if row.is_some_and(|row| row.always) => (false, "passes, but is listed to fail".to_owned()),
            None => {
                passed += 1;
                continue;
            }
        };
        tally.check(&format!("{suite}: {test} {what}"), holds);
    }
    for row in expected.iter().filter(|row| !results.contains_key(&row.test)) {
        tally.check(
            &format!("{suite}: {} is listed, but there is no such test", row.test),
            false,
        );
    }
    println!("ok: {suite}: {passed} tests pass");
    tally.passed += passed;
}

#[cfg(test)]
mod tests {
    use super::{Difference, Results, Tally, check, results};

    const OUTPUT: &str = "test passes ... ok\n\
                          test panics - should panic ... ok\n\
                          test left_out ... ignored, a reason\n\
                          test fails ... FAILED\n\
                          ---- fails stdout ----\n\
                          thread 'fails' (7) panicked at tests/rt.rs:12:5:\n\
                          thread 'other' (8) panicked at tests/rt.rs:99:5:";

    fn read() -> Results {
        results(&OUTPUT.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    fn failures(test: &str, place: &str, always: bool) -> u64 {
        let difference = Difference {
            suite: "rt".into(),
            test: test.into(),
            places: vec![place.into()],
            always,
        };
        let mut tally = Tally::default();
        check(&read(), "rt", &[&difference], &mut tally);
        tally.failed
    }

    #[test]
    fn a_failure_has_its_place() {
        let results = read();
        assert_eq!(results.len(), 3);
        assert_eq!(results["passes"], None);
        assert_eq!(results["fails"].as_deref(), Some("tests/rt.rs:12"));
    }

    #[test]
    fn only_a_listed_failure_is_accepted() {
        assert_eq!(failures("fails", "tests/rt.rs:12", true), 0);
        assert_eq!(failures("fails", "tests/rt.rs:12", false), 0);
        assert_eq!(failures("fails", "tests/rt.rs:13", true), 1, "another assertion");
        assert_eq!(
            failures("passes", "tests/rt.rs:1", false),
            1,
            "`fails` is not listed"
        );
        assert_eq!(failures("passes", "tests/rt.rs:1", true), 2, "`passes` passes");
        assert_eq!(
            failures("gone", "tests/rt.rs:1", true),
            2,
            "there is no such test"
        );
    }
}
