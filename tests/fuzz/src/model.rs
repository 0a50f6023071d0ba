//! What a runtime recorded, as plain counts.

use std::collections::BTreeMap;

use metrics_core::{FlightEventKind, LocationId, WorkerNumber};

/// The counters that the model counts. Readers derive the others from times.
pub const COUNTED: [WorkerNumber; 11] = [
    WorkerNumber::PollCount,
    WorkerNumber::ParkCount,
    WorkerNumber::ParkUnparkCount,
    WorkerNumber::StealCount,
    WorkerNumber::StealOperations,
    WorkerNumber::LocalScheduleCount,
    WorkerNumber::OverflowCount,
    WorkerNumber::OverflowTasks,
    WorkerNumber::BudgetForcedYieldCount,
    WorkerNumber::RootPolls,
    WorkerNumber::NestedPolls,
];

/// One count of each of [`COUNTED`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts([u64; COUNTED.len()]);

impl Counts {
    pub fn add(&mut self, number: WorkerNumber, count: u64) {
        let place = COUNTED.iter().position(|&counted| counted == number);
        self.0[place.expect("it is counted")] += count;
    }

    pub fn iter(&self) -> impl Iterator<Item = (WorkerNumber, u64)> {
        COUNTED.into_iter().zip(self.0)
    }

    /// Returns these counts without those of `other`.
    pub fn without(mut self, other: &Self) -> Self {
        for (count, other) in self.0.iter_mut().zip(other.0) {
            *count -= other;
        }
        self
    }
}

/// The index under which the model keeps external threads.
pub const EXTERNAL: usize = usize::MAX;

/// What the threads of one worker index recorded.
#[derive(Debug, Default)]
pub struct WorkerModel {
    pub recorded: Counts,
    /// What may not be submitted yet.
    pub pending: Counts,
    /// What the flight recorder was given.
    pub events: Vec<Event>,
    /// The locations of the polls in progress.
    pub polling: Vec<LocationId>,
}

/// An event of the flight recorder.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    pub kind: FlightEventKind,
    /// `None` if the worker's drop ended the poll, which returns no duration.
    pub duration: Option<u64>,
    /// `None` if it is not known either.
    pub latency: Option<Option<u64>>,
    pub location: LocationId,
}

impl Event {
    pub fn of_state(kind: FlightEventKind) -> Self {
        Self {
            kind,
            duration: Some(0),
            latency: Some(None),
            location: LocationId::UNKNOWN,
        }
    }
}

/// The row of the table of locations in which a location or a group is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Row {
    Unknown,
    Number(u32),
    Other,
    OtherGroups,
}

impl Row {
    pub fn of_location(location: LocationId, capacity: usize) -> Self {
        match location.as_u32() {
            0 => Self::Unknown,
            number if number as usize <= capacity => Self::Number(number),
            _ => Self::Other,
        }
    }

    pub fn of_group(group: LocationId, capacity: usize) -> Self {
        match Self::of_location(group, capacity) {
            Self::Number(number) => Self::Number(number),
            _ => Self::OtherGroups,
        }
    }
}

/// The counts of a row.
#[derive(Clone, Copy, Debug, Default)]
pub struct RowModel {
    pub spawned: u64,
    pub ended: u64,
    pub polls: u64,
    pub stalls: u64,
}

/// What one runtime recorded.
#[derive(Debug, Default)]
pub struct Model {
    pub workers: BTreeMap<usize, WorkerModel>,
    pub rows: BTreeMap<Row, RowModel>,
    pub spawned: u64,
    /// By how they ended.
    pub ended: [u64; 3],
    pub remote_schedules: u64,
    pub io_ready: u64,
    /// By kind; `None` if it is not measured.
    pub lag: [Option<u64>; 2],
    pub stalls: [Option<u64>; 3],
    pub blocking: u64,
    pub clock_stepped_back: bool,
    /// Whether a worker changed its state in the middle of a poll, which no runtime does: the location of that poll is then not known.
    pub changed_state_in_a_poll: bool,
}

impl Model {
    pub fn alive(&self) -> u64 {
        self.spawned - self.ended.iter().sum::<u64>()
    }

    pub fn row(&mut self, row: Row) -> &mut RowModel {
        self.rows.entry(row).or_default()
    }

    /// Returns the number of polls of tasks.
    pub fn polls(&self) -> u64 {
        let rows = self.workers.values().flat_map(|worker| worker.recorded.iter());
        rows.filter(|&(number, _)| number == WorkerNumber::PollCount)
            .map(|(_, polls)| polls)
            .sum()
    }
}
