//! Runs the sides of a comparison in turn, so that other load on the machine affects all of them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::comparisons::{Build, Figure, Group, Row, Side, Threads};
use super::programs::{Answer, Server, fastest_processor};

/// The length of a measurement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// The number of processes, each with its own address space.
    pub(super) launches: u64,
    /// The number of rounds per process, each with its own allocation layout.
    pub(super) rounds: u64,
    /// The divisor of a group's measuring time.
    pub(super) hurry: u64,
}

impl Effort {
    pub(super) const FULL: Self = Self {
        launches: 7,
        rounds: 11,
        hurry: 1,
    };
    pub(super) const QUICK: Self = Self {
        launches: 3,
        rounds: 5,
        hurry: 2,
    };

    /// The number of rounds of all launches.
    pub(super) fn total(self) -> u64 {
        self.launches * self.rounds
    }
}

/// The answers of all sides in one round.
pub(super) type Round = BTreeMap<Side, Answer>;

/// The path of the program of each build.
pub(super) type Programs = BTreeMap<Build, PathBuf>;

/// Runs the rounds of one launch for `rows` of a group.
pub(super) fn run(
    group: &Group,
    rows: &[Row],
    programs: &Programs,
    effort: Effort,
    launch: u64,
) -> Result<Vec<Round>> {
    let sides = sides(rows);
    let processor = sides
        .first()
        .and_then(|side| programs.get(&side.build))
        .filter(|_| group.threads == Threads::One)
        .and_then(|program| fastest_processor(program));
    let mut servers = BTreeMap::new();
    for side in &sides {
        if let Entry::Vacant(place) = servers.entry(side.build) {
            let program = programs
                .get(&side.build)
                .context("a program that was not built")?;
            place.insert(Server::start(program, launch + 1, processor)?);
        }
    }
    let mut rounds = Vec::new();
    for turn in 0..effort.rounds {
        let mut round = Round::new();
        // The order changes, so that no side is always first or always follows the same side.
        let first = ((launch + turn) as usize) % sides.len();
        let (behind, ahead) = sides.split_at(first);
        let mut order: Vec<&Side> = ahead.iter().chain(behind).collect();
        if turn % 2 == 1 {
            order.reverse();
        }
        for side in order {
            let server = servers
                .get_mut(&side.build)
                .context("a server that was not started")?;
            round.insert(
                *side,
                server.ask(side.name, (group.micros / effort.hurry).max(1))?,
            );
        }
        rounds.push(round);
    }
    for server in servers.into_values() {
        server.stop()?;
    }
    Ok(rounds)
}

/// Returns every side of the rows once.
fn sides(rows: &[Row]) -> Vec<Side> {
    let mut sides: Vec<Side> = rows
        .iter()
        .flat_map(|row| row.ours.sides().chain(row.peer.sides()))
        .collect();
    sides.sort();
    sides.dedup();
    sides
}

/// Returns a figure in one round, or `None` if a side did not report a value that it needs.
pub(super) fn evaluate(figure: Figure, round: &Round) -> Option<f64> {
    let nanos = |side: &Side| round.get(side).map(|answer| answer.nanos);
    match figure {
        Figure::Of(side) => nanos(&side),
        Figure::Times(factor, side) => Some(factor * nanos(&side)?),
        Figure::Added { with, without } => Some(nanos(&with)? - nanos(&without)?),
        Figure::Extra(side, name) => round
            .get(&side)?
            .extras
            .iter()
            .find(|(extra, _)| extra == name)
            .map(|(_, value)| *value),
    }
}

#[cfg(test)]
mod tests {
    use super::super::comparisons::stable;
    use super::*;

    #[test]
    fn figures_follow_from_one_round() {
        let answer = |nanos| Answer {
            nanos,
            extras: vec![("bytes".into(), 2048.0)],
        };
        let round = Round::from([(stable("with"), answer(52.0)), (stable("without"), answer(40.0))]);
        let added = Figure::Added {
            with: stable("with"),
            without: stable("without"),
        };
        assert_eq!(evaluate(added, &round), Some(12.0));
        assert_eq!(evaluate(Figure::Times(2.0, stable("with")), &round), Some(104.0));
        assert_eq!(
            evaluate(Figure::Extra(stable("with"), "bytes"), &round),
            Some(2048.0)
        );
        assert_eq!(evaluate(Figure::Extra(stable("with"), "fresh"), &round), None);
        assert_eq!(evaluate(Figure::Of(stable("unknown")), &round), None);
    }
}
