//! What metrics add to a poll and to a spawn.

use super::super::comparisons::Figure::{Of, Times};
use super::super::comparisons::{Figure, Goal, Group, Row, Side, Threads, hotpath, off, stable, unstable};
use super::{Peer, SAME, TSC, added, counted, counted_ours, row};

const NS: &str = "ns/poll";

const BARE: Side = off("testbed/bare");
const POLL_TIME: Figure = added(stable("testbed/poll-time"), BARE);
const BOTH: Figure = added(stable("testbed/both"), BARE);
const ONE_IN_8: Figure = added(stable("testbed/one-in-8"), BARE);
const ONE_IN_8_INSTANT: Figure = added(stable("testbed/one-in-8-instant"), BARE);
const OFF: Figure = added(stable("testbed/off"), BARE);

/// Tokio's plain poll.
const TOKIO: Side = stable("tokio/poll-bare");
const TOKIO_UNSTABLE: Side = unstable("tokio/poll-bare");
const TOKIO_BOTH: Figure = added(unstable("tokio/both"), TOKIO_UNSTABLE);

/// What these sides add to a poll that both histograms measure.
const fn on_top(with: &'static str) -> Figure {
    added(stable(with), stable("testbed/both"))
}

/// The same on a clock that advances by itself.
const fn on_top_stepped(with: &'static str) -> Figure {
    added(stable(with), stable("testbed/both-stepped"))
}

/// One clock reading.
const fn reading(most: f64) -> Peer {
    Peer::ratio(Of(TSC), "one clock reading", NS, most)
}

pub(super) const POLL: Group = Group {
    name: "poll",
    micros: 10_000,
    threads: Threads::One,
    rows: &[
        counted_ours(
            &row(
                "poll/poll-time",
                2,
                "what poll time adds to a poll: every hook and the live record on, 100 yielding tasks",
                POLL_TIME,
                Peer::ratio(
                    added(unstable("tokio/poll-time"), TOKIO_UNSTABLE),
                    "what poll time adds in Tokio",
                    NS,
                    0.17,
                ),
            ),
            added(stable("testbed/poll-time-stepped"), BARE),
        ),
        row("poll/poll-time-clock", 2, SAME, POLL_TIME, reading(0.95)),
        counted_ours(
            &row(
                "poll/both",
                3,
                "the same with schedule latency too",
                BOTH,
                Peer::ratio(TOKIO_BOTH, "what both add in Tokio", NS, 0.17),
            ),
            added(stable("testbed/both-stepped"), BARE),
        ),
        row(
            "poll/both-clock",
            3,
            SAME,
            BOTH,
            Peer::ratio(Times(2.0, TSC), "the two clock readings", NS, 0.75),
        ),
        counted_ours(
            &row(
                "poll/one-in-8",
                12,
                "the same, one poll in eight measured",
                ONE_IN_8,
                reading(0.88),
            ),
            added(stable("testbed/one-in-8-stepped"), BARE),
        ),
        row(
            "poll/one-in-8-instant",
            12,
            "the same on the clock of the operating system",
            ONE_IN_8_INSTANT,
            Peer::ratio(Of(stable("clock/instant")), "one reading of that clock", NS, 0.82),
        ),
        counted_ours(
            &row(
                "poll/locations",
                13,
                "what metrics per spawn location add to a poll that both histograms measure",
                on_top("testbed/locations"),
                reading(0.30),
            ),
            on_top_stepped("testbed/locations-stepped"),
        ),
        counted_ours(
            &row(
                "poll/recorder",
                13,
                "what the flight recorder adds to such a poll",
                on_top("testbed/recorder"),
                reading(0.30),
            ),
            on_top_stepped("testbed/recorder-stepped"),
        ),
        row(
            "poll/locations-and-recorder",
            13,
            "what both of these add",
            on_top("testbed/locations-and-recorder"),
            reading(0.55),
        ),
        counted(
            &row(
                "poll/off",
                4,
                "everything timed switched off at run time, the live record on: added to a poll of the bare loop",
                OFF,
                reading(0.45),
            ),
            OFF,
            Of(BARE),
        ),
    ],
};

/// What the wrapper adds to a poll in one of the adapter's sides.
const fn wrapped(side: &'static str) -> Figure {
    added(stable(side), TOKIO)
}

