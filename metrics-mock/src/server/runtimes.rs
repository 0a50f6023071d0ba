//! Several named runtimes of one process, found by who did not build them. This is metrics-std's own file.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use crate::RuntimeMetrics;

/// A list of runtimes by name. Cheap to clone; clones share the list.
///
/// Nothing is listed unless somebody adds it: a registry, its wrappers and its exporters work without. The list holds
/// readers, which keep no runtime alive.
#[derive(Clone, Debug, Default)]
pub struct Runtimes(Arc<RwLock<Vec<RuntimeMetrics>>>);

/// The list of the process.
static PROCESS: std::sync::LazyLock<Runtimes> = std::sync::LazyLock::new(Runtimes::new);

/// A runtime of that name is in the list already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameTaken {
    /// The name.
    pub name: String,
}

impl fmt::Display for NameTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a runtime named {:?} is listed already: give each its own name, or remove the first",
            self.name
        )
    }
}

impl core::error::Error for NameTaken {}

impl Runtimes {
    /// An empty list of one's own.
    pub fn new() -> Self {
        Self::default()
    }

    /// The one list of this process, for those who want one.
    pub fn process() -> &'static Self {
        &PROCESS
    }

    /// Lists a runtime under its name.
    ///
    /// # Errors
    /// [`NameTaken`] if one of that name is listed.
    pub fn add(&self, metrics: &RuntimeMetrics) -> Result<(), NameTaken> {
        let mut list = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if list.iter().any(|listed| listed.name() == metrics.name()) {
            return Err(NameTaken {
                name: metrics.name().into(),
            });
        }
        list.push(metrics.clone());
        Ok(())
    }

    /// Takes a runtime off the list. Its reader goes on working.
    pub fn remove(&self, name: &str) -> Option<RuntimeMetrics> {
        let mut list = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let place = list.iter().position(|listed| listed.name() == name)?;
        Some(list.remove(place))
    }

    /// The reader of the runtime of that name.
    pub fn get(&self, name: &str) -> Option<RuntimeMetrics> {
        let list = self.0.read().unwrap_or_else(PoisonError::into_inner);
        list.iter().find(|listed| listed.name() == name).cloned()
    }

    /// Every reader, in the order in which they were added.
    pub fn all(&self) -> Vec<RuntimeMetrics> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
