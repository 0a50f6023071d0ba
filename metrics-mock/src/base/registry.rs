//! One runtime's metrics: none.

use alloc::borrow::Cow;
use alloc::sync::Arc;
use core::marker::PhantomData;
use core::ops::Deref;
use core::time::Duration;

use metrics_core::{BucketWidth, Fixed, HistogramConfig, Storage, TimeScale, TimeSource};

use super::builder::Description;
use super::direct::DirectWorker;
use super::options::Options;
use super::shared::SharedCounters;
use super::stamp::WakeStamp;

/// What workers would write and readers read. It keeps the name, the clock and the number of
/// workers that it was given.
#[derive(Debug)]
pub struct Registry<S: Storage, T> {
    name: Cow<'static, str>,
    workers: usize,
    clock: T,
    storage: PhantomData<S>,
}

/// A registry and how it is held: an `Arc` on a server, a `&'static` in firmware.
pub trait RegistryRef: Clone + Deref<Target = Registry<Self::Storage, Self::Clock>> {
    /// Where its slots would live.
    type Storage: Storage;
    /// Its clock.
    type Clock: TimeSource;
}

impl<S: Storage, T: TimeSource> RegistryRef for &'static Registry<S, T> {
    type Storage = S;
    type Clock = T;
}

impl<S: Storage, T: TimeSource> RegistryRef for Arc<Registry<S, T>> {
    type Storage = S;
    type Clock = T;
}

impl<S: Storage, T> Registry<S, T> {
    pub(crate) const fn of(name: Cow<'static, str>, workers: usize, clock: T) -> Self {
        Self {
            name,
            workers,
            clock,
            storage: PhantomData,
        }
    }
}

impl<S: Storage, T: TimeSource> Registry<S, T> {
    /// The runtime's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The switches, which switch nothing.
    pub fn options(&self) -> &Options {
        Options::NONE
    }

    /// The clock that it was given. Nothing here reads it.
    pub fn clock(&self) -> &T {
        &self.clock
    }

    /// A scale on which every difference is zero.
    pub fn scale(&self) -> &TimeScale {
        const { &TimeScale::new(0) }
    }

    /// False: nothing is timed.
    pub fn is_timed(&self) -> bool {
        false
    }

    /// Zero, as without a clock.
    pub fn resolution(&self) -> Duration {
        Duration::ZERO
    }

    /// Workers the registry was built for.
    pub fn num_workers(&self) -> usize {
        self.workers
    }

    /// Stamps nothing.
    #[inline(always)]
    pub fn stamp(&self, _stamp: &WakeStamp) {}

    /// `None`: there is no histogram.
    pub fn poll_time_config(&self) -> Option<&HistogramConfig> {
        None
    }

    /// `None`: there is no histogram.
    pub fn schedule_latency_config(&self) -> Option<&HistogramConfig> {
        None
    }

    /// `None`: there is no histogram.
    pub fn blocking_queue_wait_config(&self) -> Option<&HistogramConfig> {
        None
    }

    /// The counters of those who are on no worker, which count nothing.
    #[inline(always)]
    pub fn shared(&self) -> SharedCounters<'_, S> {
        SharedCounters::new()
    }
}

impl<T, const WORKERS: usize, const BUCKETS: usize, C: BucketWidth> Registry<Fixed<WORKERS, BUCKETS, C>, T> {
    /// A registry for a `static`.
    pub const fn new(description: &'static Description<WORKERS, BUCKETS>, clock: T) -> Self {
        Self::of(Cow::Borrowed(description.name), WORKERS, clock)
    }
}

impl<T: TimeSource, const WORKERS: usize, const BUCKETS: usize, C: BucketWidth>
    Registry<Fixed<WORKERS, BUCKETS, C>, T>
{
    /// The writer of worker `index`, or `None` past the last.
    pub fn worker(&'static self, index: usize) -> Option<DirectWorker<T, WORKERS, BUCKETS, C>> {
        (index < WORKERS).then(DirectWorker::new)
    }
}
