//! The callbacks that a builder has for one build.

use tokio::runtime::Builder;

/// Replaces what an event calls by a callback that does nothing: Tokio's builder can't take one off.
type Remover = fn(&mut Builder) -> &mut Builder;

/// A builder that has our callbacks. The drop, also after a build that failed or panicked, takes them off, so that the next runtime
/// from the same builder does not call them.
pub(super) struct Installed<'b> {
    pub(super) builder: &'b mut Builder,
    removers: Vec<Remover>,
}

impl<'b> Installed<'b> {
    pub(super) fn new(builder: &'b mut Builder) -> Self {
        Self {
            builder,
            removers: Vec::new(),
        }
    }

    pub(super) fn remove_by(&mut self, remover: Remover) {
        self.removers.push(remover);
    }
}

impl Drop for Installed<'_> {
    fn drop(&mut self) {
        for remover in &self.removers {
            remover(self.builder);
        }
    }
}
