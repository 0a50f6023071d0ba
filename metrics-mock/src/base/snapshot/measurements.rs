//! The numbers of one worker, or of all.

use core::marker::PhantomData;
use core::time::Duration;

use metrics_core::{HistogramReading, Storage};

use crate::base::getters::{unmeasured, unmeasured_counters};

/// Counters and histograms, every one `None`.
#[derive(Debug)]
pub struct Measurements<S: Storage>(PhantomData<S>);

impl<S: Storage> Clone for Measurements<S> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<S: Storage> Measurements<S> {
    pub(super) const fn new() -> Self {
        Self(PhantomData)
    }

    unmeasured! {
        mean_poll_time() -> Duration;
        poll_time() -> &HistogramReading<S>;
        schedule_latency() -> &HistogramReading<S>;
    }
    unmeasured_counters!();
}
