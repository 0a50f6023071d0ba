//! Builds a registry on the heap.

use super::Builder;
use crate::config_error::ConfigError;
use crate::flight::Fold;
use crate::host_cells::{HostCells, Shared};
use crate::locations::rows_of;
use crate::record::SharedHistogram;
use crate::registry::Registry;
use crate::registry_info::{Layout, RegistryInfo, unique_epoch};
use crate::storage::{HeapStorage, Inline, SharedBuckets};
use crate::switches::Switches;
use crate::sync::RECORDING;
use crate::time::{TimeSource, Timestamp};
use crate::time_scale::TimeScale;
use alloc::sync::Arc;
use core::time::Duration;

impl Builder<'_> {
    /// Builds the registry, with a slot for each worker.
    ///
    /// # Errors
    /// Returns a [`ConfigError`] if the configuration is invalid.
    pub fn build<T: TimeSource>(&self, clock: T) -> Result<Arc<Registry<HeapStorage, T>>, ConfigError> {
        self.check()?;
        let locations = if RECORDING { self.locations } else { 0 };
        let scale = TimeScale::new(clock.ticks_per_second());
        let timed = RECORDING && clock.available() && clock.ticks_per_second() != 0;
        let interval = self.interval(&scale)?;
        let buckets = |config: &Option<crate::histogram::HistogramConfig>| {
            config.filter(|_| timed).map(|config| config.num_buckets())
        };
        let storage = HeapStorage::new(
            self.workers,
            buckets(&self.poll_time),
            buckets(&self.schedule_latency),
        );
        let started = if timed {
            clock.now()
        } else {
            Timestamp::from_ticks(0)
        };
        let wait = buckets(&self.blocking_queue_wait).map(|n| SharedHistogram::new(SharedBuckets::new(n)));
        let shared_rows = if locations == 0 { 0 } else { rows_of(locations) };
        Ok(Arc::new(Registry {
            storage,
            info: Inline(RegistryInfo {
                name: self.name.into(),
                epoch: self
                    .epoch
                    .unwrap_or_else(|| unique_epoch(self.started_at.unwrap_or(started.ticks()))),
                started_at: self.started_at,
                started,
                num_workers: self.workers,
                timed,
                scale,
                resolution: if timed { clock.resolution() } else { Duration::ZERO },
                interval,
                measures: self.recorded(),
                poll_time: Layout::new(self.poll_time),
                schedule_latency: Layout::new(self.schedule_latency),
                blocking_queue_wait: self.blocking_queue_wait,
                locations,
                census: RECORDING && self.census,
                flight_events: if RECORDING { self.flight_events } else { 0 },
                fold: Fold::below(self.flight_threshold),
            }),
            switches: Switches::new(self.initial_poll_time(), self.initial_schedule_latency()),
            shared: Shared::new(HostCells::new(wait, shared_rows)),
            clock,
        }))
    }
}
