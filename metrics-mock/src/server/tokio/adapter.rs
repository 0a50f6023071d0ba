//! Building a Tokio runtime as it was described.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use tokio::runtime::{LocalOptions, LocalRuntime, Runtime};

use crate::base::Builder;
use crate::server::{BuildError, Clock, RuntimeMetrics, build_wrapped};

type Callback = Box<dyn Fn() + Send + Sync>;
#[cfg(tokio_unstable)]
type TaskCallback = Box<dyn Fn(&tokio::runtime::TaskMeta<'_>) + Send + Sync>;

/// Builds Tokio runtimes. It keeps the name and the callbacks that it is given, and sets no other.
#[must_use = "an adapter does nothing until `build` is called"]
pub struct TokioAdapter<'a> {
    description: Builder<'a>,
    callbacks: Callbacks,
}

/// The user's own. A list that is empty leaves Tokio's hook as it is.
#[derive(Default)]
struct Callbacks {
    start: Vec<Callback>,
    stop: Vec<Callback>,
    park: Vec<Callback>,
    unpark: Vec<Callback>,
    #[cfg(tokio_unstable)]
    spawn: Vec<TaskCallback>,
    #[cfg(tokio_unstable)]
    before_poll: Vec<TaskCallback>,
    #[cfg(tokio_unstable)]
    after_poll: Vec<TaskCallback>,
    #[cfg(tokio_unstable)]
    terminate: Vec<TaskCallback>,
}

impl<'a> TokioAdapter<'a> {
    /// An adapter without callbacks.
    pub fn builder() -> Self {
        Self {
            description: Builder::new(),
            callbacks: Callbacks::default(),
        }
    }

    /// The runtime's name.
    pub fn name(mut self, name: &'a str) -> Self {
        self.description = self.description.name(name);
        self
    }

    /// Changes the description, of which the name is kept.
    pub fn configure(mut self, change: impl FnOnce(Builder<'a>) -> Builder<'a>) -> Self {
        self.description = change(self.description);
        self
    }

    /// The clock: not kept.
    pub fn clock(self, _clock: Clock) -> Self {
        self
    }

    /// Calls `callback` as Tokio's `Builder::on_thread_start` does. May be given several times: all are called, in order.
    pub fn on_thread_start(mut self, callback: impl Fn() + Send + Sync + 'static) -> Self {
        self.callbacks.start.push(Box::new(callback));
        self
    }

    /// Calls `callback` as Tokio's `Builder::on_thread_stop` does. May be given several times: all are called, in order.
    pub fn on_thread_stop(mut self, callback: impl Fn() + Send + Sync + 'static) -> Self {
        self.callbacks.stop.push(Box::new(callback));
        self
    }

    /// Calls `callback` as Tokio's `Builder::on_thread_park` does. May be given several times: all are called, in order.
    pub fn on_thread_park(mut self, callback: impl Fn() + Send + Sync + 'static) -> Self {
        self.callbacks.park.push(Box::new(callback));
        self
    }

    /// Calls `callback` as Tokio's `Builder::on_thread_unpark` does. May be given several times: all are called, in order.
    pub fn on_thread_unpark(mut self, callback: impl Fn() + Send + Sync + 'static) -> Self {
        self.callbacks.unpark.push(Box::new(callback));
        self
    }

    /// Calls `callback` as Tokio's `Builder::on_task_spawn` does. May be given several times: all are called, in order.
    #[cfg(tokio_unstable)]
    pub fn on_task_spawn(
        mut self,
        callback: impl Fn(&tokio::runtime::TaskMeta<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.callbacks.spawn.push(Box::new(callback));
        self
    }

    /// Calls `callback` as Tokio's `Builder::on_before_task_poll` does. May be given several times: all are called, in order.
    #[cfg(tokio_unstable)]
    pub fn on_before_task_poll(
        mut self,
        callback: impl Fn(&tokio::runtime::TaskMeta<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.callbacks.before_poll.push(Box::new(callback));
        self
    }

    /// Calls `callback` as Tokio's `Builder::on_after_task_poll` does. May be given several times: all are called, in order.
    #[cfg(tokio_unstable)]
    pub fn on_after_task_poll(
        mut self,
        callback: impl Fn(&tokio::runtime::TaskMeta<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.callbacks.after_poll.push(Box::new(callback));
        self
    }

    /// Calls `callback` as Tokio's `Builder::on_task_terminate` does. May be given several times: all are called, in order.
    #[cfg(tokio_unstable)]
    pub fn on_task_terminate(
        mut self,
        callback: impl Fn(&tokio::runtime::TaskMeta<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.callbacks.terminate.push(Box::new(callback));
        self
    }

    /// Builds the runtime that `builder` describes, with the callbacks given here, and a reader.
    ///
    /// # Errors
    /// [`BuildError::Runtime`] where Tokio could not build the runtime.
    pub fn build(
        self,
        builder: &mut tokio::runtime::Builder,
    ) -> Result<(Runtime, RuntimeMetrics), BuildError> {
        self.callbacks.install(builder);
        let runtime = builder.build()?;
        Ok((runtime, reader(self.description)?))
    }

    /// The same for a [`LocalRuntime`], whose tasks need not be `Send`.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    ///
    /// # Panics
    /// If `builder` is one of the multi-thread flavour, as Tokio's `build_local` does.
    pub fn build_local(
        self,
        builder: &mut tokio::runtime::Builder,
        options: LocalOptions,
    ) -> Result<(LocalRuntime, RuntimeMetrics), BuildError> {
        self.callbacks.install(builder);
        let runtime = builder.build_local(options)?;
        Ok((runtime, reader(self.description)?))
    }
}

impl Callbacks {
    fn install(self, builder: &mut tokio::runtime::Builder) {
        if !self.start.is_empty() {
            builder.on_thread_start(move || call(&self.start));
        }
        if !self.stop.is_empty() {
            builder.on_thread_stop(move || call(&self.stop));
        }
        if !self.park.is_empty() {
            builder.on_thread_park(move || call(&self.park));
        }
        if !self.unpark.is_empty() {
            builder.on_thread_unpark(move || call(&self.unpark));
        }
        #[cfg(tokio_unstable)]
        if !self.spawn.is_empty() {
            builder.on_task_spawn(move |meta| call_with(&self.spawn, meta));
        }
        #[cfg(tokio_unstable)]
        if !self.before_poll.is_empty() {
            builder.on_before_task_poll(move |meta| call_with(&self.before_poll, meta));
        }
        #[cfg(tokio_unstable)]
        if !self.after_poll.is_empty() {
            builder.on_after_task_poll(move |meta| call_with(&self.after_poll, meta));
        }
        #[cfg(tokio_unstable)]
        if !self.terminate.is_empty() {
            builder.on_task_terminate(move |meta| call_with(&self.terminate, meta));
        }
    }
}

fn call(callbacks: &[Callback]) {
    for callback in callbacks {
        callback();
    }
}

#[cfg(tokio_unstable)]
fn call_with(callbacks: &[TaskCallback], meta: &tokio::runtime::TaskMeta<'_>) {
    for callback in callbacks {
        callback(meta);
    }
}

fn reader(description: Builder<'_>) -> Result<RuntimeMetrics, BuildError> {
    build_wrapped(description.workers(1), Clock::new())
}

impl fmt::Debug for TokioAdapter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokioAdapter").finish_non_exhaustive()
    }
}
