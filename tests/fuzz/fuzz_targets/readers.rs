//! Any sequence of hooks on several runtimes, read by several readers in any order, on clocks that may jump back: every snapshot has what
//! the hooks counted, and any two of them compare, merge and survive encoding as documented.
#![no_main]

use core::time::Duration;
use std::collections::BTreeMap;

use fuzz::checks::{HeapSnapshot, STATE_TIMES, check_interval, check_order, check_snapshot};
use fuzz::ops::{Metrics, Op, Rest, Runtime};
use fuzz::probe::{Activity, ArbitraryProbe};
use fuzz::setup::Setup;
use fuzz::{flight, merging};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use metrics_core::{
    SinceError, SnapshotReader, Window, WindowError, WorkerInterval, WorkerNumber, WorkerSinceError,
};
use std::sync::Arc;

#[derive(Arbitrary, Debug)]
struct Input {
    first: Tasks,
    second: Option<Tasks>,
    third: Option<Tasks>,
    window: (u16, u8),
    steps: Rest<Step>,
}

type Tasks = (Setup, Vec<(u8, Activity)>);

#[derive(Arbitrary, Debug)]
enum Step {
    Op(u8, Op),
    Read(u8, u8),
    ReadOnce(u8),
    Since(u8, u8),
    SubmitAll(u8),
    Push(u8),
    Merge,
    Flight(u8),
}

const READERS: usize = 3;
/// More snapshots only take memory.
const SNAPSHOTS: usize = 32;

/// A snapshot, and where it is from.
struct Taken {
    runtime: usize,
    snapshot: HeapSnapshot,
}

/// A runtime with its readers, and its window with what was pushed since it began anew.
struct Read {
    runtime: Runtime,
    readers: Vec<SnapshotReader<Metrics, Arc<ArbitraryProbe>>>,
    window: Window,
    run: Vec<(Duration, Option<u64>)>,
}

impl Read {
    fn new((setup, tasks): Tasks, (length, parts): (Duration, usize)) -> Self {
        // With one name, so that only their epochs tell them apart.
        let runtime = Runtime::new(&setup, "main", ArbitraryProbe::with_tasks(tasks));
        Self {
            readers: (0..READERS).map(|_| runtime.metrics.reader()).collect(),
            window: Window::new(length, parts).expect("it is not empty"),
            run: Vec::new(),
            runtime,
        }
    }

    /// Takes a snapshot with a reader, and checks it.
    fn read(&mut self, reader: usize) -> HeapSnapshot {
        let reader = &mut self.readers[reader % READERS];
        let before = reader.snapshot().clone();
        let snapshot = reader.read();
        check_order(&before, snapshot);
        check_snapshot(&self.runtime, snapshot);
        snapshot.clone()
    }

    fn push(&mut self, length: Duration, parts: usize) {
        let snapshot = self.read(0);
        let Some(uptime) = snapshot.uptime() else {
            assert_eq!(self.window.push(snapshot), Err(WindowError::NoClock));
            return;
        };
        let pushed = (uptime, snapshot.total().poll_count());
        if self.run.last().is_some_and(|&(newest, _)| pushed.0 < newest) {
            self.run.clear();
        }
        self.run.push(pushed);
        self.window.push(snapshot).expect("it has a clock");
        check_window(&self.window, &self.run, length, parts);
    }
}

fuzz_target!(|input: Input| {
    let (length, parts) = input.window;
    let window = (
        Duration::from_micros(u64::from(length) + 1),
        usize::from(parts % 8) + 1,
    );
    let runtimes = [Some(input.first), input.second, input.third];
    let runtimes = runtimes.into_iter().flatten();
    let mut runtimes: Vec<Read> = runtimes.map(|runtime| Read::new(runtime, window)).collect();
    let all = runtimes.len();
    let mut taken: Vec<Taken> = Vec::new();
    let mut merged = None;
    for step in input.steps.0 {
        match step {
            Step::Op(runtime, op) => runtimes[usize::from(runtime) % all].runtime.apply(&op),
            Step::Read(runtime, reader) if taken.len() < SNAPSHOTS => {
                let runtime = usize::from(runtime) % all;
                let snapshot = runtimes[runtime].read(reader.into());
                taken.push(Taken { runtime, snapshot });
            }
            Step::ReadOnce(runtime) if taken.len() < SNAPSHOTS => {
                let runtime = usize::from(runtime) % all;
                let snapshot = runtimes[runtime].runtime.metrics.snapshot();
                check_snapshot(&runtimes[runtime].runtime, &snapshot);
                taken.push(Taken { runtime, snapshot });
            }
            Step::Since(one, other) if !taken.is_empty() => {
                let (one, other) = (usize::from(one) % taken.len(), usize::from(other) % taken.len());
                compare(&taken, one, other);
                compare(&taken, other, one);
            }
            Step::SubmitAll(runtime) => runtimes[usize::from(runtime) % all].runtime.submit_all(),
            Step::Push(runtime) => runtimes[usize::from(runtime) % all].push(window.0, window.1),
            Step::Merge => {
                let last = |runtime| taken.iter().rev().find(|taken| taken.runtime == runtime);
                let parts: Option<Vec<_>> = (0..all).map(|runtime| Some(&last(runtime)?.snapshot)).collect();
                if let Some(now) = parts.and_then(|parts| merging::check(&parts)) {
                    if let Some(before) = merged.replace(now.clone()) {
                        merging::check_since(&before, &now);
                    }
                }
            }
            Step::Flight(runtime) => {
                flight::check(&runtimes[usize::from(runtime) % all].runtime);
            }
            Step::Read(..) | Step::ReadOnce(_) | Step::Since(..) => {}
        }
    }
    for read in &mut runtimes {
        read.runtime.release_all();
        for reader in 0..READERS {
            let snapshot = read.read(reader);
            assert_eq!(snapshot.total().poll_count(), Some(read.runtime.model.polls()));
        }
        flight::check(&read.runtime);
    }
});

