//! Configures a registry in a `static`, at compile time.

use super::Builder;
use crate::config_error::ConfigError;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use crate::flight::Fold;
use crate::histogram::HistogramConfig;
use crate::host_cells::Shared;
use crate::registry::Registry;
use crate::registry_info::{Layout, RegistryInfo};
use crate::storage::{BucketWidth, StaticStorage};
use crate::switches::{Sampling, Switches};
use crate::sync::RECORDING;
use crate::time::Timestamp;
use crate::time_scale::TimeScale;
use core::time::Duration;

/// The checked configuration of a registry in a `static`. As a `const`, it stays in flash.
///
/// Create it with [`Builder::describe`] and pass it to [`Registry::new`], where there is an example.
#[derive(Debug)]
pub struct StaticRegistryConfig<const WORKERS: usize, const BUCKETS: usize> {
    info: RegistryInfo<&'static str>,
    poll_time: Sampling,
    schedule_latency: Sampling,
}

impl Builder<'static> {
    /// Creates the configuration of a registry in a `static`, for `WORKERS` workers and histograms of up to
    /// `BUCKETS` buckets. The registry needs no heap.
    ///
    /// A `const` context can't call the clock, so pass the values that the clock's
    /// [`TimeSource`](crate::TimeSource) implementation returns. A rate of zero means that there is no clock. The
    /// const parameter `WORKERS` overrides [`workers`](Self::workers). Static storage keeps no histogram of
    /// blocking closures.
    ///
    /// # Errors
    /// Returns a [`ConfigError`] if the configuration is invalid. In a `const`, that is a compile error.
    pub const fn describe<const WORKERS: usize, const BUCKETS: usize>(
        self,
        ticks_per_second: u64,
        resolution: Duration,
    ) -> Result<StaticRegistryConfig<WORKERS, BUCKETS>, ConfigError> {
        let this = self.workers(WORKERS);
        if let Err(error) = this.check() {
            return Err(error);
        }
        let mut i = 0;
        let configs: [Option<HistogramConfig>; 2] = [this.poll_time, this.schedule_latency];
        while i < configs.len() {
            if let Some(config) = &configs[i]
                && config.num_buckets() > BUCKETS
            {
                let buckets = config.num_buckets();
                return Err(ConfigError::TooManyBuckets {
                    buckets,
                    capacity: BUCKETS,
                });
            }
            i += 1;
        }
        let scale = TimeScale::new(ticks_per_second);
        let interval = match this.interval(&scale) {
            Ok(interval) => interval,
            Err(error) => return Err(error),
        };
        Ok(StaticRegistryConfig {
            info: RegistryInfo {
                name: this.name,
                epoch: match this.epoch {
                    Some(epoch) => epoch,
                    None => 0,
                },
                started_at: this.started_at,
                started: Timestamp::from_ticks(0),
                num_workers: WORKERS,
                timed: RECORDING && ticks_per_second != 0,
                scale,
                resolution,
                // `StaticWorker` compares 32 bits.
                interval: if interval > u32::MAX as u64 {
                    u32::MAX as u64
                } else {
                    interval
                },
                measures: this.recorded(),
                poll_time: Layout::new(this.poll_time),
                schedule_latency: Layout::new(this.schedule_latency),
                blocking_queue_wait: None,
                locations: 0,
                census: false,
                flight_events: 0,
                #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
                fold: Fold::below(this.flight_threshold),
            },
            poll_time: this.initial_poll_time(),
            schedule_latency: this.initial_schedule_latency(),
        })
    }
}

impl<T, const WORKERS: usize, const BUCKETS: usize, C> Registry<StaticStorage<WORKERS, BUCKETS, C>, T>
where
    C: BucketWidth<Info = &'static RegistryInfo<&'static str>>,
{
    /// Creates a registry for a `static`. All mutable state is in the registry, in RAM; the configuration stays
    /// where it is.
    ///
    /// ```
    /// use core::time::Duration;
    /// use metrics_core::{Builder, StaticRegistryConfig, StaticStorage, HistogramConfig, NoClock, Registry};
    ///
    /// const CONFIG: StaticRegistryConfig<1, 20> =
    ///     match Builder::new().name("firmware").describe(0, Duration::ZERO) {
    ///         Ok(config) => config,
    ///         Err(_) => panic!("a worker without histograms always fits"),
    ///     };
    /// static METRICS: Registry<StaticStorage<1, 20>, NoClock> = Registry::new(&CONFIG, NoClock);
    ///
    /// assert_eq!(METRICS.name(), "firmware");
    /// ```
    pub const fn new(config: &'static StaticRegistryConfig<WORKERS, BUCKETS>, clock: T) -> Self {
        let info = &config.info;
        let storage = StaticStorage::new(
            info.timed && info.poll_time.get().is_some(),
            info.timed && info.schedule_latency.get().is_some(),
        );
        config.registry(storage, info, clock)
    }
}

impl<const WORKERS: usize, const BUCKETS: usize> StaticRegistryConfig<WORKERS, BUCKETS> {
    #[cfg(any(target_has_atomic = "ptr", feature = "require-cas"))]
    pub(crate) const fn info(&self) -> &RegistryInfo<&'static str> {
        &self.info
    }

    pub(crate) const fn registry<T, C: BucketWidth>(
        &self,
        storage: StaticStorage<WORKERS, BUCKETS, C>,
        info: C::Info,
        clock: T,
    ) -> Registry<StaticStorage<WORKERS, BUCKETS, C>, T> {
        Registry {
            storage,
            switches: Switches::new(self.poll_time, self.schedule_latency),
            info,
            clock,
            shared: Shared::new(()),
        }
    }
}
