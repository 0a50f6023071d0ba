//! What a reader would ask.

use core::fmt;

use metrics_core::Probe;

/// The probe of every reader: it knows nothing. A runtime's own is dropped.
#[derive(Clone)]
pub struct Host(());

impl Host {
    pub(super) const fn new() -> Self {
        Self(())
    }
}

impl Probe for Host {}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}
