//! The histograms of a runtime that exist once something measures them: a watchdog, or a lag probe.

use crate::catalog::{HistogramName, ON_DEMAND};
use crate::histogram::HistogramConfig;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use {
    super::shared_histogram::SharedHistogram, crate::cell::SharedSum, crate::sync::RECORDING,
    alloc::boxed::Box, once_cell::race::OnceBox,
};

/// Returns the position of a histogram in [`ON_DEMAND`].
pub(crate) fn position(name: HistogramName) -> Option<usize> {
    ON_DEMAND.iter().position(|&other| other == name)
}

/// The way in which the lag of a runtime is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LagKind {
    /// How late a timer of the runtime fired: `loop_lag`.
    Loop,
    /// How long a task waited to be polled after another thread had woken it: `wake_latency`.
    Wake,
}

impl LagKind {
    /// Returns the histogram of this kind of lag.
    pub const fn histogram(self) -> HistogramName {
        match self {
            Self::Loop => HistogramName::LoopLag,
            Self::Wake => HistogramName::WakeLatency,
        }
    }
}

/// The cells of the histograms in [`ON_DEMAND`]. Only storage on the heap has any.
#[derive(Debug)]
pub(crate) struct OnDemandCells {
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    histograms: [OnceBox<OnDemandHistogram>; ON_DEMAND.len()],
}

/// A histogram with the layout that its first measurer chose.
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
#[derive(Debug)]
pub(crate) struct OnDemandHistogram {
    pub(crate) layout: HistogramConfig,
    cells: SharedHistogram<Box<[SharedSum]>>,
}

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
impl OnDemandCells {
    pub(crate) const fn new() -> Self {
        Self {
            histograms: [const { OnceBox::new() }; ON_DEMAND.len()],
        }
    }

    /// Starts to measure this histogram. If it exists, its layout remains.
    pub(crate) fn measure(&self, name: HistogramName, layout: HistogramConfig) {
        if let Some(histogram) = self.slot(name).filter(|_| RECORDING) {
            histogram.get_or_init(|| {
                let buckets = (0..layout.num_buckets()).map(|_| SharedSum::new(0));
                let cells = SharedHistogram::new(buckets.collect());
                Box::new(OnDemandHistogram { layout, cells })
            });
        }
    }

    /// Records a value, unless the histogram is not measured.
    pub(crate) fn record(&self, name: HistogramName, nanos: u64) {
        if let Some(histogram) = self.get(name) {
            histogram.cells.record(Box::as_ref, &histogram.layout, nanos);
        }
    }

    pub(crate) fn get(&self, name: HistogramName) -> Option<&OnDemandHistogram> {
        self.slot(name)?.get()
    }

    fn slot(&self, name: HistogramName) -> Option<&OnceBox<OnDemandHistogram>> {
        self.histograms.get(position(name)?)
    }
}

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
impl OnDemandHistogram {
    /// Tries once to read the buckets with the sum, minimum and maximum of the same records.
    pub(crate) fn try_read(&self, buckets: &mut [u64]) -> Option<(u64, u64, u64)> {
        self.cells.try_read(Box::as_ref, &self.layout, buckets)
    }
}

#[cfg(not(all(feature = "alloc", target_has_atomic = "ptr")))]
#[allow(clippy::unused_self)]
impl OnDemandCells {
    pub(crate) fn measure(&self, _: HistogramName, _: HistogramConfig) {}

    pub(crate) fn record(&self, _: HistogramName, _: u64) {}
}
