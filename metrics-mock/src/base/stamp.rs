//! A task's wake stamp that is never set.

use metrics_core::Timestamp;

/// When a task became scheduled: not kept.
#[derive(Debug)]
pub struct WakeStamp(());

impl WakeStamp {
    /// A stamp that is not set.
    pub const fn new() -> Self {
        Self(())
    }

    /// Sets nothing.
    #[inline(always)]
    pub fn mark(&self, _now: Timestamp) {}

    /// False: nothing ever sets it.
    #[inline(always)]
    pub fn is_set(&self) -> bool {
        false
    }

    /// `None`.
    #[inline(always)]
    pub fn take(&self) -> Option<Timestamp> {
        None
    }
}

impl Default for WakeStamp {
    fn default() -> Self {
        Self::new()
    }
}
