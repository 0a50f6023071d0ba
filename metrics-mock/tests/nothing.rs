//! Nothing is kept, nothing is measured, and what the user gave is used.

use core::panic::Location;
use core::pin::Pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::Arc;

use metrics_core::{Heap, NoClock, PollStart, Sampling, TaskEnd};
use metrics_mock::{
    Builder, Clock, Counter, Entered, Fixed, Host, InstantClock, Measured, NoProbe, Options, SharedCounters,
    Snapshot, WakeStamp, Worker, wasm,
};

#[test]
fn what_records_has_no_size() {
    assert_eq!(size_of::<Worker>(), 0);
    assert_eq!(size_of::<Entered>(), 0);
    assert_eq!(size_of::<SharedCounters<'_, Heap>>(), 0);
    assert_eq!(size_of::<WakeStamp>(), 0);
    assert_eq!(size_of::<Options>(), 0);
    assert_eq!(size_of::<Clock>(), 0);
    assert_eq!(size_of::<InstantClock>(), 0);
    assert_eq!(size_of::<Host>(), 0);
    assert_eq!(size_of::<metrics_mock::DirectWorker<NoClock, 1, 8>>(), 0);
    assert_eq!(size_of::<metrics_mock::watchdog::Watchdog>(), 0);
    assert_eq!(size_of::<wasm::Worker>(), 0);
    assert_eq!(size_of::<wasm::Monitor>(), 0);
    assert_eq!(size_of::<wasm::PerformanceClock>(), 0);
}

#[test]
fn what_is_read_has_no_size_either() {
    assert_eq!(size_of::<Snapshot>(), 0);
    assert_eq!(size_of_val(&Snapshot::default().total()), 0);
    let since = Snapshot::default().since(&Snapshot::default()).unwrap();
    assert_eq!(size_of_val(&since), 0);
}

#[test]
fn a_measured_future_is_the_future() {
    struct Future64([u8; 64]);
    impl Future for Future64 {
        type Output = u8;
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u8> {
            Poll::Ready(self.0[0])
        }
    }
    assert_eq!(size_of::<Measured<Future64>>(), 64);
    assert_eq!(size_of::<wasm::Measured<Future64>>(), 64);
    let (metrics, _) = metrics_mock::build(Builder::new(), Clock::new(), NoProbe).unwrap();
    let mut task = Box::pin(Measured::task(&metrics, Future64([7; 64])));
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(task.as_mut().poll(&mut context), Poll::Ready(7));
}

#[test]
fn there_are_as_many_workers_as_described() {
    let description = Builder::new().name("mine").workers(3);
    let (metrics, workers) = metrics_mock::build(description, Clock::new(), NoProbe).unwrap();
    assert_eq!((workers.len(), metrics.num_workers()), (3, 3));
    assert_eq!(metrics.registry().num_workers(), 3);
    let runtimes = metrics_mock::Runtimes::new();
    runtimes.add(&metrics).unwrap();
    assert!(runtimes.add(&metrics).is_err());
    assert_eq!(runtimes.get("mine").unwrap().name(), "mine");
}

#[test]
fn every_answer_is_none() {
    let (metrics, workers) = metrics_mock::build(Builder::new(), Clock::new(), NoProbe).unwrap();
    let worker = &metrics_mock::enter(workers.into_iter().next().unwrap());
    worker.unpark();
    worker.start_processing_scheduled_tasks();
    worker.task_spawned();
    worker.start_poll(PollStart {
        scheduled_at: None,
        site: metrics_mock::site::intern(Location::caller()),
    });
    worker.end_poll();
    worker.task_ended(TaskEnd::Completed);
    worker.park();
    metrics.registry().options().set_poll_time(Sampling::Every);

    for &counter in Counter::ALL {
        assert_eq!(metrics.counter(counter), None, "{}", counter.name());
        assert_eq!(metrics.worker_counter(0, counter), None, "{}", counter.name());
        assert_eq!(
            metrics.snapshot().total().counter(counter),
            None,
            "{}",
            counter.name()
        );
    }
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.workers().count(), 0);
    assert!(snapshot.worker(0).is_none() && snapshot.foreign().is_none());
    assert_eq!((metrics.tasks(), snapshot.tasks()), (None, None));
    assert_eq!((metrics.num_alive_tasks(), snapshot.uptime()), (None, None));
    assert!(snapshot.total().poll_time().is_none() && metrics.live(0).is_none());
    assert_eq!(metrics.registry().options().poll_time(), Sampling::Off);
    let interval = snapshot.since(&Snapshot::default()).unwrap();
    assert_eq!((interval.wall(), interval.total().busy_ratio()), (None, None));
    assert_eq!(interval.total().per_second(Counter::PollCount), None);
}

#[test]
fn a_static_registry_is_accepted_too() {
    use metrics_mock::wasm::metrics_core::{Description, Registry};
    const DESCRIPTION: Description<2, 8> = match Builder::new().describe(1_000, Duration::ZERO) {
        Ok(description) => description,
        Err(_) => panic!("nothing is refused"),
    };
    static REGISTRY: Registry<Fixed<2, 8>, NoClock> = Registry::new(&DESCRIPTION, NoClock);
    let worker = REGISTRY.worker(1).unwrap();
    worker.start_poll(PollStart::default());
    worker.end_poll();
    assert!(REGISTRY.worker(2).is_none());
    assert_eq!(REGISTRY.num_workers(), 2);
}

#[test]
fn callbacks_given_to_the_adapter_are_called_in_order() {
    use metrics_mock::tokio::TokioAdapter;
    let order = Arc::new(AtomicUsize::new(0));
    let at = |place: usize| {
        let order = Arc::clone(&order);
        move || {
            let _ = order.compare_exchange(place, place + 1, Ordering::SeqCst, Ordering::SeqCst);
        }
    };
    let adapter = TokioAdapter::builder()
        .on_thread_start(at(0))
        .on_thread_start(at(1))
        .on_thread_stop(at(2));
    let (runtime, metrics) = adapter
        .build(tokio::runtime::Builder::new_multi_thread().worker_threads(1))
        .unwrap();
    drop(runtime);
    assert_eq!(order.load(Ordering::SeqCst), 3);
    assert_eq!(metrics.num_alive_tasks(), None);
}

#[test]
fn what_is_spawned_runs() {
    use metrics_mock::tokio::{Spawner, TokioAdapter};
    let (runtime, metrics) = TokioAdapter::builder()
        .name("api")
        .build(&mut tokio::runtime::Builder::new_current_thread())
        .unwrap();
    let spawner = Spawner::new(runtime.handle(), &metrics);
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

#[test]
fn only_what_others_registered_is_exported() {
    use metrics_mock::prometheus::{Format, RuntimeCollector};
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::registry::Registry;
    let (metrics, _) = metrics_mock::build(Builder::new(), Clock::new(), NoProbe).unwrap();
    let mut registry = Registry::default();
    registry.register_collector(Box::new(RuntimeCollector::new(metrics)));
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

#[test]
fn snapshots_of_nothing_have_the_one_schema() {
    let text = serde_json::to_string(&Snapshot::default()).unwrap();
    let real: metrics_core::Snapshot<Heap> = serde_json::from_str(&text).unwrap();
    assert_eq!(real.total().poll_count(), None);
    let back: Snapshot = serde_json::from_str(&text).unwrap();
    let interval = serde_json::to_value(back.since(&Snapshot::default()).unwrap()).unwrap();
    assert!(interval["total"]["busy_ratio"].is_null());
}
