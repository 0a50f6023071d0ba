//! The comparisons as data: the sides that are measured, the two figures of a row and its goal.

/// The builds of the benchmark programs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Build {
    /// Stable Rust and stable Tokio. It contains all of our sides.
    Stable,
    /// As stable, without the feature `record`, so that no hook records.
    Off,
    /// With `--cfg tokio_unstable`, for Tokio's own histograms.
    Unstable,
    /// As stable, with the feature `hotpath`, whose threads would run next to other sides.
    Hotpath,
}

/// A measured side: a build, and a name that its benchmark program knows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Side {
    pub(super) build: Build,
    pub(super) name: &'static str,
}

/// A side on stable.
pub(super) const fn stable(name: &'static str) -> Side {
    Side {
        build: Build::Stable,
        name,
    }
}

/// A side without the feature `record`.
pub(super) const fn off(name: &'static str) -> Side {
    Side {
        build: Build::Off,
        name,
    }
}

/// A side under `--cfg tokio_unstable`.
pub(super) const fn unstable(name: &'static str) -> Side {
    Side {
        build: Build::Unstable,
        name,
    }
}

/// A side with the feature `hotpath`.
pub(super) const fn hotpath(name: &'static str) -> Side {
    Side {
        build: Build::Hotpath,
        name,
    }
}

/// A figure computed from the measurements of one round.
#[derive(Clone, Copy, Debug)]
pub(super) enum Figure {
    /// A side's nanoseconds per operation.
    Of(Side),
    /// The nanoseconds by which `with` exceeds `without`.
    Added { with: Side, without: Side },
    /// A side's nanoseconds times a factor.
    Times(f64, Side),
    /// Another figure that a side reports, by name.
    Extra(Side, &'static str),
}

impl Figure {
    /// Returns the sides whose measurements it needs.
    pub(super) fn sides(self) -> impl Iterator<Item = Side> {
        let (first, second) = match self {
            Self::Of(side) | Self::Times(_, side) | Self::Extra(side, _) => (side, None),
            Self::Added { with, without } => (with, Some(without)),
        };
        [Some(first), second].into_iter().flatten()
    }
}

/// The goal of a row.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Goal {
    /// Our figure divided by the peer's is at most this.
    Ratio(f64),
    /// Our figure is at most this, in the row's unit.
    AtMost(f64),
    /// The row has no goal and is only reported.
    Reported,
}

impl Goal {
    /// Returns whether a row with these figures reaches the goal, or `None` if there is no goal.
    pub(super) fn reached(self, ours: f64, ratio: f64) -> Option<bool> {
        match self {
            Self::Ratio(most) => Some(ratio <= most),
            Self::AtMost(most) => Some(ours <= most),
            Self::Reported => None,
        }
    }

    /// Returns the bound of the goal.
    pub(super) fn bound(self) -> Option<f64> {
        match self {
            Self::Ratio(bound) | Self::AtMost(bound) => Some(bound),
            Self::Reported => None,
        }
    }
}

/// The instructions of an operation, which are repeatable with a deterministic clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) ours: Option<Figure>,
    /// The peer's instructions, if it reads no OS clock either.
    pub(super) peer: Option<Figure>,
}

impl Counted {
    /// No counts, for a row whose sides both read an OS clock, or that does not measure time.
    pub(super) const NOTHING: Self = Self {
        ours: None,
        peer: None,
    };

    /// Returns the sides to count, with or without the peer's.
    pub(super) fn sides(self, ours_only: bool) -> impl Iterator<Item = Side> {
        let peer = self.peer.filter(|_| !ours_only);
        [self.ours, peer].into_iter().flatten().flat_map(Figure::sides)
    }
}

/// A line of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    /// The number of the goal, or `0` if the row is only reported.
    pub(super) number: u8,
    /// The description of the operation.
    pub(super) work: &'static str,
    pub(super) ours: Figure,
    pub(super) peer: Figure,
    pub(super) peer_name: &'static str,
    pub(super) unit: &'static str,
    pub(super) goal: Goal,
    pub(super) counted: Counted,
}

/// The number of threads that a side keeps busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Threads {
    /// One thread, pinned to the processor that is fastest when a launch begins.
    One,
    /// Several threads, scheduled by the system.
    Several,
}

/// Rows whose sides run in turn in the same rounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub(super) name: &'static str,
    /// The duration of a run of a side, in microseconds.
    pub(super) micros: u64,
    pub(super) threads: Threads,
    pub(super) rows: &'static [Row],
}
