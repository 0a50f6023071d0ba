//! Any sequence of hooks, in any order, on a clock that may jump back: nothing panics, counters never go back, and every
//! snapshot is coherent.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use metrics_core::{
    BlockingStart, Builder, HeapStorage, HistogramConfig, LocationId, MetricSet, PollStart, Registry,
    RuntimeMetrics, Sampling, Snapshot, TaskEnd, TimeSource, Timestamp, Worker, WorkerNumber,
};
use metrics_mock::ManualClock;

type Metrics = Arc<Registry<HeapStorage, ManualClock>>;

#[derive(Arbitrary, Debug)]
enum Op {
    Advance(u32),
    JumpTo(u32),
    StartPoll {
        scheduled_at: Option<u32>,
        spawn_location: u32,
    },
    EndPoll,
    Park,
    Unpark,
    StartProcessing,
    EndProcessing,
    DiscardLastTimestamp,
    LocalSchedule,
    Steal(u16),
    Overflow(u16),
    ForcedYield,
    RootPoll,
    NestedPoll,
    Tick,
    Submit,
    Spawn {
        remote: bool,
    },
    End {
        how: u8,
        remote: bool,
    },
    Blocking(u32),
    PollTime(u8),
    ScheduleLatency(u8),
    Lease(u8),
    Release,
    Read,
}

#[derive(Arbitrary, Debug)]
struct Input {
    precision: u8,
    interval_us: u16,
    ops: Vec<Op>,
}

fuzz_target!(|input: Input| {
    let config = match input.precision % 6 {
        // More buckets than have their bits in one word, and a layout without a quick index.
        4 => HistogramConfig::h2(16, 1 << 14, 6),
        5 => HistogramConfig::linear(1 << 10, 600),
        precision => HistogramConfig::h2(16, 1 << 30, precision.into()),
    };
    let Ok(config) = config else { return };
    let registry = Builder::new()
        .measures(MetricSet::ALL)
        .workers(2)
        .poll_time(config)
        .schedule_latency(config)
        .blocking_queue_wait(config)
        .submit_interval(core::time::Duration::from_micros(input.interval_us.into()))
        .build(ManualClock::new())
        .expect("the configuration is valid");
    let metrics = RuntimeMetrics::new(Arc::clone(&registry));
    let mut workers: Vec<Worker<Metrics>> = Vec::new();
    // The snapshots of one reader never go back. Two snapshots of their own may: busy time in progress is nobody's once another thread has
    // taken the worker over.
    let mut reader = metrics.reader();
    let mut last = reader.read().clone();
    let mut alive = 0_u64;
    for op in input.ops {
        match op {
            Op::Read => {
                let now = reader.read().clone();
                check(&last, &now, alive);
                last = now;
            }
            Op::Lease(index) if workers.len() < 8 => {
                workers.extend(Worker::lease(Arc::clone(&registry), usize::from(index % 4)));
            }
            Op::Release => drop(workers.pop()),
            Op::Advance(ticks) => registry.clock().advance_ticks(ticks.into()),
            Op::JumpTo(ticks) => registry.clock().set_ticks(ticks.into()),
            Op::PollTime(mode) => registry.switches().set_poll_time(sampling(mode)),
            Op::ScheduleLatency(mode) => registry.switches().set_schedule_latency(sampling(mode)),
            Op::Blocking(queued) => {
                registry.shared().blocking_started(BlockingStart {
                    queued_at: Timestamp::from_ticks(queued.into()),
                    started_at: registry.clock().now(),
                });
            }
            Op::Spawn { remote } => {
                alive += 1;
                match workers.last().filter(|_| !remote) {
                    Some(worker) => worker.task_spawned(),
                    None => registry.shared().task_spawned(),
                }
            }
            Op::End { how, remote } if alive > 0 => {
                alive -= 1;
                let end = [TaskEnd::Completed, TaskEnd::Cancelled, TaskEnd::Panicked][usize::from(how % 3)];
                match workers.last().filter(|_| !remote) {
                    Some(worker) => worker.task_ended(end),
                    None => registry.shared().task_ended(end),
                }
            }
            op => {
                if let Some(worker) = workers.last() {
                    hook(worker, &op);
                }
            }
        }
    }
    drop(workers);
    check(&last, reader.read(), alive);
});

