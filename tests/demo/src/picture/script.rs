//! Three seconds of a runtime with four workers, on a clock that only the script advances.

use crate::sample::Sampler;
use crate::stalls::{Stalls, THRESHOLD};
use core::panic::Location;
use core::time::Duration;
use metrics_mock::{ManualClock, MockProbe, MockRuntime, TaskId};
use metrics_std::top::View;
use metrics_std::watchdog::StallScanner;
use metrics_std::{
    Builder, Clock, HistogramConfig, LocationId, MetricSet, ProcessProbe, Registry, RuntimeHandles,
    RuntimeMetrics, TaskEnd, TimeSource as _, WorkerNumber, build, location,
};
use std::sync::Arc;

/// The number of tenths of each millisecond in which each worker polls a task.
const LOAD: [u32; 4] = [9, 6, 4, 2];
const PART: Duration = Duration::from_micros(100);

/// The values shown after three seconds: of two stalls, the first is over and the second is in progress.
pub(super) fn view() -> View {
    let mut script = Script::new();
    let mut sampler = Sampler::new(&script.metrics, "127.0.0.1:3000".to_owned());
    script.run(1_300, None);
    let task = script.start_poll(2, script.block);
    script.run(61, Some(2));
    script.end_poll(2, task);
    script.run(639, None);
    sampler.sample(script.elapsed(), script.requests, &script.stalls);

    script.run(958, None);
    script.start_poll(1, script.block);
    script.run(42, Some(1));
    script.start_poll(0, script.quick);
    script.runtime.advance(Duration::from_micros(12));
    let view = sampler.sample(script.elapsed(), script.requests, &script.stalls);
    view.expect("a second has passed")
}

struct Script {
    runtime: MockRuntime<Arc<Registry>>,
    metrics: RuntimeMetrics,
    clock: Arc<ManualClock>,
    scanner: StallScanner<Arc<Registry>, ProcessProbe>,
    stalls: Stalls,
    quick: LocationId,
    block: LocationId,
    requests: u64,
    polls: u64,
}

impl Script {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new());
        let probe = MockProbe::new(LOAD.len());
        let builder = Builder::new()
            .workers(LOAD.len())
            .locations(1_024)
            .poll_time(HistogramConfig::DEFAULT)
            .schedule_latency(HistogramConfig::DEFAULT)
            .measures(MetricSet::TASKS.union(MetricSet::worker(&[
                WorkerNumber::PollCount,
                WorkerNumber::ParkCount,
                WorkerNumber::StealCount,
                WorkerNumber::BusyDurationTotal,
            ])));
        let RuntimeHandles { metrics, workers } =
            build(builder, Clock::custom(Arc::clone(&clock)), probe.clone())
                .expect("the configuration is valid");
        let runtime = MockRuntime::with_probe(workers, Arc::clone(&clock), &probe);
        // The open connections.
        for _ in 0..32 {
            let connection = runtime.worker(0).spawn(here());
            runtime.worker(0).poll(connection, Duration::from_micros(9));
        }
        for position in 0..LOAD.len() {
            runtime.worker(position).park();
        }
        Self {
            scanner: StallScanner::new(&metrics, THRESHOLD),
            stalls: Stalls::default(),
            quick: here(),
            block: here(),
            requests: 0,
            polls: 0,
            runtime,
            metrics,
            clock,
        }
    }

    fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.clock.now().ticks())
    }

    /// Runs a tenth of a millisecond. Each worker with work polls one request, and parks when it has no more work.
    fn part(&mut self, part: u32, blocked: Option<usize>) {
        let end = self.elapsed() + PART;
        let mut polling = Vec::new();
        for (position, load) in LOAD.into_iter().enumerate().filter(|&(n, _)| Some(n) != blocked) {
            let worker = self.runtime.worker(position);
            if part == 0 {
                worker.unpark();
            }
            if part < load {
                // The first worker accepts the requests of the last one.
                let spawner = if position == LOAD.len() - 1 { 0 } else { position };
                let task = self.runtime.worker(spawner).spawn(self.quick);
                if spawner != position {
                    worker.steal(&[task]);
                }
                // The worker reaches the task after a while.
                self.runtime
                    .advance(Duration::from_nanos(300 + self.polls * 7_919 % 4_000));
                worker.start_poll(task);
                self.polls += 1;
                polling.push((self.polls * 6_151 % 60_000, position, task));
            } else if part == load {
                worker.park();
            }
        }
        polling.sort_unstable();
        let mut passed = 0;
        for (nanos, position, task) in polling {
            self.runtime.advance(Duration::from_nanos(nanos - passed));
            passed = nanos;
            let worker = self.runtime.worker(position);
            worker.end_poll();
            worker.end(task, TaskEnd::Completed);
            self.requests += 1;
        }
        self.runtime.advance(end.saturating_sub(self.elapsed()));
    }

    /// Starts a poll on a parked worker.
    fn start_poll(&self, worker: usize, location: LocationId) -> TaskId {
        let worker = self.runtime.worker(worker);
        worker.unpark();
        let task = worker.spawn(location);
        worker.start_poll(task);
        task
    }

    /// Ends that poll, and its task.
    fn end_poll(&self, worker: usize, task: TaskId) {
        let worker = self.runtime.worker(worker);
        worker.end_poll();
        worker.end(task, TaskEnd::Completed);
        worker.park();
    }

    /// Runs this many milliseconds. The workers that are not blocked serve requests.
    fn run(&mut self, milliseconds: u32, blocked: Option<usize>) {
        for _ in 0..milliseconds {
            for part in 0..10 {
                self.part(part, blocked);
            }
            let now = self.elapsed();
            let stalls = &self.stalls;
            self.scanner
                .scan(|report| stalls.add(report, now.as_nanos() as u64));
        }
    }
}

/// Returns the location of the call as a number.
#[track_caller]
fn here() -> LocationId {
    location::intern(Location::caller())
}
