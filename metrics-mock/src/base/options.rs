//! Switches without anything behind them.

use metrics_core::Sampling;

/// The switches of a registry: always off.
#[derive(Debug)]
pub struct Options(());

impl Options {
    pub(super) const NONE: &'static Self = &Self(());

    /// Switches nothing.
    pub fn set_poll_time(&self, _sampling: Sampling) {}

    /// Switches nothing.
    pub fn set_schedule_latency(&self, _sampling: Sampling) {}

    /// [`Sampling::Off`].
    pub fn poll_time(&self) -> Sampling {
        Sampling::Off
    }

    /// [`Sampling::Off`].
    pub fn schedule_latency(&self) -> Sampling {
        Sampling::Off
    }
}
