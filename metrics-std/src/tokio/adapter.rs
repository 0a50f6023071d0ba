//! Building a Tokio runtime that is measured.

use std::sync::Arc;

use metrics_core::{Builder, Counter, CounterSet, HistogramConfig, RECORDING, Supplies};
use tokio::runtime::{Handle, LocalOptions, LocalRuntime, Runtime};

use super::probe::TokioProbe;
use crate::Clock;
use crate::build::{BuildError, RuntimeMetrics, stamped};
use crate::process_probe::Host;
use crate::record::lease as current;
use crate::record::target::Home;

type Callback = Box<dyn Fn() + Send + Sync>;

/// Builds Tokio runtimes that are measured.
///
/// With nothing said: a runtime named `main`, the machine's best clock, and histograms of poll time, schedule latency and blocking-queue
/// wait in the default layout.
#[must_use = "an adapter does nothing until `build` is called"]
pub struct TokioAdapter<'a> {
    description: Builder<'a>,
    clock: Option<Clock>,
    callbacks: Callbacks,
}

/// The user's own, which the adapter's call.
#[derive(Default)]
struct Callbacks {
    start: Vec<Callback>,
    stop: Vec<Callback>,
    park: Vec<Callback>,
    unpark: Vec<Callback>,
    #[cfg(tokio_unstable)]
    tasks: super::hooks::TaskCallbacks,
}

impl<'a> TokioAdapter<'a> {
    /// An adapter with every default.
    pub fn builder() -> Self {
        let description = Builder::new()
            .poll_time(HistogramConfig::DEFAULT)
            .schedule_latency(HistogramConfig::DEFAULT)
            .blocking_queue_wait(HistogramConfig::DEFAULT);
        Self {
            description,
            clock: None,
            callbacks: Callbacks::default(),
        }
    }

    /// The runtime's name, by which exporters tell several apart.
    pub fn name(mut self, name: &'a str) -> Self {
        self.description = self.description.name(name);
        self
    }

    /// What is measured and how: histograms, sampling, the submit interval.
    ///
    /// It changes the description that this adapter starts from. What that says of workers and of what the runtime supplies is replaced by what
    /// Tokio has.
    pub fn configure(mut self, change: impl FnOnce(Builder<'a>) -> Builder<'a>) -> Self {
        self.description = change(self.description);
        self
    }

    /// The clock, by default [`Clock::new`].
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
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

    /// Calls `callback` as Tokio's `Builder::on_thread_park` does, while the worker still counts as busy. May be given several times:
    /// all are called, in order.
    pub fn on_thread_park(mut self, callback: impl Fn() + Send + Sync + 'static) -> Self {
        self.callbacks.park.push(Box::new(callback));
        self
    }

    /// Calls `callback` as Tokio's `Builder::on_thread_unpark` does, when the worker counts as busy again. May be given several times:
    /// all are called, in order.
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
        self.callbacks.tasks.spawn.push(Box::new(callback));
        self
    }

    /// Calls `callback` as Tokio's `Builder::on_before_task_poll` does. May be given several times: all are called, in order.
    #[cfg(tokio_unstable)]
    pub fn on_before_task_poll(
        mut self,
        callback: impl Fn(&tokio::runtime::TaskMeta<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.callbacks.tasks.before_poll.push(Box::new(callback));
        self
    }

    /// Calls `callback` as Tokio's `Builder::on_after_task_poll` does. May be given several times: all are called, in order.
    #[cfg(tokio_unstable)]
    pub fn on_after_task_poll(
        mut self,
        callback: impl Fn(&tokio::runtime::TaskMeta<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.callbacks.tasks.after_poll.push(Box::new(callback));
        self
    }

    /// Calls `callback` as Tokio's `Builder::on_task_terminate` does. May be given several times: all are called, in order.
    #[cfg(tokio_unstable)]
    pub fn on_task_terminate(
        mut self,
        callback: impl Fn(&tokio::runtime::TaskMeta<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.callbacks.tasks.terminate.push(Box::new(callback));
        self
    }

    /// Builds the runtime of either flavour that `builder` describes, and its reader.
    ///
    /// The builder's hooks become the adapter's, those of threads and, under `--cfg tokio_unstable`, those of tasks.
    ///
    /// # Errors
    /// [`BuildError::Config`] where the description can't work, [`BuildError::Runtime`] where Tokio could not build the runtime.
    pub fn build(
        self,
        builder: &mut tokio::runtime::Builder,
    ) -> Result<(Runtime, RuntimeMetrics), BuildError> {
        let home = self.install(builder)?;
        let runtime = builder.build()?;
        let metrics = finish(&home, runtime.handle());
        Ok((runtime, metrics))
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
        let home = self.install(builder)?;
        let runtime = builder.build_local(options)?;
        let metrics = finish(&home, runtime.handle());
        Ok((runtime, metrics))
    }

    /// Hands the hooks to Tokio. They hold the home and nothing of the runtime, which holds them.
    fn install(self, builder: &mut tokio::runtime::Builder) -> Result<Arc<Home>, BuildError> {
        let description = self
            .description
            .workers(1)
            .counters(supplied())
            .supplies(Supplies::NONE.tasks(true));
        let registry = stamped(description).build(self.clock.unwrap_or_default())?;
        let home = Arc::new(Home::of_tokio(registry));
        #[cfg(tokio_unstable)]
        if home.registry.schedule_latency_config().is_some() {
            builder.track_task_schedule_latency();
        }
        let mut callbacks = self.callbacks;
        if RECORDING {
            callbacks.record(&home);
        }
        callbacks.install(builder);
        Ok(home)
    }
}

impl Callbacks {
    /// Ours beside the user's: a worker is busy from before the user's unpark to after the user's park.
    fn record(&mut self, home: &Arc<Home>) {
        let registry = Arc::clone(&home.registry);
        self.stop.push(Box::new(move || current::release(&registry)));
        let park = Arc::clone(home);
        self.park.push(Box::new(move || {
            if let Some(host) = &park.tokio {
                host.park(&park);
            }
        }));
        let unpark = Arc::clone(home);
        self.unpark.insert(
            0,
            Box::new(move || {
                if let Some(host) = &unpark.tokio {
                    host.unpark(&unpark);
                }
            }),
        );
        #[cfg(tokio_unstable)]
        self.tasks.record(home);
    }

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
        self.tasks.install(builder);
    }
}

impl core::fmt::Debug for TokioAdapter<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TokioAdapter")
            .field("description", &self.description)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

fn call(callbacks: &[Callback]) {
    for callback in callbacks {
        callback();
    }
}

/// What hooks and wrappers move. The rest is Tokio's own, or nobody's.
fn supplied() -> CounterSet {
    CounterSet::of(&[
        Counter::BusyDurationTotal,
        Counter::ParkCount,
        Counter::ParkUnparkCount,
        Counter::PollCount,
        Counter::BudgetForcedYieldCount,
        Counter::RootPolls,
        Counter::NestedPolls,
    ])
}

fn finish(home: &Arc<Home>, runtime: &Handle) -> RuntimeMetrics {
    if let Some(host) = &home.tokio {
        host.learn(runtime);
    }
    let host = Host::of_tokio(Arc::clone(home), TokioProbe::new(runtime));
    RuntimeMetrics::with_probe(Arc::clone(&home.registry), host)
}
