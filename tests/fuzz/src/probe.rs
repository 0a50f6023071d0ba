//! A probe that reports arbitrary numbers and names.

use core::fmt;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use metrics_core::{
    LocationId, MetricSet, Probe, ProbedState, RuntimeNumber, TaskActivity, Timestamp, WorkerNumber,
};

/// What a probe reports. A registry may ask it from any worker, so it never changes.
#[derive(Arbitrary, Clone, Debug, Default)]
pub struct ArbitraryProbe {
    /// A reader has an entry for each worker, so this is not the whole range.
    num_workers: Option<u8>,
    runtime: Vec<(u8, u64)>,
    workers: Vec<(u8, u64)>,
    is_parked: Option<bool>,
    in_progress: Option<u64>,
    locations: Vec<String>,
    threads: Vec<String>,
    /// The location of each alive task, and what the task does.
    pub tasks: Vec<(u8, Activity)>,
}

/// The activity of a task.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Activity {
    /// It waits for its poll.
    Queued,
    /// It is being polled.
    Polling,
    /// It waits for a wake.
    Waiting {
        /// In ticks.
        since: Option<u32>,
        /// Whether a waker exists.
        is_wakeable: bool,
    },
}

/// The largest number of workers.
const MOST_WORKERS: u8 = 6;

/// Numbers of groups are apart from those of locations: each is one below a multiple of four.
pub fn is_group(number: u32) -> bool {
    number % 4 == 3
}

/// Returns a location: often one of a few, seldom one that no table and no event has space for.
pub fn location(raw: u8) -> LocationId {
    let number = match raw {
        255 => u32::MAX - 1,
        254 => 20_000,
        raw => u32::from(raw) % 24,
    };
    LocationId::from_u32(if is_group(number) { number - 1 } else { number })
}

fn choose<T: Copy>(all: &[T], index: u8) -> T {
    all[usize::from(index) % all.len()]
}

impl ArbitraryProbe {
    /// Creates a probe that reports alive tasks and no numbers.
    pub fn with_tasks(tasks: Vec<(u8, Activity)>) -> Self {
        Self {
            tasks,
            ..Self::default()
        }
    }

    fn name(names: &[String], number: u64, out: &mut dyn fmt::Write) -> fmt::Result {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        match names.get(index) {
            Some(name) => out.write_str(name),
            None => write!(out, "{number}"),
        }
    }
}

impl Probe for ArbitraryProbe {
    fn num_workers(&self) -> Option<usize> {
        self.num_workers
            .map(|workers| usize::from(workers % MOST_WORKERS))
    }

    fn runtime(&self, number: RuntimeNumber) -> Option<u64> {
        let mut numbers = self.runtime.iter();
        let found = numbers.find(|&&(index, _)| choose(RuntimeNumber::ALL, index) == number);
        found.map(|&(_, value)| value)
    }

    fn worker_numbers(&self) -> MetricSet {
        self.workers.iter().fold(MetricSet::NONE, |set, &(index, _)| {
            set.union(MetricSet::worker(&[choose(WorkerNumber::ALL, index)]))
        })
    }

    fn worker(&self, worker: usize, number: WorkerNumber) -> Option<u64> {
        let mut numbers = self.workers.iter();
        let found = numbers.find(|&&(index, _)| choose(WorkerNumber::ALL, index) == number);
        found.map(|&(_, value)| value.rotate_left(worker as u32))
    }

    fn worker_state(&self, worker: usize) -> Option<ProbedState> {
        self.is_parked.map(|is_parked| ProbedState {
            parked: Some(is_parked),
            busy: self.worker(worker, WorkerNumber::BusyDurationTotal),
            in_progress: self.in_progress,
            progress: None,
        })
    }

    fn write_location(&self, location: LocationId, out: &mut dyn fmt::Write) -> fmt::Result {
        Self::name(&self.locations, u64::from(location.as_u32()), out)
    }

    fn is_group(&self, location: LocationId) -> bool {
        is_group(location.as_u32())
    }

    fn write_thread(&self, thread: u64, out: &mut dyn fmt::Write) -> fmt::Result {
        Self::name(&self.threads, thread, out)
    }

    fn census(&self, each: &mut dyn FnMut(LocationId, TaskActivity)) -> bool {
        for &(raw, activity) in &self.tasks {
            let activity = match activity {
                Activity::Queued => TaskActivity::Queued,
                Activity::Polling => TaskActivity::Polling,
                Activity::Waiting { since, is_wakeable } => TaskActivity::Waiting {
                    since: since.map(|ticks| Timestamp::from_ticks(ticks.into())),
                    is_wakeable,
                },
            };
            each(location(raw), activity);
        }
        true
    }
}
