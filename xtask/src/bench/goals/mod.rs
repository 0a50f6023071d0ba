//! Every comparison and its goal.

#[cfg(unix)]
mod lag;
mod polls;
mod reads;
mod records;

use super::comparisons::Figure::{self, Added};
use super::comparisons::{Counted, Goal, Group, Row, Side, stable};

/// All groups, in the order in which they run and are printed.
pub(super) const GROUPS: &[Group] = &[
    records::RECORD,
    polls::POLL,
    polls::ADAPTER,
    polls::SPAWN,
    records::SUBMIT,
    reads::SNAPSHOT,
    reads::GETTER,
    reads::PAGE,
    reads::FLIGHT,
    reads::READER,
    #[cfg(unix)]
    lag::LAG,
    records::TASKS,
    records::MEMORY,
    records::GROWTH,
];

/// One reading of the cycle counter.
const TSC: Side = stable("clock/tsc");

const fn added(with: Side, without: Side) -> Figure {
    Added { with, without }
}

/// A row whose work is described by the row before it, against another peer.
const SAME: &str = "the same";

/// A row whose instructions are not counted.
const fn row(name: &'static str, number: u8, work: &'static str, ours: Figure, against: Peer) -> Row {
    Row {
        name,
        number,
        work,
        ours,
        peer: against.figure,
        peer_name: against.name,
        unit: against.unit,
        goal: against.goal,
        counted: Counted::NOTHING,
    }
}

/// The other side of a row, the unit of both, and the goal.
#[derive(Clone, Copy)]
struct Peer {
    figure: Figure,
    name: &'static str,
    unit: &'static str,
    goal: Goal,
}

impl Peer {
    /// At most this share of the peer.
    const fn ratio(figure: Figure, name: &'static str, unit: &'static str, most: f64) -> Self {
        Self::new(figure, name, unit, Goal::Ratio(most))
    }

    /// Without a goal.
    const fn reported(figure: Figure, name: &'static str, unit: &'static str) -> Self {
        Self::new(figure, name, unit, Goal::Reported)
    }

    const fn new(figure: Figure, name: &'static str, unit: &'static str, goal: Goal) -> Self {
        Self {
            figure,
            name,
            unit,
            goal,
        }
    }
}

/// Counts the instructions of both sides.
const fn counted(row: &Row, ours: Figure, peer: Figure) -> Row {
    Row {
        counted: Counted {
            ours: Some(ours),
            peer: Some(peer),
        },
        ..*row
    }
}

/// Counts our instructions. The peer reads an OS clock, which callgrind does not count, or has too many threads for it.
const fn counted_ours(row: &Row, ours: Figure) -> Row {
    Row {
        counted: Counted {
            ours: Some(ours),
            peer: None,
        },
        ..*row
    }
}
