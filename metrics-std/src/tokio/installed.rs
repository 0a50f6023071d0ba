//! Installs callbacks in a Tokio builder for one build.

use tokio::runtime::Builder;

/// Replaces the callback of an event by one that does nothing: Tokio's builder can't remove a callback.
type Remover = fn(&mut Builder) -> &mut Builder;

/// A builder with the adapter's callbacks installed. Dropping it removes them, even after a failed or panicking build, so that the next
/// runtime from the same builder does not call them.
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
