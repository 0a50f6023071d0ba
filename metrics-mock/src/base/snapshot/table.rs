//! A table without a row.

use core::fmt;
use core::marker::PhantomData;

use metrics_core::Storage;

use super::Snapshot;

/// A [`Snapshot`] as a table: no text, because it has no worker.
#[derive(Debug)]
pub struct Table<'a, S: Storage>(PhantomData<&'a Snapshot<S>>);

impl<S: Storage> Table<'_, S> {
    pub(super) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<S: Storage> fmt::Display for Table<'_, S> {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}
