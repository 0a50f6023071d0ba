//! A list of named runtimes, so that code that did not build a runtime can find its metrics.

use core::fmt;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use metrics_core::{Probe, RegistryRef, RuntimeMetrics};

use crate::{ProcessProbe, Registry};

/// A list of runtimes by name, for code that has no reader of its own. Clones share the list.
///
/// ```
/// use metrics_std::{Builder, Clock, Runtimes, build_wrapped};
///
/// let metrics = build_wrapped(Builder::new().name("images"), Clock::new())?;
/// Runtimes::process().add(&metrics)?;
/// // Elsewhere in the process, such as in a library:
/// let found = Runtimes::process().get("images").unwrap();
/// assert_eq!(found.poll_count(), Ok(Some(0)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The list contains only the runtimes that your code adds. Recording and exporting do not need it. It holds readers, which do not keep
/// their runtimes alive.
///
/// [`new`](Self::new) returns a list of the readers that this crate builds. For readers of another registry or probe, name both types:
/// `Runtimes::<R, P>::default()`.
pub struct Runtimes<R = Arc<Registry>, P = ProcessProbe>(Arc<RwLock<Vec<RuntimeMetrics<R, P>>>>);

static PROCESS: LazyLock<Runtimes> = LazyLock::new(Runtimes::new);

/// The error of [`Runtimes::add`]: the list already contains a runtime with this name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NameTaken {
    /// The name.
    pub name: String,
}

impl fmt::Display for NameTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a runtime named {:?} is already listed: give each runtime its own name, or remove the first one",
            self.name
        )
    }
}

impl core::error::Error for NameTaken {}

impl Runtimes {
    /// Creates an empty list, independent of the [process](Self::process) list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the list that all code in this process shares.
    pub fn process() -> &'static Self {
        &PROCESS
    }
}

impl<R: RegistryRef, P: Probe + Clone> Runtimes<R, P> {
    /// Adds a runtime under the name of its registry.
    ///
    /// # Errors
    /// Returns [`NameTaken`] if the list already contains a runtime with that name.
    pub fn add(&self, metrics: &RuntimeMetrics<R, P>) -> Result<(), NameTaken> {
        let mut list = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if list.iter().any(|listed| listed.name() == metrics.name()) {
            return Err(NameTaken {
                name: metrics.name().into(),
            });
        }
        list.push(metrics.clone());
        Ok(())
    }

    /// Removes a runtime from the list and returns its reader, which remains usable. Returns `None` if no runtime has this name.
    pub fn remove(&self, name: &str) -> Option<RuntimeMetrics<R, P>> {
        let mut list = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let place = list.iter().position(|listed| listed.name() == name)?;
        Some(list.remove(place))
    }

    /// Returns a reader of the runtime with this name.
    pub fn get(&self, name: &str) -> Option<RuntimeMetrics<R, P>> {
        let list = self.0.read().unwrap_or_else(PoisonError::into_inner);
        list.iter().find(|listed| listed.name() == name).cloned()
    }

    /// Returns a reader of every listed runtime, in the order in which they were added.
    pub fn all(&self) -> Vec<RuntimeMetrics<R, P>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<R: RegistryRef, P> Clone for Runtimes<R, P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R: RegistryRef, P> Default for Runtimes<R, P> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<R: RegistryRef, P: Probe> fmt::Debug for Runtimes<R, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let names = list.iter().map(RuntimeMetrics::name);
        f.write_str("Runtimes")?;
        f.debug_list().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, Clock, build_wrapped};
    use metrics_core::{NoClock, NoProbe};

    fn named(name: &str) -> crate::RuntimeMetrics {
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
        Runtimes::process().add(&named("listed for all")).unwrap();
        assert!(Runtimes::process().get("listed for all").is_some());
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

    #[test]
    fn any_kind_of_registry_can_be_listed() {
        let registry = Builder::new().name("own").build(NoClock).unwrap();
        let list = Runtimes::<_, NoProbe>::default();
        list.add(&RuntimeMetrics::new(registry)).unwrap();
        assert_eq!(list.get("own").unwrap().name(), "own");
        assert_eq!(format!("{list:?}"), r#"Runtimes["own"]"#);
    }
}
