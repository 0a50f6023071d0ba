//! A worker's histogram by itself, for the benchmark that compares it with histogram libraries. Not part of the API: it is
//! there under `--cfg metrics_core_bench` only.

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
    /// Empty, of this layout.
    pub fn new(config: HistogramConfig) -> Self {
        let slot = SlotHistogram::new(HeapBuckets::new(config.num_buckets()));
        Self {
            config,
            batch: BatchHistogram::new(&slot),
            slot,
        }
    }

    /// Records one value, and submits when the batch asks for it: exactly what a worker does at a poll's end.
    #[inline]
    pub fn record(&self, value: u64) {
        if self.batch.record(&self.config, value) {
            self.batch.submit(&self.slot);
        }
    }

    /// Records one value into the batch alone.
    #[inline]
    pub fn touch(&self, value: u64) -> bool {
        self.batch.record(&self.config, value)
    }

    /// Publishes the batch, as a submit does.
    #[inline]
    pub fn submit(&self) {
        self.batch.submit(&self.slot);
    }
}
