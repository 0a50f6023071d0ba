//! Without recording, nothing is measured or kept, and callbacks and closures of the user are called as with recording.

use core::panic::{Location, RefUnwindSafe, UnwindSafe};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::{Arc, Mutex};

use metrics_core::{
    HeapStorage, NoClock, Registry, RuntimeNumber, StaticRegistryConfig, StaticStorage, Window, WorkerNumber,
};
use metrics_std::prometheus::{Format, RuntimeCollector};
use metrics_std::tokio::{MeasuredRuntime, Spawner, TokioAdapter};
use metrics_std::watchdog::watch_stalls;
use metrics_std::{
    Builder, Clock, HistogramConfig, Measured, MetricSet, NoProbe, PollStart, Probe, RECORDING,
    RuntimeHandles, RuntimeMetrics, Runtimes, Sampling, Snapshot, TaskEnd, TimeSource, Timestamp, WakeStamp,
    Worker,
};

/// A runtime with every option of the builder switched on.
fn runtime() -> RuntimeHandles {
    let builder = Builder::new()
        .measures(MetricSet::ALL)
        .name("mine")
        .workers(3)
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT)
        .blocking_queue_wait(HistogramConfig::DEFAULT);
    metrics_std::build(builder, Clock::new(), NoProbe).unwrap()
}

struct Array([u8; 64]);

impl Future for Array {
    type Output = u8;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u8> {
        Poll::Ready(self.0[0])
    }
}

#[cfg_attr(not(feature = "record"), test)]
fn the_constant_is_false() {
    const { assert!(RECORDING == cfg!(feature = "record")) }
    assert_eq!(metrics_core::RECORDING, cfg!(feature = "record"));
}

#[cfg_attr(not(feature = "record"), test)]
fn a_measured_future_has_the_size_of_the_future() {
    assert_eq!(size_of::<Measured<Array>>(), size_of::<Array>());
    assert_eq!(size_of::<WakeStamp>(), 0);
    assert_eq!(size_of::<Clock>(), 0);
    let metrics = runtime().metrics;
    let mut task = Box::pin(Measured::task(&metrics, Array([7; 64])));
    assert_eq!(
        task.as_mut().poll(&mut Context::from_waker(Waker::noop())),
        Poll::Ready(7)
    );
}

/// The auto traits of the types are those of a build with recording.
#[cfg_attr(not(feature = "record"), test)]
fn auto_traits_do_not_depend_on_the_feature() {
    trait NotSync<Yes> {
        fn check() {}
    }
    impl<V: ?Sized> NotSync<()> for V {}
    struct IsSync;
    impl<V: ?Sized + Sync> NotSync<IsSync> for V {}

    trait NotRefUnwindSafe<Yes> {
        fn check() {}
    }
    impl<V: ?Sized> NotRefUnwindSafe<()> for V {}
    struct IsRefUnwindSafe;
    impl<V: ?Sized + RefUnwindSafe> NotRefUnwindSafe<IsRefUnwindSafe> for V {}

    fn sendable<V: Send + Unpin>() {}
    fn shared<V: Send + Sync + Unpin>() {}
    fn unwinds<V: UnwindSafe + RefUnwindSafe>() {}

    sendable::<Worker>();
    // Each call is ambiguous, and so does not compile, if the type has the trait.
    <Worker as NotSync<_>>::check();
    <Worker as NotRefUnwindSafe<_>>::check();
    <Clock as NotRefUnwindSafe<_>>::check();
    <Measured<Array> as NotRefUnwindSafe<_>>::check();
    shared::<Clock>();
    shared::<RuntimeMetrics>();
    shared::<Spawner>();
    sendable::<Measured<Array>>();
    unwinds::<WakeStamp>();
}

#[cfg_attr(not(feature = "record"), test)]
fn every_getter_returns_none() {
    let RuntimeHandles { metrics, workers } = runtime();
    let worker = &metrics_std::enter(workers.into_iter().next().unwrap());
    worker.unpark();
    worker.start_processing_scheduled_tasks();
    worker.task_spawned();
    worker.start_poll(PollStart {
        scheduled_at: Some(worker.now()),
        spawn_location: metrics_std::location::intern(Location::caller()),
    });
    worker.end_poll();
    worker.task_ended(TaskEnd::Completed);
    worker.park();
    metrics.registry().switches().set_poll_time(Sampling::Every);

    assert_eq!(
        (
            metrics.poll_count().unwrap(),
            metrics.busy_duration_total().unwrap()
        ),
        (None, None)
    );
    assert_eq!(
        (metrics.worker_poll_count(0).unwrap(), metrics.num_alive_tasks()),
        (None, None)
    );
    assert_eq!((metrics.tasks(), metrics.live(0)), (None, None));
    let snapshot = metrics.snapshot();
    assert_eq!((snapshot.total().poll_count(), snapshot.tasks()), (None, None));
    assert!(snapshot.workers().is_empty() && snapshot.external().is_none());
    assert!(snapshot.total().poll_time().is_none() && snapshot.uptime().is_none());
    let interval = snapshot.since(&Snapshot::default()).unwrap();
    assert_eq!((interval.wall(), interval.total().utilization()), (None, None));
}

