//! `cargo xtask mutate`: checks that a test fails when an invariant is broken.
//!
//! Each patch under `tests/mutations/` breaks an invariant in a copy of the tree, and names the test that must fail.

mod patch;
mod tree;

use std::collections::BTreeMap;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::children::{self, Outcome};
use crate::flags::{BAD_USAGE, Mutate, exit_code};
use crate::libtest::{self, Tally};
use crate::workspace;
use patch::{DIR, Expect, Mutation, TestCommand};
use tree::Tree;

/// A broken protocol may wait without end. The tests themselves take seconds.
const LIMIT: Duration = Duration::from_secs(10 * 60);

pub(crate) fn run(flags: &Mutate) -> Result<ExitCode> {
    let mut mutations = patch::all()?;
    if let Some(unknown) = flags
        .only
        .iter()
        .find(|&name| mutations.iter().all(|mutation| &mutation.name != name))
    {
        eprintln!("error: {DIR} has no '{unknown}.patch'; --list shows what it has");
        return Ok(ExitCode::from(BAD_USAGE));
    }
    mutations.retain(|mutation| flags.only.is_empty() || flags.only.contains(&mutation.name));
    if flags.list {
        for mutation in &mutations {
            println!(
                "{}\n    breaks {}\n    by this: {}",
                mutation.name, mutation.breaks, mutation.how
            );
        }
        return Ok(ExitCode::SUCCESS);
    }

    let tree = Tree::copy()?;
    // Checks all patches first, so that one that does not apply is reported before the tests, which may take minutes.
    let mut stale = 0;
    for mutation in &mutations {
        match tree.apply(mutation) {
            Ok(()) => tree.revert(mutation)?,
            Err(error) => {
                stale += 1;
                eprintln!("error: {error:#}");
            }
        }
    }
    ensure!(
        stale == 0,
        "{stale} of {} patches have to be made again",
        mutations.len()
    );
    let unsound = check_unbroken(&tree, &mutations)?;

    let mut tally = Tally::default();
    for (index, mutation) in mutations.iter().enumerate() {
        println!(
            "[{}/{}] {}: {}",
            index + 1,
            mutations.len(),
            mutation.name,
            mutation.how
        );
        let started = Instant::now();
        tree.apply(mutation)?;
        let result = verdict(&tree, mutation);
        tree.revert(mutation)?;
        let problem = match unsound.get(&mutation.name) {
            Some(problem) => Some(problem.clone()),
            None => result?,
        };
        let seconds = started.elapsed().as_secs_f64();
        match problem {
            None => {
                tally.passed += 1;
                println!("    caught, {seconds:.1} s");
            }
            Some(problem) => {
                tally.failed += 1;
                println!("    NOT CAUGHT, {seconds:.1} s: {problem}");
            }
        }
    }
    println!("\n{} mutations, {} caught", mutations.len(), tally.passed);
    println!("{tally}");
    Ok(exit_code(tally.failed == 0))
}

/// Runs the named tests on the unmodified tree: a test that fails or does not exist there proves nothing.
///
/// Returns the mutations that can't be evaluated, with the reason.
fn check_unbroken(tree: &Tree, mutations: &[Mutation]) -> Result<BTreeMap<String, String>> {
    let mut by_command: BTreeMap<&TestCommand, Vec<(&Mutation, &str)>> = BTreeMap::new();
    for mutation in mutations {
        if let Expect::Fails(test) = &mutation.expect {
            by_command
                .entry(&mutation.command)
                .or_default()
                .push((mutation, test));
        }
    }
    let mut problems = BTreeMap::new();
    for (index, (command, tests)) in by_command.iter().enumerate() {
        println!(
            "[unbroken {}/{}] cargo {}",
            index + 1,
            by_command.len(),
            command.args.join(" ")
        );
        let names: Vec<&str> = tests.iter().map(|(_, test)| *test).collect();
        let run = run_tests(tree, command, &names)?;
        for (mutation, test) in tests {
            if !run.passed.iter().any(|passed| passed == test) {
                let why = if run.failed.iter().any(|failed| failed == test) {
                    "fails"
                } else {
                    "does not run"
                };
                let problem = format!("`{test}` {why} on the unmodified tree");
                println!("    {}: {problem}\n{}", mutation.name, run.tail());
                problems.insert(mutation.name.clone(), problem);
            }
        }
    }
    Ok(problems)
}

/// Returns why an applied mutation was not caught, or `None` if it was.
fn verdict(tree: &Tree, mutation: &Mutation) -> Result<Option<String>> {
    let (run, caught) = match &mutation.expect {
        Expect::Fails(test) => {
            let run = run_tests(tree, &mutation.command, &[test])?;
            let caught = run.failed.contains(test);
            (run, caught)
        }
        Expect::Refused(message) => {
            let run = run_tests(tree, &mutation.command, &[])?;
            let says = |text: &str| run.lines.iter().any(|line| line.contains(text));
            let caught = run.ran() == 0 && says("could not compile") && says(message);
            (run, caught)
        }
    };
    if caught {
        return Ok(None);
    }
    let why = match (&run.outcome, &mutation.expect) {
        (Outcome::TimedOut, _) => format!("not done after {} minutes", LIMIT.as_secs() / 60),
        (_, Expect::Refused(message)) => format!("the compiler did not refuse it with `{message}`"),
        (_, Expect::Fails(test)) if run.passed.contains(test) => format!("`{test}` still passes"),
        (_, Expect::Fails(test)) => format!("`{test}` did not run; does it compile?"),
    };
    Ok(Some(format!("{why}\n{}", run.tail())))
}

/// The result of a test run.
struct Run {
    outcome: Outcome,
    passed: Vec<String>,
    failed: Vec<String>,
    lines: Vec<String>,
}

impl Run {
    fn ran(&self) -> usize {
        self.passed.len() + self.failed.len()
    }

    fn tail(&self) -> String {
        self.lines[self.lines.len().saturating_sub(20)..]
            .iter()
            .map(|line| format!("    | {line}\n"))
            .collect::<Vec<_>>()
            .concat()
    }
}

/// Runs the tests with these names, or all tests of the command if there are no names.
fn run_tests(tree: &Tree, test_command: &TestCommand, names: &[&str]) -> Result<Run> {
    let mut command = Command::new("cargo");
    command
        .current_dir(tree.dir())
        .args(&test_command.args)
        .arg("--no-fail-fast");
    if !names.is_empty() {
        command.args(["--", "--exact"]).args(names);
    }
    // In a shared directory, builds with different flags would replace each other's artefacts.
    let slug: String = test_command
        .env
        .iter()
        .map(|(name, value)| format!("-{name}-{value}"))
        .collect::<Vec<_>>()
        .concat();
    let slug: String = slug
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    command
        .env(
            "CARGO_TARGET_DIR",
            workspace::target_dir().join(format!("mutate/build{slug}")),
        )
        .env("CARGO_TERM_COLOR", "never")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env_remove("LD_LIBRARY_PATH")
        .envs(test_command.env.iter().map(|(name, value)| (name, value)));
    let (outcome, lines) = children::output(command, LIMIT)?;
    let tests = |wanted: &str| {
        let results = lines.iter().filter_map(|line| libtest::result(line));
        results
            .filter(|(_, result)| *result == wanted)
            .map(|(name, _)| name.trim_end_matches(" - should panic").to_owned())
            .collect()
    };
    Ok(Run {
        outcome,
        passed: tests("ok"),
        failed: tests("FAILED"),
        lines,
    })
}
