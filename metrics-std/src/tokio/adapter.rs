//! [`TokioAdapter`] builds measured Tokio runtimes.

use std::path::PathBuf;
use std::sync::Arc;

use metrics_core::{Builder, ConfigError, HistogramConfig, MetricSet, RECORDING, WorkerNumber};
use tokio::runtime::{Handle, LocalOptions, LocalRuntime};

use super::add_runtime::{add, find_or_add};
use super::attach_error::AttachError;
use super::callbacks::Callbacks;
use super::installed::Installed;
use super::leases::TokioLeases;
use super::measured_runtime::MeasuredRuntime;
use super::thread_hooks::ThreadHooks;
use crate::Clock;
use crate::build::{BuildError, Registry, stamped};
use crate::os::Os;
use crate::record::runtime_leases::RuntimeLeases;
use crate::record::target::RecordingTarget;

/// Builds a measured Tokio runtime from a Tokio builder, and a reader of its metrics.
///
/// ```
/// use metrics_std::tokio::{MeasuredRuntime, TokioAdapter};
/// use tokio::runtime::Builder;
///
/// let adapter = TokioAdapter::builder().name("api");
/// let MeasuredRuntime { runtime, metrics, spawner } = adapter.build(Builder::new_multi_thread().enable_all())?;
/// runtime.block_on(spawner.spawn(async {}))?;
/// assert_eq!(metrics.completed_tasks_count(), Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// By default the runtime is named `main` and uses the best clock of the machine ([`Clock::new`]). Poll time, schedule latency and
/// blocking-queue wait each have a histogram in the default layout.
#[must_use = "an adapter does nothing until `build` is called"]
pub struct TokioAdapter<'a> {
    builder: Builder<'a>,
    clock: Option<Clock>,
    callbacks: Callbacks,
    os_root: PathBuf,
}

impl<'a> TokioAdapter<'a> {
    /// Creates an adapter with the default configuration.
    pub fn builder() -> Self {
        let builder = Builder::new()
            .poll_time(HistogramConfig::DEFAULT)
            .schedule_latency(HistogramConfig::DEFAULT)
            .blocking_queue_wait(HistogramConfig::DEFAULT);
        Self {
            builder,
            clock: None,
            callbacks: Callbacks::default(),
            os_root: PathBuf::from("/"),
        }
    }

    /// Sets the name by which exporters distinguish this runtime from others. The default is `main`.
    pub fn name(mut self, name: &'a str) -> Self {
        self.builder = self.builder.name(name);
        self
    }

