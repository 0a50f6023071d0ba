//! `cargo xtask bench`: measures every comparison side by side and checks the goals.
//!
//! The benchmark programs (`tests/bench`) contain both sides. They are built on stable Tokio and with
//! `--cfg tokio_unstable`, and keep running while this command runs their sides in turn.

pub(crate) mod callgrind;
mod comparisons;
mod counts;
mod facts;
mod goals;
mod page;
mod programs;
mod result;
mod rounds;
mod stats;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::process::ExitCode;
use std::thread;

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::flags::Bench;
use crate::libtest::Tally;
use crate::workspace;
use comparisons::{Build, Group, Row, Side};
use counts::Counts;
use result::{Outcome, Times};
use rounds::{Effort, Programs, Round};

/// Runs the comparisons that `flags` selects.
pub(crate) fn run(flags: &Bench) -> Result<ExitCode> {
    let groups = selected(&flags.names)?;
    let valgrind = callgrind::installed();
    if flags.instructions && !valgrind {
        bail!("instruction counts need valgrind: `apt-get install valgrind`");
    }
    let programs = build(&groups, flags.instructions)?;
    let counts = if valgrind {
        count(&groups, &programs, flags.instructions)?
    } else {
        BTreeMap::new()
    };
    let effort = if flags.quick { Effort::QUICK } else { Effort::FULL };
    let rounds = if flags.instructions {
        vec![None; groups.len()]
    } else {
        let rounds = take_turns(&groups, &programs, effort)?;
        rounds.into_iter().map(Some).collect()
    };
    let mut outcomes = Vec::new();
    for ((_, rows), rounds) in groups.iter().zip(&rounds) {
        for row in rows {
            let times = rounds.as_deref().map(|rounds| Times::of(row, rounds));
            outcomes.push(Outcome {
                row: *row,
                times: times
                    .map(|times| times.with_context(|| format!("`{}` has no figures", row.name)))
                    .transpose()?,
                instructions: row
                    .counted
                    .ours
                    .and_then(|figure| result::counted(figure, &counts)),
                peer_instructions: row
                    .counted
                    .peer
                    .and_then(|figure| result::counted(figure, &counts)),
            });
        }
    }
    print!("{}", result::table(&outcomes));
    if let Some(file) = &flags.json {
        let rows: Vec<_> = outcomes.iter().map(Outcome::json).collect();
        let document = json!({
            "machine": facts::machine(),
            "versions": facts::versions()?,
            "rounds": if flags.instructions { 0 } else { effort.total() },
            "rows": rows,
        });
        fs::write(file, serde_json::to_string_pretty(&document)? + "\n")
            .with_context(|| format!("can't write {}", file.display()))?;
    }
    if flags.instructions {
        return judge_counts(&ours(&groups, &counts), flags.bless);
    }
    if flags.names.is_empty() && !flags.quick {
        if facts::browser().is_none() {
            eprintln!(
                "the page is without Node and Chromium: `cargo xtask wasm --bench` before this measures them"
            );
        }
        println!("wrote {}", page::write(&outcomes, effort)?.display());
    }
    let missed: Vec<&str> = outcomes
        .iter()
        .filter(|outcome| outcome.ok() == Some(false))
        .map(|outcome| outcome.row.name)
        .collect();
    if missed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("goals missed: {}", missed.join(", "));
    Ok(ExitCode::FAILURE)
}

/// Runs all rounds of every group. Each launch runs all groups, so that other load on the machine affects a part of every group instead
/// of all rounds of one group.
fn take_turns(groups: &[Selected], programs: &Programs, effort: Effort) -> Result<Vec<Vec<Round>>> {
    let mut rounds = vec![Vec::new(); groups.len()];
    for launch in 0..effort.launches {
        for ((group, rows), rounds) in groups.iter().zip(&mut rounds) {
            eprintln!(
                "[{}/{}] {}: {} rounds",
                launch + 1,
                effort.launches,
                group.name,
                effort.rounds
            );
            rounds.extend(rounds::run(group, rows, programs, effort, launch)?);
        }
    }
    Ok(rounds)
}

/// A group and its selected rows.
type Selected = (Group, Vec<Row>);

