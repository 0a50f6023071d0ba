//! The callbacks of a runtime: those of the user and those that record.

use tokio::runtime::Builder;

use super::installed::Installed;
use super::thread_hooks::ThreadHooks;

pub(super) type Callback = Box<dyn Fn() + Send + Sync>;

/// The callbacks of each event, in call order.
#[derive(Default)]
pub(super) struct Callbacks {
    pub(super) start: Vec<Callback>,
    pub(super) stop: Vec<Callback>,
    pub(super) park: Vec<Callback>,
    pub(super) unpark: Vec<Callback>,
    #[cfg(tokio_unstable)]
    pub(super) tasks: super::task_hooks::TaskCallbacks,
}

impl Callbacks {
    pub(super) fn is_empty(&self) -> bool {
        let threads = [&self.start, &self.stop, &self.park, &self.unpark];
        #[cfg(tokio_unstable)]
        if !self.tasks.is_empty() {
            return false;
        }
        threads.iter().all(|callbacks| callbacks.is_empty())
    }

    /// Adds the callbacks that record. A worker is busy from before the user's unpark callbacks to after the user's park callbacks.
    pub(super) fn record(&mut self, hooks: &ThreadHooks) {
        let start = hooks.clone();
        self.start.insert(0, Box::new(move || start.start()));
        let stop = hooks.clone();
        self.stop.push(Box::new(move || stop.stop()));
        let park = hooks.clone();
        self.park.push(Box::new(move || park.park()));
        let unpark = hooks.clone();
        self.unpark.insert(0, Box::new(move || unpark.unpark()));
        #[cfg(tokio_unstable)]
        self.tasks.record(&hooks.target);
    }

    /// Installs the callbacks in Tokio's builder until the guard is dropped. For an event without callbacks, the builder keeps its own.
    pub(super) fn install(self, builder: &mut Builder) -> Installed<'_> {
        let mut installed = Installed::new(builder);
        if !self.start.is_empty() {
            installed.builder.on_thread_start(move || call(&self.start));
            installed.remove_by(|builder| builder.on_thread_start(|| ()));
        }
        if !self.stop.is_empty() {
            installed.builder.on_thread_stop(move || call(&self.stop));
            installed.remove_by(|builder| builder.on_thread_stop(|| ()));
        }
        if !self.park.is_empty() {
            installed.builder.on_thread_park(move || call(&self.park));
            installed.remove_by(|builder| builder.on_thread_park(|| ()));
        }
        if !self.unpark.is_empty() {
            installed.builder.on_thread_unpark(move || call(&self.unpark));
            installed.remove_by(|builder| builder.on_thread_unpark(|| ()));
        }
        #[cfg(tokio_unstable)]
        self.tasks.install(&mut installed);
        installed
    }
}

fn call(callbacks: &[Callback]) {
    for callback in callbacks {
        callback();
    }
}
