//! Every comparison and its goal.

use super::comparisons::Figure::{Added, Extra, Of, Times};
use super::comparisons::{Counted, Figure, Goal, Group, Row, Side, Threads, off, stable, unstable};

/// The instructions of a row, counted for both sides.
const fn both(ours: Figure, peer: Figure) -> Counted {
    Counted {
        ours: Some(ours),
        peer: Some(peer),
    }
}

/// The instructions of a row whose peer reads an OS clock, which callgrind does not count.
const fn ours_only(ours: Figure) -> Counted {
    Counted {
        ours: Some(ours),
        peer: None,
    }
}

const fn added(with: Side, without: Side) -> Figure {
    Added { with, without }
}

const RECORD: Side = stable("record/ours");
const HISTOGRAM: Side = stable("record/histogram");

const TSC: Side = stable("clock/tsc");
const TESTBED: Side = off("testbed/bare");
const TESTBED_TIMED: Figure = added(stable("testbed/poll-time"), TESTBED);
const TESTBED_BOTH: Figure = added(stable("testbed/both"), TESTBED);

const ADAPTER: Figure = added(stable("adapter/both"), stable("tokio/poll-bare"));

/// All groups, in the order in which they run and are printed.
pub(super) const GROUPS: &[Group] = &[
    Group {
        name: "record",
        micros: 4_000,
        threads: Threads::One,
        rows: &[
            record("record/histogram", HISTOGRAM, "histogram", 2.0),
            record(
                "record/hdrhistogram",
                stable("record/hdrhistogram"),
                "hdrhistogram",
                0.8,
            ),
            record(
                "record/prometheus-client",
                stable("record/prometheus-client-119"),
                "prometheus-client, 119 buckets",
                0.35,
            ),
            record(
                "record/metrics-util",
                stable("record/metrics-util-119"),
                "metrics-util histogram, 119 buckets",
                0.25,
            ),
        ],
    },
    Group {
        name: "poll",
        micros: 10_000,
        threads: Threads::One,
        rows: &[
            Row {
                name: "poll/poll-time",
                number: 2,
                work: "what poll time adds to a poll: every hook and the live record on, 100 yielding tasks",
                ours: TESTBED_TIMED,
                peer: added(unstable("tokio/poll-time"), unstable("tokio/poll-bare")),
                peer_name: "what poll time adds in Tokio",
                unit: "ns/poll",
                goal: Goal::Ratio(0.25),
                counted: ours_only(added(stable("testbed/poll-time-stepped"), TESTBED)),
            },
            Row {
                name: "poll/poll-time-clock",
                number: 2,
                work: "the same",
                ours: TESTBED_TIMED,
                peer: Of(TSC),
                peer_name: "the one clock reading it needs",
                unit: "ns/poll",
                goal: Goal::Ratio(1.5),
                counted: Counted::NOTHING,
            },
            Row {
                name: "poll/both",
                number: 3,
                work: "the same with schedule latency too",
                ours: TESTBED_BOTH,
                peer: added(unstable("tokio/both"), unstable("tokio/poll-bare")),
                peer_name: "what both add in Tokio",
                unit: "ns/poll",
                goal: Goal::Ratio(0.30),
                counted: ours_only(added(stable("testbed/both-stepped"), TESTBED)),
            },
            Row {
                name: "poll/both-clock",
                number: 3,
                work: "the same",
                ours: TESTBED_BOTH,
                peer: Times(2.0, TSC),
                peer_name: "the two clock readings",
                unit: "ns/poll",
                goal: Goal::Ratio(1.5),
                counted: Counted::NOTHING,
            },
            Row {
                name: "poll/locations",
                number: 0,
                work: "what metrics per spawn location add to a poll that both histograms measure",
                ours: added(stable("testbed/locations"), stable("testbed/both")),
                peer: Of(TSC),
                peer_name: "one clock reading",
                unit: "ns/poll",
                goal: Goal::Ratio(0.30),
                counted: ours_only(added(
                    stable("testbed/locations-stepped"),
                    stable("testbed/both-stepped"),
                )),
            },
            Row {
                name: "poll/recorder",
                number: 0,
                work: "what the flight recorder adds to a poll that both histograms measure",
                ours: added(stable("testbed/recorder"), stable("testbed/both")),
                peer: Of(TSC),
                peer_name: "one clock reading",
                unit: "ns/poll",
                goal: Goal::Ratio(0.30),
                counted: ours_only(added(
                    stable("testbed/recorder-stepped"),
                    stable("testbed/both-stepped"),
                )),
            },
            Row {
                name: "poll/off",
                number: 4,
                work: "everything timed switched off at run time: added to a poll of the bare loop",
                ours: added(stable("testbed/off"), TESTBED),
                peer: Of(TESTBED),
                peer_name: "the whole poll of the bare loop",
                unit: "ns/poll",
                goal: Goal::AtMost(2.0),
                counted: both(added(stable("testbed/off"), TESTBED), Of(TESTBED)),
            },
        ],
    },
    Group {
        name: "adapter",
        micros: 10_000,
        threads: Threads::One,
        rows: &[
            Row {
                name: "adapter/yield-now",
                number: 5,
                work: "`yield_now` in a loop on one task, poll time on",
                ours: Of(stable("adapter/yield-poll-time")),
                peer: Of(unstable("tokio/yield-poll-time")),
                peer_name: "Tokio, poll time on",
                unit: "ns/yield",
                goal: Goal::Ratio(0.8),
                counted: Counted::NOTHING,
            },
            Row {
                name: "adapter/tokio-metrics",
                number: 6,
                work: "what a wrapped task's poll adds, both histograms",
                ours: ADAPTER,
                peer: added(stable("tokio/poll-tokio-metrics"), stable("tokio/poll-bare")),
                peer_name: "what `TaskMonitor::instrument` adds",
                unit: "ns/poll",
                goal: Goal::Ratio(0.35),
                counted: Counted::NOTHING,
            },
            Row {
                name: "adapter/tokio",
                number: 6,
                work: "the same",
                ours: ADAPTER,
                peer: added(unstable("tokio/both"), unstable("tokio/poll-bare")),
                peer_name: "what Tokio's own histograms add",
                unit: "ns/poll",
                goal: Goal::Ratio(0.5),
                counted: Counted::NOTHING,
            },
        ],
    },
    Group {
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
                0.15,
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
        ],
    },
    Group {
        name: "snapshot",
        micros: 20_000,
        threads: Threads::One,
        rows: &[
            snapshot(
                "snapshot/changed",
                "snapshot of 1,000 workers, two 119-bucket histograms, merged, eight quantiles of each",
                stable("snapshot/ours"),
                0.25,
            ),
            snapshot(
                "snapshot/unchanged",
                "the same, nothing changed since the last one",
                stable("snapshot/ours-unchanged"),
                0.02,
            ),
        ],
    },
    Group {
        name: "reader",
        micros: 200_000,
        threads: Threads::Several,
        rows: &[
            Row {
                name: "reader/slowdown",
                number: 9,
                work: "polls of 40 ns, read a thousand times a second",
                ours: Of(stable("reader/read")),
                peer: Of(stable("reader/unread")),
                peer_name: "the same worker unread",
                unit: "ns/poll",
                goal: Goal::Ratio(1.03),
                counted: Counted::NOTHING,
            },
            Row {
                name: "reader/fresh",
                number: 9,
                work: "reads of it that are fresh",
                ours: Extra(stable("reader/read"), "fresh"),
                peer: Extra(stable("reader/read"), "reads"),
                peer_name: "reads in all",
                unit: "share",
                goal: Goal::AtLeast(0.999),
                counted: Counted::NOTHING,
            },
        ],
    },
    Group {
        name: "tasks",
        micros: 20_000,
        threads: Threads::Several,
        rows: &[
            Row {
                name: "tasks/two-threads",
                number: 10,
                work: "two threads spawning and finishing tasks on their workers",
                ours: Of(stable("tasks/two-threads")),
                peer: Of(stable("tasks/one-thread")),
                peer_name: "one thread",
                unit: "ns/task",
                goal: Goal::Ratio(1.1),
                counted: ours_only(Of(stable("tasks/one-thread"))),
            },
            Row {
                name: "tasks/two-apart",
                number: 0,
                work: "the same on two runtimes that share nothing: what the machine makes of two threads",
                ours: Of(stable("tasks/two-apart")),
                peer: Of(stable("tasks/one-thread")),
                peer_name: "one thread",
                unit: "ns/task",
                goal: Goal::Reported,
                counted: Counted::NOTHING,
            },
        ],
    },
    Group {
        name: "memory",
        micros: 1,
        threads: Threads::One,
        rows: &[Row {
            name: "memory/worker",
            number: 11,
            work: "memory of a worker, both histograms",
            ours: Extra(stable("memory/ours"), "bytes"),
            peer: Extra(unstable("memory/tokio"), "bytes"),
            peer_name: "Tokio's batch and slot",
            unit: "bytes",
            goal: Goal::Ratio(0.6),
            counted: Counted::NOTHING,
        }],
    },
    Group {
        name: "growth",
        micros: 4_000,
        threads: Threads::One,
        rows: &[
            growth(
                "growth/buckets",
                "record one value: 7,424 buckets",
                Of(stable("record/ours-7424")),
                Of(RECORD),
                "119 buckets",
                "ns/value",
            ),
            growth(
                "submit/submit",
                "a worker's whole submit: counters and both histograms, five buckets of each touched",
                added(stable("submit/submit"), stable("submit/submit-seldom")),
                added(stable("submit/store-batch"), stable("submit/store-batch-seldom")),
                "ten counters and both histograms stored, as Tokio does",
                "ns/submit",
            ),
            growth(
                "growth/workers",
                "snapshot of 1,000 configured workers of which one runs",
                Of(stable("snapshot/one-of-1000")),
                Of(stable("snapshot/one-of-1")),
                "one configured worker, running",
                "ns/snapshot",
            ),
            growth(
                "growth/tasks",
                "snapshot of one worker with 100,000 tasks alive",
                Of(stable("snapshot/one-of-1-busy")),
                Of(stable("snapshot/one-of-1")),
                "with none",
                "ns/snapshot",
            ),
        ],
    },
];