/// Returns the rows whose name equals or starts with one of `names`, or all rows if there are no names.
fn selected(names: &[String]) -> Result<Vec<Selected>> {
    let wanted = |row: &Row, name: &String| {
        row.name == name
            || row
                .name
                .strip_prefix(name.as_str())
                .is_some_and(|rest| rest.starts_with('/'))
    };
    let known = |name: &&String| {
        goals::GROUPS
            .iter()
            .flat_map(|group| group.rows)
            .any(|row| wanted(row, name))
    };
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        let groups: Vec<&str> = goals::GROUPS.iter().map(|group| group.name).collect();
        bail!(
            "no row is named `{unknown}`; the groups are {}",
            groups.join(", ")
        );
    }
    let select = |group: &Group| {
        let rows: Vec<Row> = group
            .rows
            .iter()
            .filter(|row| names.is_empty() || names.iter().any(|name| wanted(row, name)))
            .copied()
            .collect();
        (*group, rows)
    };
    Ok(goals::GROUPS
        .iter()
        .map(select)
        .filter(|(_, rows)| !rows.is_empty())
        .collect())
}

/// Builds the programs that the groups need before any measurement, so that a failed build is reported early.
fn build(groups: &[Selected], counts_only: bool) -> Result<Programs> {
    let mut programs = Programs::new();
    for (_, rows) in groups {
        let timed = rows
            .iter()
            .filter(|_| !counts_only)
            .flat_map(|row| row.ours.sides().chain(row.peer.sides()));
        for side in timed.chain(counted_sides(rows, counts_only)) {
            if let Entry::Vacant(place) = programs.entry(side.build) {
                eprintln!("building the benchmark programs: {:?}", side.build);
                place.insert(programs::build(side.build)?);
            }
        }
    }
    Ok(programs)
}

fn counted_sides(rows: &[Row], ours_only: bool) -> Vec<Side> {
    let mut sides: Vec<Side> = rows.iter().flat_map(|row| row.counted.sides(ours_only)).collect();
    sides.sort();
    sides.dedup();
    sides
}

/// Counts every side, two at a time: instruction counts do not depend on other load.
fn count(groups: &[Selected], programs: &Programs, ours_only: bool) -> Result<BTreeMap<Side, f64>> {
    let mut sides: Vec<Side> = groups
        .iter()
        .flat_map(|(_, rows)| counted_sides(rows, ours_only))
        .collect();
    sides.sort();
    sides.dedup();
    eprintln!("counting the instructions of {} sides", sides.len());
    let scratch = workspace::target_dir().join("bench/callgrind");
    let count = |side: &Side| -> Result<(Side, f64)> {
        let program = programs
            .get(&side.build)
            .context("a program that was not built")?;
        Ok((*side, callgrind::count(program, side.name, &scratch)?))
    };
    let mut counts = BTreeMap::new();
    for pair in sides.chunks(2) {
        let counted: Vec<Result<(Side, f64)>> = thread::scope(|scope| {
            let running: Vec<_> = pair.iter().map(|side| scope.spawn(|| count(side))).collect();
            running
                .into_iter()
                .map(|thread| {
                    thread
                        .join()
                        .unwrap_or_else(|_| bail!("a counting thread panicked"))
                })
                .collect()
        });
        for counted in counted {
            counts.extend([counted?]);
        }
    }
    Ok(counts)
}

/// Returns the counts of our own sides. The check ignores a peer's counts, which change with its version.
fn ours(groups: &[Selected], counts: &BTreeMap<Side, f64>) -> Counts {
    let figures = groups
        .iter()
        .flat_map(|(_, rows)| rows)
        .filter_map(|row| row.counted.ours);
    figures
        .flat_map(comparisons::Figure::sides)
        .filter(|side| side.build != Build::Unstable)
        .filter_map(|side| Some((side.name.to_owned(), *counts.get(&side)?)))
        .collect()
}

/// Compares the counts with the committed counts, or writes them.
fn judge_counts(now: &Counts, bless: bool) -> Result<ExitCode> {
    if bless {
        println!("wrote {}", counts::commit(now)?);
        return Ok(ExitCode::SUCCESS);
    }
    let key = counts::key()?;
    let Some(committed) = counts::committed()? else {
        println!("no counts are committed for {key}: `cargo xtask bench --instructions --bless` writes them");
        return Ok(ExitCode::SUCCESS);
    };
    let rises = counts::rises(now, &committed);
    for rise in &rises {
        eprintln!("{rise}");
    }
    let tally = Tally {
        passed: (now.len() - rises.len()) as u64,
        failed: rises.len() as u64,
        skipped: 0,
    };
    println!("instruction counts within 5 % of those committed for {key}:\n{tally}");
    if rises.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("to accept an increase: `cargo xtask bench --instructions --bless`");
    Ok(ExitCode::FAILURE)
}
