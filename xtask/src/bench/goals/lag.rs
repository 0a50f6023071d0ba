//! The CPU time of the lag probes.

use super::super::comparisons::{Figure, Goal, Group, Threads, stable};
use super::{Peer, added, row};

/// What a side adds to an idle runtime: nanoseconds per millisecond, which are microseconds per second.
const fn added_to_idle(with: &'static str) -> Figure {
    added(stable(with), stable("lag/idle"))
}

pub(super) const LAG: Group = Group {
    name: "lag",
    // One period of the probes.
    micros: 100_000,
    threads: Threads::Several,
    rows: &[row(
        "lag/probes",
        19,
        "CPU time that both lag probes at 10 Hz add to an idle runtime",
        added_to_idle("lag/probes"),
        Peer::new(
            added_to_idle("lag/by-hand"),
            "a timer and a wake by another thread at 10 Hz that measure nothing",
            "µs/s",
            Goal::AtMost(1_500.0),
        ),
    )],
};
