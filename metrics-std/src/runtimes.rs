//! Several named runtimes of one process, found by who did not build them.

use core::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use crate::RuntimeMetrics;

/// A list of runtimes by name. Cheap to clone; clones share the list.
///
/// Nothing is listed unless somebody adds it: a registry, its wrappers and its exporters work without. The list holds
/// readers, which keep no runtime alive.
///
/// ```
/// use metrics_std::{Builder, Clock, Runtimes, build_wrapped};
///
/// let metrics = build_wrapped(Builder::new().name("images"), Clock::new())?;
/// Runtimes::process().add(&metrics)?;
/// // In a library that was given nothing:
/// let found = Runtimes::process().get("images").unwrap();
/// assert_eq!(found.poll_count(), Some(0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, Clock, build_wrapped};

    fn named(name: &str) -> RuntimeMetrics {
        build_wrapped(Builder::new().name(name), Clock::instant()).unwrap()
    }

    #[test]
    fn lists_are_apart_and_clones_share_theirs() {
        let list = Runtimes::new();
        list.clone().add(&named("one")).unwrap();
        list.add(&named("two")).unwrap();
        let names: Vec<_> = list
            .all()
            .iter()
            .map(|metrics| metrics.name().to_owned())
            .collect();
        assert_eq!(names, ["one", "two"]);
        assert!(Runtimes::new().all().is_empty());
        assert!(Runtimes::process().get("one").is_none());
    }

    #[test]
    fn a_name_is_listed_once_until_it_is_removed() {
        let list = Runtimes::new();
        list.add(&named("api")).unwrap();
        let error = list.add(&named("api")).unwrap_err();
        assert!(error.to_string().contains("\"api\""), "{error}");
        assert!(list.remove("api").is_some());
        assert!(list.remove("api").is_none());
        list.add(&named("api")).unwrap();
    }
}