const fn record(name: &'static str, peer: Side, peer_name: &'static str, goal: f64) -> Row {
    Row {
        name,
        number: 1,
        work: "record one value: H2, 119 buckets, layout chosen at run time; count, sum, min, max kept",
        ours: Of(RECORD),
        peer: Of(peer),
        peer_name,
        unit: "ns/value",
        goal: Goal::Ratio(goal),
        counted: both(Of(RECORD), Of(peer)),
    }
}

const fn submit(name: &'static str, work: &'static str, ours: Figure, peer: Figure, goal: f64) -> Row {
    Row {
        name,
        number: 7,
        work,
        ours,
        peer,
        peer_name: "storing all, as Tokio does",
        unit: "ns/submit",
        goal: Goal::Ratio(goal),
        counted: both(ours, peer),
    }
}

const fn snapshot(name: &'static str, work: &'static str, ours: Side, goal: f64) -> Row {
    Row {
        name,
        number: 8,
        work,
        ours: Of(ours),
        peer: Of(unstable("snapshot/tokio")),
        peer_name: "real Tokio's getters for the same",
        unit: "ns/snapshot",
        goal: Goal::Ratio(goal),
        // valgrind supports at most 500 threads, and this peer has a thousand.
        counted: ours_only(Of(ours)),
    }
}

/// A row without a goal.
const fn growth(
    name: &'static str,
    work: &'static str,
    ours: Figure,
    peer: Figure,
    peer_name: &'static str,
    unit: &'static str,
) -> Row {
    Row {
        name,
        number: 0,
        work,
        ours,
        peer,
        peer_name,
        unit,
        goal: Goal::Reported,
        counted: Counted::NOTHING,
    }
}
