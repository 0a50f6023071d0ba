//! Recording a value, submitting, counting tasks, and what a worker occupies.

use super::super::comparisons::Figure::{Extra, Of};
use super::super::comparisons::{Figure, Group, Row, Side, Threads, stable, unstable};
use super::{Peer, added, counted, counted_ours, row};

const OURS: Side = stable("record/ours");

/// Against a histogram of another crate.
const fn record(name: &'static str, side: &'static str, peer: Peer) -> Row {
    let work = "record one value: H2, 119 buckets, layout chosen at run time; count, sum, min, max kept";
    counted(&row(name, 1, work, Of(OURS), peer), Of(OURS), Of(stable(side)))
}

const fn limited(side: &'static str, name: &'static str, most: f64) -> Peer {
    Peer::ratio(Of(stable(side)), name, "ns/value", most)
}

const fn reported(side: &'static str, name: &'static str) -> Peer {
    Peer::reported(Of(stable(side)), name, "ns/value")
}

pub(super) const RECORD: Group = Group {
    name: "record",
    micros: 4_000,
    threads: Threads::One,
    rows: &[
        record(
            "record/histogram",
            "record/histogram",
            limited("record/histogram", "histogram", 2.0),
        ),
        record(
            "record/hdrhistogram",
            "record/hdrhistogram",
            limited("record/hdrhistogram", "hdrhistogram", 0.8),
        ),
        record(
            "record/prometheus-client",
            "record/prometheus-client-119",
            reported("record/prometheus-client-119", "prometheus-client, 119 buckets"),
        ),
        record(
            "record/metrics-util",
            "record/metrics-util-119",
            reported("record/metrics-util-119", "metrics-util histogram, 119 buckets"),
        ),
    ],
};

const fn submit(name: &'static str, work: &'static str, ours: Figure, peer: Figure, most: f64) -> Row {
    let against = Peer::ratio(peer, "storing all, as Tokio does", "ns/submit", most);
    counted(&row(name, 7, work, ours, against), ours, peer)
}

pub(super) const SUBMIT: Group = Group {
    name: "submit",
    micros: 4_000,
    threads: Threads::One,
    rows: &[
        submit(
            "submit/5-of-119",
            "submit with 5 touched buckets of 119",
            added(
                stable("submit/ours-5-of-119"),
                stable("submit/ours-touch-5-of-119"),
            ),
            added(stable("submit/store-119"), stable("submit/touch-119")),
            0.25,
        ),
        submit(
            "submit/5-of-7424",
            "submit with 5 touched buckets of 7,424",
            added(
                stable("submit/ours-5-of-7424"),
                stable("submit/ours-touch-5-of-7424"),
            ),
            added(stable("submit/store-7424"), stable("submit/touch-7424")),
            0.01,
        ),
        submit(
            "submit/119-of-119",
            "submit with all 119 buckets touched",
            added(
                stable("submit/ours-119-of-119"),
                stable("submit/ours-touch-119-of-119"),
            ),
            added(
                stable("submit/store-119-of-119"),
                stable("submit/touch-119-of-119"),
            ),
            1.0,
        ),
        row(
            "submit/whole",
            7,
            "a worker's whole submit: counters and both histograms, five buckets of each touched",
            added(stable("submit/submit"), stable("submit/submit-seldom")),
            Peer::ratio(
                added(stable("submit/store-batch"), stable("submit/store-batch-seldom")),
                "ten counters and both histograms stored, as Tokio does",
                "ns/submit",
                0.25,
            ),
        ),
    ],
};

pub(super) const TASKS: Group = Group {
    name: "tasks",
    micros: 20_000,
    threads: Threads::Several,
    rows: &[
        counted_ours(
            &row(
                "tasks/two-threads",
                10,
                "two threads spawning and finishing tasks on their workers",
                Of(stable("tasks/two-threads")),
                Peer::ratio(
                    Of(stable("tasks/two-apart")),
                    "the same on two registries",
                    "ns/task",
                    1.1,
                ),
            ),
            Of(stable("tasks/one-thread")),
        ),
        row(
            "tasks/two-apart",
            0,
            "the same on two registries: what the machine makes of two threads",
            Of(stable("tasks/two-apart")),
            Peer::reported(Of(stable("tasks/one-thread")), "one thread", "ns/task"),
        ),
    ],
};

pub(super) const MEMORY: Group = Group {
    name: "memory",
    micros: 1,
    threads: Threads::One,
    rows: &[row(
        "memory/worker",
        11,
        "memory of a worker, both histograms",
        Extra(stable("memory/ours"), "bytes"),
        Peer::ratio(
            Extra(unstable("memory/tokio"), "bytes"),
            "Tokio's batch and slot",
            "bytes",
            0.75,
        ),
    )],
};

pub(super) const GROWTH: Group = Group {
    name: "growth",
    micros: 4_000,
    threads: Threads::One,
    rows: &[
        row(
            "growth/buckets",
            0,
            "record one value: 7,424 buckets",
            Of(stable("record/ours-7424")),
            Peer::reported(Of(OURS), "119 buckets", "ns/value"),
        ),
        growth(
            "growth/workers",
            "snapshot of 1,000 configured workers of which one runs",
            "snapshot/one-of-1000",
            "one configured worker, running",
        ),
        growth(
            "growth/tasks",
            "snapshot of one worker with 100,000 tasks alive",
            "snapshot/one-of-1-busy",
            "with none",
        ),
    ],
};

const fn growth(name: &'static str, work: &'static str, side: &'static str, peer: &'static str) -> Row {
    let one = Peer::reported(Of(stable("snapshot/one-of-1")), peer, "ns/snapshot");
    row(name, 0, work, Of(stable(side)), one)
}