/// Calls `since` on one snapshot with another, and checks what it returns.
fn compare(taken: &[Taken], later: usize, earlier: usize) {
    let (one, other) = (&taken[later], &taken[earlier]);
    let interval = one.snapshot.since(&other.snapshot);
    if one.runtime != other.runtime {
        assert_eq!(interval.unwrap_err(), SinceError::OtherEpoch);
        return;
    }
    let (one, other) = (&one.snapshot, &other.snapshot);
    if one.uptime() < other.uptime() {
        assert_eq!(interval.unwrap_err(), SinceError::NotEarlier);
        return;
    }
    let interval = interval.expect("the runtime is the same, and the uptime is not shorter");
    if later >= earlier {
        return check_interval(&interval, other, one);
    }
    // The other one is the later one, although its uptime is not longer: the clock stood still or jumped back.
    let mut errors = 0;
    for worker in one.workers() {
        let grown = interval.worker(worker.index()).expect("it has an entry");
        let before = other.worker(worker.index()).expect("no worker disappears");
        let goes_back = WorkerNumber::COUNTERS
            .iter()
            .any(|&number| !STATE_TIMES.contains(&number) && worker.counter(number) < before.counter(number));
        check_error(grown, goes_back);
        errors += u32::from(goes_back);
    }
    assert!(errors == 0 || interval.total().error() == Some(WorkerSinceError::NotEarlier));
}

/// Checks whether a worker has an error, and that it has no values then.
fn check_error(interval: &WorkerInterval<metrics_core::HeapStorage>, goes_back: bool) {
    assert_eq!(
        interval.error(),
        goes_back.then_some(WorkerSinceError::NotEarlier)
    );
    if goes_back {
        assert!(
            WorkerNumber::ALL
                .iter()
                .all(|&number| interval.counter(number).is_none())
        );
        assert!(interval.poll_time().is_none() && interval.schedule_latency().is_none());
    }
}

/// Checks the interval of a window. `run` has the uptime and the polls of each snapshot since it began anew.
fn check_window(window: &Window, run: &[(Duration, Option<u64>)], length: Duration, parts: usize) {
    assert!(window.len() <= parts + 2);
    let (first, newest) = (run[0], run[run.len() - 1]);
    let is_young = first.0 <= length;
    let interval = match window.interval() {
        Ok(interval) => interval,
        Err(error) => {
            assert_eq!(error, WindowError::TooFewSnapshots);
            assert!(run.len() == 1 && !is_young);
            return;
        }
    };
    let wall = interval.wall().expect("it has a clock");
    let begin = newest.0 - wall;
    // The snapshots from which it may reach, by their uptimes.
    let mut ends = BTreeMap::<Duration, Vec<Option<u64>>>::new();
    for &(uptime, polls) in is_young
        .then_some(&(Duration::ZERO, Some(0)))
        .into_iter()
        .chain(run)
    {
        ends.entry(uptime).or_default().push(polls);
    }
    let polls = interval.total().counter(WorkerNumber::PollCount);
    let grown = |before: Option<u64>| newest.1.zip(before).map(|(now, before)| now - before);
    let from = &ends
        .get(&begin)
        .expect("it begins with a snapshot that was pushed");
    assert!(
        from.iter().any(|&before| grown(before) == polls),
        "{polls:?} since {from:?}"
    );
    if wall < length {
        assert_eq!(Some(&begin), ends.keys().next(), "a longer interval is known");
    }
    let times: Vec<_> = ends.keys().copied().collect();
    let period = times
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .max()
        .unwrap_or_default();
    let part = length.div_f64(parts as f64) + Duration::from_nanos(1);
    assert!(
        wall <= length.max(times[0]) + part + period,
        "{wall:?} for {length:?}"
    );
}