/// A row against Tokio's whole poll without metrics.
const fn plain(name: &'static str, work: &'static str, side: &'static str, most: f64) -> Row {
    let peer = Peer::ratio(Of(TOKIO), "Tokio's plain poll", NS, most);
    row(name, 6, work, wrapped(side), peer)
}

pub(super) const ADAPTER: Group = Group {
    name: "adapter",
    micros: 10_000,
    threads: Threads::One,
    rows: &[
        row(
            "adapter/yield-now",
            5,
            "`yield_now` in a loop on one task, poll time on",
            Of(stable("adapter/yield-poll-time")),
            Peer::ratio(
                Of(unstable("tokio/yield-poll-time")),
                "Tokio, poll time on",
                "ns/yield",
                0.70,
            ),
        ),
        row(
            "adapter/tokio",
            6,
            "what a wrapped task's poll adds on stable Tokio, both histograms",
            wrapped("adapter/both"),
            Peer::ratio(TOKIO_BOTH, "what Tokio's own histograms add", NS, 0.33),
        ),
        row(
            "adapter/tokio-metrics",
            6,
            SAME,
            wrapped("adapter/both"),
            Peer::ratio(
                added(stable("tokio/poll-tokio-metrics"), TOKIO),
                "what `TaskMonitor::instrument` adds",
                NS,
                0.18,
            ),
        ),
        row(
            "adapter/hotpath",
            0,
            SAME,
            wrapped("adapter/both"),
            Peer::reported(
                added(hotpath("tokio/poll-hotpath"), hotpath("tokio/poll-bare")),
                "what `hotpath::future!` adds",
                NS,
            ),
        ),
        plain(
            "adapter/off",
            "the same, everything timed switched off at run time",
            "adapter/off",
            0.33,
        ),
        plain(
            "adapter/one-in-8",
            "the same, one poll in eight measured",
            "adapter/one-in-8",
            0.45,
        ),
        plain(
            "adapter/everything",
            "the same, both histograms, spawn locations and the flight recorder",
            "adapter/everything",
            1.0,
        ),
        row(
            "adapter/census",
            13,
            "what a census adds to a wrapped poll and its wake",
            added(stable("adapter/census"), stable("adapter/locations")),
            Peer::new(
                Of(stable("adapter/locations")),
                "the same with spawn locations alone",
                NS,
                Goal::AtMost(5.0),
            ),
        ),
        row(
            "adapter/attached",
            16,
            "a wrapped task's poll on a runtime that was attached to, both histograms",
            Of(stable("adapter/attached")),
            Peer::ratio(
                Of(stable("adapter/both")),
                "on a runtime that the adapter built",
                NS,
                1.10,
            ),
        ),
    ],
};

const fn spawn(
    name: &'static str,
    work: &'static str,
    side: &'static str,
    peer: (&'static str, &'static str),
    most: f64,
) -> Row {
    let peer = Peer::new(Of(stable(peer.0)), peer.1, "ns/task", Goal::Ratio(most));
    row(name, 14, work, Of(stable(side)), peer)
}

const TOKIO_SPAWN: (&str, &str) = ("spawn/tokio", "`tokio::spawn`");

pub(super) const SPAWN: Group = Group {
    name: "spawn",
    micros: 10_000,
    threads: Threads::One,
    rows: &[
        spawn(
            "spawn/spawner",
            "spawn a task and await it: through `Spawner`",
            "spawn/spawner",
            TOKIO_SPAWN,
            1.35,
        ),
        spawn(
            "spawn/ambient",
            "the same through `metrics_std::tokio::spawn`",
            "spawn/ambient",
            ("spawn/spawner", "`Spawner`"),
            1.08,
        ),
        spawn(
            "spawn/ambient-unmeasured",
            "the same on a runtime without metrics",
            "spawn/ambient-unmeasured",
            TOKIO_SPAWN,
            1.10,
        ),
        row(
            "spawn/census",
            13,
            "what a census adds to spawning a task and awaiting it",
            added(stable("spawn/census"), stable("spawn/locations")),
            Peer::new(
                Of(stable("spawn/locations")),
                "the same with spawn locations alone",
                "ns/task",
                Goal::AtMost(30.0),
            ),
        ),
    ],
};
