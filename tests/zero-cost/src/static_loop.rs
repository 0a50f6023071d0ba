//! A loop over a worker in a `static`, as in firmware.

use core::hint::black_box;

const POLLS: u64 = 10_000;

hooks! {
    use core::time::Duration;
    use metrics_core::{
        Builder, MetricSet, StaticRegistryConfig, StaticStorage, HistogramConfig, PollStart, Registry, TaskEnd, TimeSource, Timestamp,
    };

    /// A clock whose reading the compiler can't remove.
    struct Ticks;

    impl TimeSource for Ticks {
        fn now(&self) -> Timestamp {
            Timestamp::from_ticks(black_box(1))
        }

        fn ticks_per_second(&self) -> u64 {
            1_000_000
        }

        fn resolution(&self) -> Duration {
            Duration::from_micros(1)
        }
    }

    const LAYOUT: HistogramConfig = match HistogramConfig::power_of_two(1_000, 20) {
        Ok(layout) => layout,
        Err(_) => panic!("a layout of 20 buckets from a microsecond on"),
    };
    const CONFIG: StaticRegistryConfig<1, 20> = match Builder::new().measures(MetricSet::ALL)
        .poll_time(LAYOUT)
        .schedule_latency(LAYOUT)
        .describe(1_000_000, Duration::from_micros(1))
    {
        Ok(config) => config,
        Err(_) => panic!("20 buckets fit"),
    };
    static METRICS: Registry<StaticStorage<1, 20>, Ticks> = Registry::new(&CONFIG, Ticks);
}

/// Does as many polls as it returns. `cargo xtask zero-cost` counts the instructions executed in here, by this name.
#[inline(never)]
fn measured_region() -> u64 {
    hooks! {
        let Some(worker) = METRICS.worker(0) else { return 0 };
        worker.unpark();
        worker.start_processing_scheduled_tasks();
    }
    for poll in 0..POLLS {
        hooks! {
            worker.task_spawned();
            worker.start_poll(PollStart {
                scheduled_at: Some(worker.now()),
                ..PollStart::default()
            });
        }
        black_box(poll);
        hooks! {
            worker.end_poll();
            worker.task_ended(TaskEnd::Completed);
        }
    }
    hooks! {
        worker.end_processing_scheduled_tasks();
        worker.park();
    }
    POLLS
}

/// Runs the loop and returns its number of polls.
pub(crate) fn run() -> u64 {
    measured_region()
}
