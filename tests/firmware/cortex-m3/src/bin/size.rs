//! The smallest embassy program, and what metrics add to it without the feature `record`: nothing while embassy calls no hooks, and
//! hooks that return at once while it does. It is never run.
#![no_std]
#![no_main]

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

    struct Config;

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
    struct SysTick;

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

    static METRICS: EmbassyMetrics<Config, SysTick, 1, 4, BUCKETS> = EmbassyMetrics::new(SysTick);

    embassy_trace!(METRICS);
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
        cortex_m::asm::wfi();
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        cortex_m::asm::wfi();
    }
}
