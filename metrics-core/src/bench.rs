//! A worker's histogram in isolation, for the benchmark that compares it with histogram libraries. Not part of the
//! API: it exists only with `--cfg metrics_core_bench`.

use crate::histogram::HistogramConfig;
use crate::record::{BatchHistogram, HeapBuckets, RecordValue, SlotHistogram};

/// The batch and the slot of one histogram.
#[derive(Debug)]
pub struct BatchAndSlot {
    config: HistogramConfig,
    batch: BatchHistogram,
    slot: SlotHistogram<HeapBuckets>,
}

impl BatchAndSlot {
    /// Creates an empty histogram with this layout.
    pub fn new(config: HistogramConfig) -> Self {
        let slot = SlotHistogram::new(HeapBuckets::new(config.num_buckets()));
        Self {
            config,
            batch: BatchHistogram::new(config.num_buckets(), &slot),
            slot,
        }
    }

    /// Records one value, and submits if the batch requests it, exactly as a worker does at the end of a poll.
    #[inline]
    pub fn record(&self, value: u64) {
        if self.batch.record(&self.config, value) {
            self.batch.submit(&self.slot);
        }
    }

    /// Records one value in the batch only.
    #[inline]
    pub fn touch(&self, value: u64) -> bool {
        self.batch.record(&self.config, value)
    }

    /// Submits the batch.
    #[inline]
    pub fn submit(&self) {
        self.batch.submit(&self.slot);
    }
}
