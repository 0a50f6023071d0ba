//! A worker's handle to its slot on the heap.

use super::HeapSlot;
use alloc::sync::Arc;
use core::ops::Deref;

/// A slot, kept alive by the worker that leased it.
#[derive(Debug)]
pub(crate) struct SlotHandle {
    segment: Arc<[HeapSlot]>,
    index: usize,
}

impl SlotHandle {
    pub(super) fn new(segment: &Arc<[HeapSlot]>, index: usize) -> Self {
        Self {
            segment: Arc::clone(segment),
            index,
        }
    }
}

impl Deref for SlotHandle {
    type Target = HeapSlot;

    #[inline(always)]
    fn deref(&self) -> &HeapSlot {
        &self.segment[self.index]
    }
}
