//! The configuration of embassy's metrics, as constants of a type.

use super::InterruptHandler;
use crate::builder::in_a_static::StaticRegistryConfig;
use crate::registry_info::RegistryInfo;
use crate::storage::{BucketWidth, Buckets64};
use core::fmt;
use core::marker::PhantomData;
use core::ops::Deref;

/// The constants of [`EmbassyMetrics`](super::EmbassyMetrics). A type of the program implements it, for the number of
/// executors and the capacity of the histograms.
///
/// The metrics then hold no reference, so they are all zeros at startup and take no flash. The compiler also knows the
/// configuration, which makes the hooks shorter. [`embassy_trace!`](crate::embassy_trace) has an example.
pub trait EmbassyConfig<const EXECUTORS: usize, const BUCKETS: usize>: 'static {
    /// The configuration of the registry.
    const REGISTRY: StaticRegistryConfig<EXECUTORS, BUCKETS>;

    /// Returns the interrupt handlers that call [`with_interrupt`](super::EmbassyMetrics::with_interrupt). The default is
    /// none.
    #[inline(always)]
    fn interrupts() -> &'static [InterruptHandler] {
        &[]
    }
}

/// Buckets of width `C` in a registry with the configuration `K`.
pub struct Configured<K, const EXECUTORS: usize, const BUCKETS: usize, C = Buckets64>(
    PhantomData<(fn() -> K, C)>,
);

impl<K, const EXECUTORS: usize, const BUCKETS: usize, C> Configured<K, EXECUTORS, BUCKETS, C> {
    pub(super) const INFO: Self = Self(PhantomData);
}

impl<K, const EXECUTORS: usize, const BUCKETS: usize, C> fmt::Debug for Configured<K, EXECUTORS, BUCKETS, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Configured")
    }
}

impl<K, const EXECUTORS: usize, const BUCKETS: usize, C> Deref for Configured<K, EXECUTORS, BUCKETS, C>
where
    K: EmbassyConfig<EXECUTORS, BUCKETS>,
{
    type Target = RegistryInfo<&'static str>;

    #[inline(always)]
    fn deref(&self) -> &Self::Target {
        const { &K::REGISTRY }.info()
    }
}

impl<K, const EXECUTORS: usize, const BUCKETS: usize, C> BucketWidth for Configured<K, EXECUTORS, BUCKETS, C>
where
    K: EmbassyConfig<EXECUTORS, BUCKETS>,
    C: BucketWidth,
{
    type Cell = C::Cell;
    type Info = Self;
}