#[cfg_attr(not(feature = "record"), test)]
fn a_window_has_an_interval_without_values() {
    let RuntimeHandles { metrics, .. } = runtime();
    let mut window = Window::new(Duration::from_secs(60), 6).unwrap();
    for _ in 0..3 {
        window.push(metrics.snapshot()).unwrap();
        let interval = window.interval().unwrap();
        assert_eq!((interval.wall(), interval.total().poll_count()), (None, None));
    }
}

#[cfg_attr(not(feature = "record"), test)]
fn a_registry_has_its_name_and_its_workers() {
    let RuntimeHandles { metrics, workers } = runtime();
    assert_eq!(
        (metrics.name(), metrics.num_workers(), workers.len()),
        ("mine", Some(3), 3)
    );
    let runtimes = Runtimes::new();
    runtimes.add(&metrics).unwrap();
    assert!(runtimes.add(&metrics).is_err());
    assert_eq!(runtimes.get("mine").unwrap().name(), "mine");
    assert!(
        Builder::new()
            .measures(MetricSet::ALL)
            .workers(0)
            .build(NoClock)
            .is_err()
    );
}

#[cfg_attr(not(feature = "record"), test)]
fn a_static_registry_records_nothing() {
    const CONFIG: StaticRegistryConfig<2, 8> = match Builder::new()
        .measures(MetricSet::ALL)
        .describe(1_000, Duration::ZERO)
    {
        Ok(config) => config,
        Err(_) => panic!("a registry without histograms always fits"),
    };
    static REGISTRY: Registry<StaticStorage<2, 8>, NoClock> = Registry::new(&CONFIG, NoClock);
    let worker = REGISTRY.worker(1).unwrap();
    worker.start_poll(PollStart::default());
    worker.end_poll();
    assert!(REGISTRY.worker(2).is_none());
    let metrics = metrics_core::RuntimeMetrics::new(&REGISTRY);
    assert_eq!(
        (metrics.num_workers(), metrics.worker_poll_count(1).unwrap()),
        (Some(2), None)
    );
}

/// Fails the test that reads it.
struct Untouchable;

impl TimeSource for Untouchable {
    fn now(&self) -> Timestamp {
        panic!("the clock was read")
    }

    fn ticks_per_second(&self) -> u64 {
        1_000_000_000
    }

    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }
}

impl Probe for Untouchable {
    fn runtime(&self, _: RuntimeNumber) -> Option<u64> {
        panic!("the probe was called")
    }

    fn worker(&self, _: usize, _: WorkerNumber) -> Option<u64> {
        panic!("the probe was called")
    }
}

#[cfg_attr(not(feature = "record"), test)]
fn no_clock_is_read_and_no_probe_is_called() {
    let RuntimeHandles { metrics, workers } = metrics_std::build(
        Builder::new().measures(MetricSet::ALL),
        Clock::custom(Untouchable),
        Untouchable,
    )
    .unwrap();
    for worker in &workers {
        worker.start_poll(PollStart::default());
        worker.end_poll();
        worker.park();
    }
    drop(workers);
    assert_eq!(
        (metrics.num_alive_tasks(), metrics.global_queue_depth()),
        (None, None)
    );
    assert_eq!(metrics.snapshot().num_alive_tasks(), None);

    let registry = Builder::new()
        .measures(MetricSet::ALL)
        .build(Untouchable)
        .unwrap();
    let worker = metrics_core::Worker::lease(Arc::clone(&registry), 0).unwrap();
    worker.start_processing_scheduled_tasks();
    worker.start_poll(PollStart {
        scheduled_at: Some(worker.now()),
        ..PollStart::default()
    });
    worker.end_poll();
    drop(worker);
    let metrics = metrics_core::RuntimeMetrics::with_probe(registry, Untouchable);
    assert_eq!(
        (metrics.num_alive_tasks(), metrics.global_queue_depth()),
        (None, None)
    );
    assert_eq!(metrics.snapshot().num_alive_tasks(), None);
}

