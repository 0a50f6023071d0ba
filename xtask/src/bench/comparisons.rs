//! The comparisons as data: which sides are measured, how a row's two figures follow from them, and what it must reach.

/// The builds of the benchmark programs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Build {
    /// On stable Rust and stable Tokio: all that is ours.
    Stable,
    /// As stable, without the feature `record`: no hook does anything.
    Off,
    /// With `--cfg tokio_unstable`: Tokio's own histograms.
    Unstable,
}

/// One measured side: a name that the benchmark program of that build knows.
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

/// A figure that follows from what one round measured.
#[derive(Clone, Copy, Debug)]
pub(super) enum Figure {
    /// A side's nanoseconds per operation.
    Of(Side),
    /// What `with` costs more than `without`.
    Added { with: Side, without: Side },
    /// A side's nanoseconds, so many times over.
    Times(f64, Side),
    /// Another figure that a side's run reports by name.
    Extra(Side, &'static str),
}

impl Figure {
    /// The sides it needs.
    pub(super) fn sides(self) -> impl Iterator<Item = Side> {
        let (first, second) = match self {
            Self::Of(side) | Self::Times(_, side) | Self::Extra(side, _) => (side, None),
            Self::Added { with, without } => (with, Some(without)),
        };
        [Some(first), second].into_iter().flatten()
    }
}

/// What a row must reach.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Goal {
    /// Ours divided by the peer's is at most this.
    Ratio(f64),
    /// Ours alone is at most this, in the row's unit.
    AtMost(f64),
    /// Ours alone is at least this, in the row's unit.
    AtLeast(f64),
    /// Shown only.
    Reported,
}

impl Goal {
    /// Whether a row with these figures reaches it; `None` where there is no goal.
    pub(super) fn reached(self, ours: f64, ratio: f64) -> Option<bool> {
        match self {
            Self::Ratio(most) => Some(ratio <= most),
            Self::AtMost(most) => Some(ours <= most),
            Self::AtLeast(least) => Some(ours >= least),
            Self::Reported => None,
        }
    }

    /// The bound alone.
    pub(super) fn bound(self) -> Option<f64> {
        match self {
            Self::Ratio(bound) | Self::AtMost(bound) | Self::AtLeast(bound) => Some(bound),
            Self::Reported => None,
        }
    }
}

/// Instructions of an operation, where a deterministic clock makes them repeat.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) ours: Option<Figure>,
    /// The peer's, where it reads no OS clock either.
    pub(super) peer: Option<Figure>,
}

impl Counted {
    /// A row whose both sides read an OS clock, or that counts something else.
    pub(super) const NOTHING: Self = Self {
        ours: None,
        peer: None,
    };

    /// The sides to count; without the peer's where only ours are wanted.
    pub(super) fn sides(self, ours_only: bool) -> impl Iterator<Item = Side> {
        let peer = self.peer.filter(|_| !ours_only);
        [self.ours, peer].into_iter().flatten().flat_map(Figure::sides)
    }
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    /// The number of the goal, `0` where a row is only reported.
    pub(super) number: u8,
    /// What is done, in words.
    pub(super) work: &'static str,
    pub(super) ours: Figure,
    pub(super) peer: Figure,
    pub(super) peer_name: &'static str,
    pub(super) unit: &'static str,
    pub(super) goal: Goal,
    pub(super) counted: Counted,
}

/// How many threads a side keeps busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Threads {
    /// One, which stays on the processor that is fastest when a launch begins.
    One,
    /// Several, wherever the system puts them.
    Several,
}

/// Rows whose sides take turns in the same rounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub(super) name: &'static str,
    /// How long one run of one side takes, in microseconds.
    pub(super) micros: u64,
    pub(super) threads: Threads,
    pub(super) rows: &'static [Row],
}