fn hook(worker: &Worker<Metrics>, op: &Op) {
    match *op {
        Op::StartPoll {
            scheduled_at,
            spawn_location,
        } => {
            worker.start_poll(PollStart {
                scheduled_at: scheduled_at.map(|ticks| Timestamp::from_ticks(ticks.into())),
                spawn_location: LocationId::from_u32(spawn_location),
            });
        }
        Op::EndPoll => {
            worker.end_poll();
        }
        Op::Park => worker.park(),
        Op::Unpark => worker.unpark(),
        Op::StartProcessing => worker.start_processing_scheduled_tasks(),
        Op::EndProcessing => worker.end_processing_scheduled_tasks(),
        Op::DiscardLastTimestamp => worker.discard_last_timestamp(),
        Op::LocalSchedule => worker.inc_local_schedule_count(),
        Op::Steal(tasks) => {
            worker.inc_steal_count(tasks.into());
            worker.inc_steal_operations();
        }
        Op::Overflow(tasks) => worker.inc_overflow_count(tasks.into()),
        Op::ForcedYield => worker.inc_budget_forced_yield_count(),
        Op::RootPoll => worker.inc_root_polls(),
        Op::NestedPoll => worker.inc_nested_polls(),
        Op::Tick => worker.tick(),
        Op::Submit => worker.submit(),
        _ => {}
    }
}

fn sampling(mode: u8) -> Sampling {
    match mode
        .checked_sub(1)
        .and_then(|n| core::num::NonZeroU32::new(n.into()))
    {
        None if mode == 0 => Sampling::Off,
        None => Sampling::Every,
        Some(n) => Sampling::OneIn(n),
    }
}

/// What holds between any two snapshots.
fn check(earlier: &Snapshot<HeapStorage>, now: &Snapshot<HeapStorage>, alive: u64) {
    assert_eq!(now.num_alive_tasks(), Some(alive));
    let interval = match now.since(earlier) {
        Ok(interval) => interval,
        // A clock that jumped back can't say how long the interval was.
        Err(_) if now.uptime() < earlier.uptime() => return,
        Err(error) => panic!("the same producer, in order: {error}"),
    };
    for &counter in WorkerNumber::COUNTERS {
        if let WorkerNumber::OnCpuDurationTotal | WorkerNumber::RunnableWaitDurationTotal = counter {
            assert_eq!(now.total().counter(counter), None, "only a probe reports it");
            continue;
        }
        let (before, after) = (earlier.total().counter(counter), now.total().counter(counter));
        if let WorkerNumber::PollingDurationTotal | WorkerNumber::RunningDurationTotal = counter
            && before.zip(after).is_none()
        {
            // Some poll was not measured.
            continue;
        }
        assert!(
            after >= before,
            "{counter:?} went back from {before:?} to {after:?}"
        );
        assert_eq!(
            interval.total().counter(counter),
            after.zip(before).map(|(after, before)| after - before)
        );
        let sum = now
            .workers()
            .iter()
            .filter_map(|worker| worker.counter(counter))
            .sum();
        assert_eq!(
            after,
            Some(sum),
            "{counter:?}: the total is the sum of the workers"
        );
    }
    let total = now.total();
    let samples = total.poll_time().map(|reading| reading.samples());
    assert!(samples <= total.poll_count(), "no sample without a poll");
    for reading in [total.poll_time(), total.schedule_latency()]
        .into_iter()
        .flatten()
    {
        let histogram = reading.histogram();
        assert_eq!(histogram.count(), histogram.buckets().iter().sum::<u64>());
        assert_eq!(histogram.count() == 0, histogram.min().is_none());
        let mut merged = histogram.clone();
        merged.merge(histogram).expect("one layout");
        assert_eq!(merged.count(), 2 * histogram.count());
        let mut below = 0;
        for percent in [0.0, 0.5, 0.9, 0.99, 1.0] {
            if let Some(quantile) = histogram.quantile(percent) {
                assert!(quantile.lower >= below, "quantiles rise");
                below = quantile.lower;
            }
        }
        let small = histogram.downsample(4).expect("four buckets are enough");
        assert_eq!(
            small.iter().map(|(_, count)| count).sum::<u64>(),
            histogram.count()
        );
    }
    if let (Some(grown), Some(now), Some(before)) = (
        interval.total().poll_time(),
        total.poll_time(),
        earlier.total().poll_time(),
    ) {
        assert_eq!(grown.count(), now.samples() - before.samples());
    }
}
