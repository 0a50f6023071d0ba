//! The numbers of one worker, or of all.

use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;

use metrics_core::{HistogramReading, Storage};

use crate::base::getters::{unmeasured, unmeasured_counters};

/// Counters and histograms, every one `None`.
pub struct Measurements<S: Storage>(PhantomData<S>);

impl<S: Storage> fmt::Debug for Measurements<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measurements").finish_non_exhaustive()
    }
}

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
