//! Snapshots, getters, pages and the copies of the flight recorder.

use super::super::comparisons::Figure::{Extra, Of, Times};
use super::super::comparisons::{Goal, Group, Row, Threads, stable, unstable};
use super::{Peer, SAME, counted, counted_ours, row};

const NS: &str = "ns/snapshot";

/// Against the getters of a Tokio with as many workers. valgrind supports at most 500 threads, so the peer is not counted.
const fn snapshot(name: &'static str, work: &'static str, side: &'static str, most: f64) -> Row {
    let getters = Peer::ratio(
        Of(unstable("snapshot/tokio")),
        "real Tokio's getters for the same",
        NS,
        most,
    );
    row(name, 8, work, Of(stable(side)), getters)
}

pub(super) const SNAPSHOT: Group = Group {
    name: "snapshot",
    micros: 20_000,
    threads: Threads::One,
    rows: &[
        counted_ours(
            &snapshot(
                "snapshot/changed",
                "snapshot of 1,000 workers, two 119-bucket histograms, merged, eight quantiles of each",
                "snapshot/ours",
                0.40,
            ),
            Of(stable("snapshot/ours")),
        ),
        counted_ours(
            &snapshot(
                "snapshot/unchanged",
                "the same, nothing changed since the last one",
                "snapshot/ours-unchanged",
                0.02,
            ),
            Of(stable("snapshot/ours-unchanged")),
        ),
        snapshot(
            "snapshot/of-each",
            "the same, and then a number of every worker",
            "snapshot/ours-of-each",
            0.03,
        ),
        counted(
            &row(
                "snapshot/20000",
                8,
                "snapshot of 20,000 workers, all changed",
                Of(stable("snapshot/ours-of-20000")),
                Peer::ratio(
                    Times(4.0, stable("snapshot/ours-of-5000")),
                    "4 snapshots of 5,000, which no cache holds either",
                    NS,
                    1.5,
                ),
            ),
            Of(stable("snapshot/ours-of-20000")),
            Times(4.0, stable("snapshot/ours-of-5000")),
        ),
        counted(
            &row(
                "snapshot/20000-of-1000",
                8,
                SAME,
                Of(stable("snapshot/ours-of-20000")),
                Peer::reported(
                    Times(20.0, stable("snapshot/ours")),
                    "20 snapshots of 1,000, which a cache holds",
                    NS,
                ),
            ),
            Of(stable("snapshot/ours-of-20000")),
            Times(20.0, stable("snapshot/ours")),
        ),
    ],
};

pub(super) const GETTER: Group = Group {
    name: "getter",
    micros: 4_000,
    threads: Threads::One,
    rows: &[row(
        "getter/poll-count",
        15,
        "one getter of each of 32 workers in turn",
        Of(stable("getter/ours")),
        Peer::ratio(Of(unstable("getter/tokio")), "Tokio's getter", "ns/call", 1.5),
    )],
};

pub(super) const PAGE: Group = Group {
    name: "page",
    micros: 20_000,
    threads: Threads::One,
    rows: &[row(
        "page/runtime",
        17,
        "a poll and a submit of each of 64 workers, and the runtime's Prometheus page",
        Of(stable("page/runtime")),
        Peer::new(
            Of(stable("page/each-worker")),
            "the page with the metrics of each worker",
            "ns/page",
            Goal::AtMost(1_000_000.0),
        ),
    )],
};

pub(super) const FLIGHT: Group = Group {
    name: "flight",
    micros: 20_000,
    threads: Threads::One,
    rows: &[
        row(
            "flight/copy",
            18,
            "copy the flight recorders of 4 workers with 4,095 events each",
            Of(stable("flight/copy")),
            Peer::new(
                Of(stable("flight/blame")),
                "blame over the copy",
                "ns/copy",
                Goal::AtMost(50_000.0),
            ),
        ),
        row(
            "flight/blame",
            18,
            "blame over that copy: which polls made others wait",
            Of(stable("flight/blame")),
            Peer::new(
                Of(stable("flight/copy")),
                "the copy itself",
                "ns/blame",
                Goal::AtMost(1_000_000.0),
            ),
        ),
    ],
};

pub(super) const READER: Group = Group {
    name: "reader",
    micros: 200_000,
    threads: Threads::Several,
    rows: &[
        row(
            "reader/slowdown",
            0,
            "polls of 40 ns, read a thousand times a second",
            Of(stable("reader/read")),
            Peer::reported(Of(stable("reader/unread")), "the same worker unread", "ns/poll"),
        ),
        row(
            "reader/fresh",
            0,
            "reads of it that are fresh",
            Extra(stable("reader/read"), "fresh"),
            Peer::reported(Extra(stable("reader/read"), "reads"), "reads in all", "share"),
        ),
        row(
            "reader/copied",
            18,
            "the same with spawn locations and an event for each poll, its flight recorder copied a hundred times a second",
            Of(stable("reader/copied")),
            Peer::ratio(
                Of(stable("reader/not-copied")),
                "the same worker not copied",
                "ns/poll",
                1.03,
            ),
        ),
    ],
};
