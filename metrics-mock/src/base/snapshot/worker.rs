//! A worker in a snapshot: there is none.

use core::convert::Infallible;
use core::marker::PhantomData;
use core::ops::Deref;
use core::time::Duration;

use metrics_core::{LiveRecord, Site, Staleness, Storage, WorkerState};

use super::measurements::Measurements;

/// One worker of a snapshot. No snapshot has any, so no value of this type exists.
#[derive(Debug)]
pub struct WorkerSnapshot<S: Storage> {
    never: Infallible,
    storage: PhantomData<S>,
}

impl<S: Storage> Clone for WorkerSnapshot<S> {
    fn clone(&self) -> Self {
        match self.never {}
    }
}

impl<S: Storage> Deref for WorkerSnapshot<S> {
    type Target = Measurements<S>;

    fn deref(&self) -> &Measurements<S> {
        match self.never {}
    }
}

macro_rules! never {
    ($($name:ident -> $out:ty;)*) => {
        impl<S: Storage> WorkerSnapshot<S> {
            $(
                /// Never called: no value exists.
                pub fn $name(&self) -> $out {
                    match self.never {}
                }
            )*
        }
    };
}

never! {
    index -> usize;
    live -> Option<&LiveRecord>;
    state -> WorkerState;
    site -> Site;
    site_name -> &str;
    state_for -> Option<Duration>;
    busy_in_progress -> Option<Duration>;
    local_queue_depth -> Option<u64>;
    thread -> Option<u64>;
    thread_name -> &str;
    staleness -> Option<Staleness>;
}
