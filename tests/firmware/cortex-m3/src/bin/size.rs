//! The smallest embassy program, and what metrics add to it without the feature `record`: nothing while embassy calls no hooks, and
//! hooks that return at once while it does. Other features read what was recorded. It is never run.
#![no_std]
#![no_main]

#[cfg(any(feature = "table", feature = "snapshot", feature = "wire"))]
use core::hint::black_box;
use core::panic::PanicInfo;

use cortex_m_rt::entry;
use embassy_executor::raw;
// The interrupt vectors.
use lm3s6965 as _;
use static_cell::StaticCell;

#[cfg(feature = "hooks")]
mod measured {
    use core::time::Duration;

    use cortex_m::peripheral::SYST;
    use metrics_core::embassy::{EmbassyConfig, EmbassyMetrics};
    use metrics_core::{
        Builder, HistogramConfig, StaticRegistryConfig, TimeSource, Timestamp, embassy_trace,
    };

    const BUCKETS: usize = 20;
    const HZ: u64 = 12_000_000;

    const LAYOUT: HistogramConfig = match HistogramConfig::power_of_two(1_000, BUCKETS) {
        Ok(layout) => layout,
        Err(_) => panic!("a layout of 20 buckets from a microsecond on"),
    };

    pub(crate) struct Config;

    impl EmbassyConfig<1, BUCKETS> for Config {
        const REGISTRY: StaticRegistryConfig<1, BUCKETS> = match Builder::new()
            .poll_time(LAYOUT)
            .schedule_latency(LAYOUT)
            .describe(HZ, Duration::from_nanos(84))
        {
            Ok(config) => config,
            Err(_) => panic!("two histograms of 20 buckets fit"),
        };
    }

    /// A register that the compiler must not leave out, were it read.
    pub(crate) struct SysTick;

    impl TimeSource for SysTick {
        fn now(&self) -> Timestamp {
            Timestamp::from_ticks(u64::from(!SYST::get_current()))
        }

        fn ticks_per_second(&self) -> u64 {
            HZ
        }

        fn resolution(&self) -> Duration {
            Duration::from_nanos(84)
        }
    }

    const TASKS: usize = 4;

    pub(crate) static METRICS: EmbassyMetrics<Config, SysTick, 1, TASKS, BUCKETS> =
        EmbassyMetrics::new(SysTick);

    #[cfg(any(feature = "table", feature = "wire"))]
    pub(crate) type Trace = metrics_core::embassy::TraceSnapshot<metrics_core::embassy::FixedTrace<1, TASKS>>;

    #[cfg(any(feature = "snapshot", feature = "wire"))]
    pub(crate) type Snapshot =
        metrics_core::Snapshot<metrics_core::embassy::EmbassyStorage<Config, 1, BUCKETS>>;

    embassy_trace!(METRICS);
}

/// The table of the tasks and the load of the core.
#[cfg(feature = "table")]
fn read_table() {
    let mut trace = measured::Trace::EMPTY;
    measured::METRICS.trace_into(&mut trace);
    black_box(trace.core_load(0));
    #[cfg(feature = "print")]
    {
        use core::fmt::Write;
        write!(Uart, "{trace}").ok();
    }
}

/// Where the table is printed.
#[cfg(feature = "print")]
struct Uart;

#[cfg(feature = "print")]
impl core::fmt::Write for Uart {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        black_box(text);
        Ok(())
    }
}

/// Every counter and both histograms of the executor.
#[cfg(feature = "snapshot")]
fn read_snapshot() {
    let mut snapshot = measured::Snapshot::EMPTY;
    measured::METRICS.metrics().snapshot_into(&mut snapshot);
    black_box(&snapshot);
}

/// Both, encoded for the host.
#[cfg(feature = "wire")]
fn encode() {
    let (mut trace, mut snapshot) = (measured::Trace::EMPTY, measured::Snapshot::EMPTY);
    measured::METRICS.trace_into(&mut trace);
    measured::METRICS.metrics().snapshot_into(&mut snapshot);
    let mut bytes = [0; 2048];
    black_box(postcard::to_slice(&(&snapshot, &trace), &mut bytes).ok());
}

static EXECUTOR: StaticCell<raw::Executor> = StaticCell::new();

#[embassy_executor::task]
async fn task() {
    core::future::pending().await
}

#[entry]
fn main() -> ! {
    let executor = EXECUTOR.init(raw::Executor::new(usize::MAX as *mut ()));
    executor.spawner().spawn(task().expect("a free task"));
    loop {
        // SAFETY: from here only, so never while it is being polled.
        unsafe { executor.poll() };
        #[cfg(feature = "table")]
        read_table();
        #[cfg(feature = "snapshot")]
        read_snapshot();
        #[cfg(feature = "wire")]
        encode();
        cortex_m::asm::wfi();
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        cortex_m::asm::wfi();
    }
}