    /// Changes the configuration of the metrics: histograms, sampling, the submit interval.
    ///
    /// `change` receives the adapter's current configuration. [`build`](Self::build) replaces the workers and the measured metrics in it
    /// by those of Tokio.
    pub fn configure(mut self, change: impl FnOnce(Builder<'a>) -> Builder<'a>) -> Self {
        self.builder = change(self.builder);
        self
    }

    /// Sets the clock. The default is [`Clock::new`].
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Sets the directory that contains the operating system's directories `proc` and `sys`. The default is `/`.
    ///
    /// The times of the workers' threads and the throttling of the cgroup are read there. If a container hides the cgroup and mounts the
    /// directories of the host as `/host/proc` and `/host/sys`, use `/host`: the throttling is then known. The times of the threads also
    /// need the process IDs of the host. If several calls attach to one runtime, the first sets it.
    pub fn os_root(mut self, root: impl Into<PathBuf>) -> Self {
        self.os_root = root.into();
        self
    }

    /// Calls `callback` as Tokio's `Builder::on_thread_start` does. If set several times, all callbacks are called in order.
    pub fn on_thread_start(mut self, callback: impl Fn() + Send + Sync + 'static) -> Self {
        self.callbacks.start.push(Box::new(callback));
        self
    }

    /// Calls `callback` as Tokio's `Builder::on_thread_stop` does. If set several times, all callbacks are called in order.
    pub fn on_thread_stop(mut self, callback: impl Fn() + Send + Sync + 'static) -> Self {
        self.callbacks.stop.push(Box::new(callback));
        self
    }

    /// Calls `callback` as Tokio's `Builder::on_thread_park` does, while the worker still counts as busy. If set several
    /// times, all callbacks are called in order.
    pub fn on_thread_park(mut self, callback: impl Fn() + Send + Sync + 'static) -> Self {
        self.callbacks.park.push(Box::new(callback));
        self
    }

    /// Calls `callback` as Tokio's `Builder::on_thread_unpark` does, when the worker counts as busy again. If set several
    /// times, all callbacks are called in order.
    pub fn on_thread_unpark(mut self, callback: impl Fn() + Send + Sync + 'static) -> Self {
        self.callbacks.unpark.push(Box::new(callback));
        self
    }

    /// Calls `callback` as Tokio's `Builder::on_task_spawn` does. If set several times, all callbacks are called in order.
    #[cfg(tokio_unstable)]
    pub fn on_task_spawn(
        mut self,
        callback: impl Fn(&tokio::runtime::TaskMeta<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.callbacks.tasks.spawn.push(Box::new(callback));
        self
    }

    /// Calls `callback` as Tokio's `Builder::on_before_task_poll` does. If set several times, all callbacks are called in order.
    #[cfg(tokio_unstable)]
    pub fn on_before_task_poll(
        mut self,
        callback: impl Fn(&tokio::runtime::TaskMeta<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.callbacks.tasks.before_poll.push(Box::new(callback));
        self
    }

    /// Calls `callback` as Tokio's `Builder::on_after_task_poll` does. If set several times, all callbacks are called in order.
    #[cfg(tokio_unstable)]
    pub fn on_after_task_poll(
        mut self,
        callback: impl Fn(&tokio::runtime::TaskMeta<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.callbacks.tasks.after_poll.push(Box::new(callback));
        self
    }

    /// Calls `callback` as Tokio's `Builder::on_task_terminate` does. If set several times, all callbacks are called in order.
    #[cfg(tokio_unstable)]
    pub fn on_task_terminate(
        mut self,
        callback: impl Fn(&tokio::runtime::TaskMeta<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.callbacks.tasks.terminate.push(Box::new(callback));
        self
    }

    /// Builds the runtime that `builder` describes, of either flavour, and a reader of its metrics.
    ///
    /// The adapter replaces the builder's thread hooks and, under `--cfg tokio_unstable`, its task hooks. It removes its hooks before it
    /// returns, so that another runtime from the same builder does not call them.
    ///
    /// # Errors
    /// Returns [`BuildError::Config`] if the configuration is invalid, and [`BuildError::Runtime`] if Tokio can't build the runtime.
    pub fn build(self, builder: &mut tokio::runtime::Builder) -> Result<MeasuredRuntime, BuildError> {
        let os = Os::at(&self.os_root);
        let (hooks, installed) = self.install(builder, false)?;
        let runtime = installed.builder.build()?;
        let metrics = add(runtime.handle(), &hooks.target, &hooks.leases, os);
        Ok(MeasuredRuntime::new(&runtime.handle().clone(), runtime, metrics))
    }

    /// Builds a [`LocalRuntime`], whose tasks need not be `Send`, and a reader of its metrics. Otherwise behaves as [`build`](Self::build).
    ///
    /// # Errors
    /// Returns the errors of [`build`](Self::build).
    ///
    /// # Panics
    /// Panics if `builder` is of the multi-thread flavour, as Tokio's `build_local` does.
    pub fn build_local(
        self,
        builder: &mut tokio::runtime::Builder,
        options: LocalOptions,
    ) -> Result<MeasuredRuntime<LocalRuntime>, BuildError> {
        let os = Os::at(&self.os_root);
        let (hooks, installed) = self.install(builder, true)?;
        let runtime = installed.builder.build_local(options)?;
        let metrics = add(runtime.handle(), &hooks.target, &hooks.leases, os);
        Ok(MeasuredRuntime::new(&runtime.handle().clone(), runtime, metrics))
    }

    /// Attaches to a runtime that was built elsewhere. [`attach`](super::attach()) describes what is measured then.
    ///
    /// ```
    /// use metrics_std::tokio::TokioAdapter;
    ///
    /// let runtime = tokio::runtime::Runtime::new()?;
    /// let attached = TokioAdapter::builder().name("api").attach(runtime.handle())?;
    /// assert_eq!(attached.metrics.name(), "api");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns an [`AttachError`] if this adapter has callbacks, if the runtime is already measured with other options or has shut
    /// down, or if the configuration is invalid.
    pub fn attach(self, runtime: &Handle) -> Result<MeasuredRuntime<Handle>, AttachError> {
        if !self.callbacks.is_empty() {
            return Err(AttachError::Callbacks);
        }
        // Tokio counts parks, and no hook does.
        let parks = MetricSet::worker(&[WorkerNumber::ParkCount, WorkerNumber::ParkUnparkCount]);
        let registry = self.registry(measured().without(parks))?;
        let metrics = find_or_add(runtime, registry, Os::at(&self.os_root))?;
        Ok(MeasuredRuntime::new(runtime, runtime.clone(), metrics))
    }

    fn registry(&self, measured: MetricSet) -> Result<Arc<Registry>, ConfigError> {
        let builder = self.builder.clone().workers(1).measures(measured);
        stamped(builder).build(self.clock.clone().unwrap_or_default())
    }

    /// Installs the hooks in Tokio's builder. The hooks hold the recording target. They must not hold the runtime, which holds them.
    fn install(
        mut self,
        builder: &mut tokio::runtime::Builder,
        is_local: bool,
    ) -> Result<(ThreadHooks, Installed<'_>), BuildError> {
        // The task hooks report schedule latency as Tokio measured it, on the operating system's clock.
        if cfg!(tokio_unstable) && self.clock.as_ref().is_some_and(|clock| !clock.is_real_time()) {
            self.builder = self.builder.without_schedule_latency();
        }
        let registry = self.registry(measured())?;
        #[cfg(tokio_unstable)]
        if registry.schedule_latency_config().is_some() || registry.stamps_wakes() {
            builder.track_task_schedule_latency();
        }
        let leases = Arc::new(TokioLeases::hooked(&registry, is_local));
        let runtime: Arc<dyn RuntimeLeases> = Arc::<TokioLeases>::clone(&leases);
        let target = Arc::new(RecordingTarget::with_runtime(registry, runtime));
        let hooks = ThreadHooks { target, leases };
        let mut callbacks = self.callbacks;
        if RECORDING {
            callbacks.record(&hooks);
        }
        let installed = callbacks.install(builder);
        Ok((hooks, installed))
    }
}

impl core::fmt::Debug for TokioAdapter<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TokioAdapter")
            .field("builder", &self.builder)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

/// Returns the metrics that hooks and wrappers measure. Tokio itself reports the others. Roots are measured once one is wrapped.
fn measured() -> MetricSet {
    MetricSet::worker(&[
        WorkerNumber::ParkCount,
        WorkerNumber::ParkUnparkCount,
        WorkerNumber::PollCount,
        WorkerNumber::BudgetForcedYieldCount,
        WorkerNumber::NestedPolls,
    ])
    .union(MetricSet::TASKS)
}
