//! The last minutes of a runtime, from snapshots that are kept in bounded memory.

use super::{Interval, Snapshot};
use crate::storage::HeapStorage;
use crate::sync::RECORDING;
use alloc::collections::VecDeque;
use core::fmt;
use core::time::Duration;

/// Answers questions such as "the 99th percentile of the last five minutes", without a database of metrics.
///
/// Push a snapshot from time to time, such as every ten seconds. [`interval`](Self::interval) returns the change over the
/// last `length`, as of the newest snapshot.
///
/// ```
/// use core::time::Duration;
/// # use metrics_core::{Builder, TimeSource, Timestamp};
/// use metrics_core::{RuntimeMetrics, Window};
/// # #[derive(Debug)]
/// # struct Second;
/// # impl TimeSource for Second {
/// #     fn now(&self) -> Timestamp { Timestamp::from_ticks(1) }
/// #     fn ticks_per_second(&self) -> u64 { 1 }
/// #     fn resolution(&self) -> Duration { Duration::from_secs(1) }
/// # }
/// # let registry = Builder::new().build(Second).expect("the configuration is valid");
/// # let metrics = RuntimeMetrics::new(registry);
///
/// let mut window = Window::new(Duration::from_secs(300), 30)?;
/// let mut reader = metrics.reader();
/// // Every ten seconds:
/// window.push(reader.read().clone())?;
/// let interval = window.interval()?;
/// let slowest = interval.total().poll_time().and_then(|polls| polls.quantile(0.99));
/// # let _ = slowest;
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// # Length of the interval
///
/// A window of `parts` parts keeps at most `parts + 2` snapshots, however often one is pushed, without their spawn
/// locations. The interval is at least as long as the window. It is longer by less than one part and one period between
/// two pushes: [`Interval::wall`] is its exact length. If the runtime is younger than the window at the first push, the
/// interval begins at its start until the window has a snapshot that is old enough. For an older runtime, the interval
/// is shorter than the window at first.
///
/// # Restarts
///
/// A snapshot of another run, process or runtime starts the window anew, so that its interval does not mix two runs. Two
/// runs may have the same epoch, such as those of a registry in a `static` before and after a reboot. A snapshot with a
/// shorter uptime than the newest one therefore also starts the window anew, even if it was only pushed out of order or
/// the clock stepped back. The snapshots should come from one [`SnapshotReader`](crate::SnapshotReader), whose counters
/// never decrease.
///
/// Without the feature `record`, the window accepts every snapshot, and its interval has no values.
#[derive(Clone, Debug)]
pub struct Window {
    /// In nanoseconds, as are all times here.
    length: u64,
    part: u64,
    /// Sorted by uptime. All but the last one are at least a part apart.
    snapshots: VecDeque<Snapshot<HeapStorage>>,
    /// Whether the interval begins at the start of the runtime, as if the window had a snapshot of that time.
    is_since_start: bool,
}

/// An error from a [`Window`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WindowError {
    /// The window has no length or no parts.
    Empty,
    /// The runtime has no clock, so the age of its snapshots is not known.
    NoClock,
    /// The window has too few snapshots for an interval.
    TooFewSnapshots,
}

impl fmt::Display for WindowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the window is empty: its length and its number of parts must be above zero",
            Self::NoClock => "the runtime has no clock: build its registry with a time source",
            Self::TooFewSnapshots => {
                "the window has too few snapshots for an interval: push another snapshot"
            }
        })
    }
}

impl core::error::Error for WindowError {}

impl Window {
    /// Creates an empty window of this length.
    ///
    /// # Errors
    /// Returns [`WindowError::Empty`] if the length or the number of parts is zero.
    pub const fn new(length: Duration, parts: usize) -> Result<Self, WindowError> {
        if length.is_zero() || parts == 0 {
            return Err(WindowError::Empty);
        }
        let nanos = length.as_nanos();
        let length = if nanos > u64::MAX as u128 {
            u64::MAX
        } else {
            nanos as u64
        };
        Ok(Self {
            length,
            // Rounded up, so that there are not more parts.
            part: length.div_ceil(parts as u64),
            snapshots: VecDeque::new(),
            is_since_start: false,
        })
    }

    /// Returns the number of snapshots that are kept.
    pub fn len(&self) -> usize {
        self.snapshots.len()
    }

    /// Returns `true` if the window has no snapshot.
    pub fn is_empty(&self) -> bool {
        self.snapshots.is_empty()
    }

    /// Adds the newest snapshot. A snapshot of another run, or with a shorter uptime, starts the window anew.
    ///
    /// # Errors
    /// Returns [`WindowError::NoClock`] if the runtime has no clock. The window is unchanged then.
    pub fn push(&mut self, mut snapshot: Snapshot<HeapStorage>) -> Result<(), WindowError> {
        // With recording off, no runtime has a clock.
        let now = snapshot
            .uptime
            .or((!RECORDING).then_some(0))
            .ok_or(WindowError::NoClock)?;
        let is_later = |newest: &Snapshot<_>| snapshot.is_same_run(newest) && now >= Self::uptime(newest);
        if !self.snapshots.back().is_some_and(is_later) {
            self.snapshots.clear();
        }
        if self.snapshots.is_empty() {
            self.is_since_start = now <= self.length;
        }
        // No interval has them.
        snapshot.locations = None;
        if self.ends_part() {
            self.snapshots.push_back(snapshot);
        } else if let Some(newest) = self.snapshots.back_mut() {
            *newest = snapshot;
        }
        // A younger runtime has no snapshot that is too old.
        let start = now.checked_sub(self.length);
        let is_old_enough = |place: Option<&Snapshot<_>>| {
            place
                .zip(start)
                .is_some_and(|(snapshot, start)| Self::uptime(snapshot) <= start)
        };
        while is_old_enough(self.snapshots.get(1)) {
            self.snapshots.pop_front();
        }
        if is_old_enough(self.snapshots.front()) {
            self.is_since_start = false;
        }
        Ok(())
    }

    /// Returns whether the newest snapshot stays when another one is pushed: it is the only one, or a part after the one
    /// before it.
    fn ends_part(&self) -> bool {
        let mut newest = self.snapshots.iter().rev().map(Self::uptime);
        match (newest.next(), newest.next()) {
            (Some(newest), Some(before)) => newest - before >= self.part,
            _ => true,
        }
    }

    /// Every snapshot in the window has an uptime, except with recording off.
    fn uptime(snapshot: &Snapshot<HeapStorage>) -> u64 {
        snapshot.uptime.unwrap_or(0)
    }

    /// Returns the change over the last [length](Self::new) up to the newest snapshot.
    ///
    /// # Errors
    /// Returns [`WindowError::TooFewSnapshots`] if no interval is known yet: the window is empty, or it has only one snapshot
    /// of a runtime that is older than the window.
    pub fn interval(&self) -> Result<Interval<HeapStorage>, WindowError> {
        let newest = self.snapshots.back().ok_or(WindowError::TooFewSnapshots)?;
        if self.is_since_start {
            return Ok(newest.since_start());
        }
        if self.snapshots.len() < 2 {
            return Err(WindowError::TooFewSnapshots);
        }
        let oldest = self.snapshots.front().ok_or(WindowError::TooFewSnapshots)?;
        Ok(newest.interval(Some(oldest)))
    }
}
