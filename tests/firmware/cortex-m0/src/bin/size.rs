//! The smallest program, and what metrics add to it: hooks that do nothing with `hooks`, hooks that record with `record`, a
//! reader with `getters` or `snapshot`. It is never run.
#![no_std]
#![no_main]

use core::hint::black_box;
use core::panic::PanicInfo;

use cortex_m_rt::entry;

#[cfg(feature = "hooks")]
mod measured {
    use core::time::Duration;

    use firmware_cortex_m0::{CORE_HZ, FreeSysTick};
    use metrics_core::extend::ExtendedCounter;
    use metrics_core::{
        Builder, HistogramConfig, MetricSet, Registry, StaticRegistryConfig, StaticStorage, StaticWorker,
    };

    pub(crate) const BUCKETS: usize = 20;
    pub(crate) type Storage = StaticStorage<1, BUCKETS>;
    type Clock = ExtendedCounter<FreeSysTick>;

    const LAYOUT: HistogramConfig = match HistogramConfig::power_of_two(1_000, BUCKETS) {
        Ok(layout) => layout,
        Err(_) => panic!("a layout of 20 buckets from a microsecond on"),
    };

    const CONFIG: StaticRegistryConfig<1, BUCKETS> = match Builder::new()
        .measures(MetricSet::ALL)
        .poll_time(LAYOUT)
        .schedule_latency(LAYOUT)
        .describe(CORE_HZ as u64, Duration::from_nanos(63))
    {
        Ok(config) => config,
        Err(_) => panic!("two histograms of 20 buckets fit"),
    };

    pub(crate) static METRICS: Registry<Storage, Clock> =
        Registry::new(&CONFIG, ExtendedCounter::new(FreeSysTick, CORE_HZ));

    pub(crate) fn worker() -> Option<StaticWorker<Clock, 1, BUCKETS>> {
        METRICS.worker(0)
    }
}

/// One round of a loop: it wakes, polls what is due, and goes back to sleep.
fn round(poll: fn()) {
    #[cfg(feature = "hooks")]
    if let Some(worker) = measured::worker() {
        worker.unpark();
        let woken = worker.now();
        worker.start_processing_scheduled_tasks();
        worker.start_poll(metrics_core::PollStart {
            scheduled_at: Some(woken),
            ..Default::default()
        });
        poll();
        worker.end_poll();
        worker.end_processing_scheduled_tasks();
        worker.park();
    }
    #[cfg(not(feature = "hooks"))]
    poll();
}

/// Every counter of the worker and both of its histograms, by the getters, in nanoseconds.
#[cfg(feature = "getters")]
fn read() {
    let metrics = metrics_core::RuntimeMetrics::new(&measured::METRICS);
    for &counter in metrics_core::WorkerNumber::ALL {
        black_box(metrics.worker_counter(0, counter));
    }
    for bucket in 0..measured::BUCKETS {
        black_box(metrics.poll_time_histogram_bucket_count(0, bucket));
        black_box(metrics.schedule_latency_histogram_bucket_count(0, bucket));
    }
}

#[cfg(feature = "snapshot")]
fn read() {
    let metrics = metrics_core::RuntimeMetrics::new(&measured::METRICS);
    let mut snapshot = metrics_core::Snapshot::<measured::Storage>::default();
    metrics.snapshot_into(&mut snapshot);
    black_box(&snapshot);
}

#[entry]
fn main() -> ! {
    loop {
        round(black_box(|| ()));
        #[cfg(any(feature = "getters", feature = "snapshot"))]
        read();
        cortex_m::asm::wfi();
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        cortex_m::asm::wfi();
    }
}
