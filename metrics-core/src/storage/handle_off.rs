//! A worker's handle to its slot without the feature `record`: empty, so that no hook accesses a slot.

use super::HeapSlot;
use crate::slot::{Kept, Lease, Slot};
use alloc::sync::Arc;
use core::ops::Deref;

/// Any slot works, because none stores anything.
static SLOT: HeapSlot = Slot::new(Lease::vacant(), Kept::No, Kept::No);

#[derive(Debug)]
pub(crate) struct SlotHandle;

impl SlotHandle {
    pub(super) fn new(_: &Arc<[HeapSlot]>, _: usize) -> Self {
        Self
    }
}

impl Deref for SlotHandle {
    type Target = HeapSlot;

    #[inline(always)]
    fn deref(&self) -> &HeapSlot {
        &SLOT
    }
}