#[cfg_attr(not(feature = "record"), test)]
fn the_watchdog_starts_no_thread() {
    let metrics = runtime().metrics;
    let held = Arc::new(());
    let callback = Arc::clone(&held);
    let watchdog = watch_stalls(&metrics, Duration::from_millis(1), move |_| {
        let _ = &callback;
    })
    .unwrap();
    // A thread would hold the callback until the watchdog is dropped.
    assert_eq!(Arc::strong_count(&held), 1);
    drop(watchdog);
}

#[cfg_attr(not(feature = "record"), test)]
fn the_adapter_calls_the_callbacks_of_the_user_in_order() {
    let calls: Arc<Mutex<Vec<&str>>> = Arc::default();
    let callback = |name: &'static str| {
        let calls = Arc::clone(&calls);
        move || calls.lock().unwrap().push(name)
    };
    let adapter = TokioAdapter::builder()
        .on_thread_start(callback("start"))
        .on_thread_start(callback("second start"))
        .on_thread_stop(callback("stop"));
    let MeasuredRuntime { runtime, metrics, .. } = adapter
        .build(tokio::runtime::Builder::new_multi_thread().worker_threads(1))
        .unwrap();
    drop(runtime);
    assert_eq!(*calls.lock().unwrap(), ["start", "second start", "stop"]);
    assert_eq!(metrics.num_alive_tasks(), None);
}

#[cfg_attr(not(feature = "record"), test)]
fn spawned_tasks_run() {
    let MeasuredRuntime {
        runtime,
        metrics,
        spawner,
    } = TokioAdapter::builder()
        .build(&mut tokio::runtime::Builder::new_current_thread())
        .unwrap();
    let answer = runtime.block_on(async {
        let blocking = spawner.spawn_blocking(|| 4).await.unwrap();
        let mut set = tokio::task::JoinSet::new();
        spawner.spawn_in(&mut set, spawner.measure(async { 5 }));
        let in_set = set.join_next().await.unwrap().unwrap();
        let local = tokio::task::LocalSet::new();
        let local = local
            .run_until(async { spawner.spawn_local(async { 6 }).await.unwrap() })
            .await;
        spawner.spawn(async { 7 }).await.unwrap() * blocking * in_set * local
    });
    assert_eq!(answer, 4 * 5 * 6 * 7);
    assert_eq!(metrics.spawned_tasks_count(), None);
}

#[cfg_attr(not(feature = "record"), test)]
fn an_attached_runtime_runs_tasks_and_gets_none_of_ours() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let metrics = metrics_std::tokio::attach(runtime.handle()).unwrap().metrics;
    let answer = runtime.block_on(async {
        let mut set = metrics_std::tokio::JoinSet::new();
        set.spawn(async { 4 });
        let in_set = set.join_next().await.unwrap().unwrap();
        let blocking = metrics_std::tokio::spawn_blocking(|| 5).await.unwrap();
        metrics_std::tokio::spawn(async { 6 }).await.unwrap() * in_set * blocking
    });
    assert_eq!(answer, 4 * 5 * 6);
    assert_eq!(runtime.metrics().num_alive_tasks(), 0);
    assert_eq!(metrics.spawned_tasks_count(), None);
}

#[cfg_attr(not(feature = "record"), test)]
fn the_collector_exports_nothing() {
    use prometheus_client::metrics::counter::Counter;
    let mut registry = prometheus_client::registry::Registry::default();
    registry.register_collector(Box::new(RuntimeCollector::new(runtime().metrics)));
    let orders: Counter = Counter::default();
    orders.inc_by(3);
    registry.register("orders", "Orders taken", orders);
    let mut page = String::new();
    Format::Text.write(&mut page, &registry).unwrap();
    assert_eq!(
        page,
        "# HELP orders_total Orders taken.\n# TYPE orders_total counter\norders_total 3\n"
    );
}

#[cfg_attr(not(feature = "record"), test)]
fn a_snapshot_has_the_one_schema() {
    let text = serde_json::to_string(&runtime().metrics.snapshot()).unwrap();
    let read: metrics_core::Snapshot<HeapStorage> = serde_json::from_str(&text).unwrap();
    assert_eq!(read.total().poll_count(), None);
    let interval = serde_json::to_value(read.since(&Snapshot::default()).unwrap()).unwrap();
    assert!(interval["total"]["utilization"].is_null());
}
