//! The scripted runtime in a crate that is built with recording on, and with recording off by `--no-default-features`.

use core::panic::AssertUnwindSafe;
use core::time::Duration;
use metrics_core::{LocationId, METRICS, RECORDING, TaskEnd};
use metrics_mock::{ManualClock, MockRuntime};
use metrics_std::{
    Builder, Clock, HistogramConfig, MetricSet, NoProbe, Registry, RuntimeHandles, RuntimeMetrics, Worker,
};
use std::panic::catch_unwind;
use std::sync::Arc;
use tests::conformance::reading::Reading;

type Make = fn(Vec<Worker>, Arc<ManualClock>) -> MockRuntime<Arc<Registry>>;

fn runtime(make: Make) -> (RuntimeMetrics, MockRuntime<Arc<Registry>>) {
    let clock = Arc::new(ManualClock::new());
    let builder = Builder::new()
        .measures(MetricSet::ALL)
        .workers(2)
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT)
        .blocking_queue_wait(HistogramConfig::DEFAULT);
    let RuntimeHandles { metrics, workers } =
        metrics_std::build(builder, Clock::custom(Arc::clone(&clock)), NoProbe)
            .expect("the configuration is valid");
    (metrics, make(workers, clock))
}

fn play(runtime: &MockRuntime<Arc<Registry>>) {
    let (worker, thief) = (runtime.worker(0), runtime.worker(1));
    let tasks = [(); 3].map(|()| worker.spawn(LocationId::from_u32(7)));
    thief.steal(&tasks[2..]);
    worker.overflow(&tasks[1..2]);
    runtime.advance(Duration::from_millis(1));
    worker.start_poll(tasks[0]);
    worker.force_yield();
    runtime.advance(Duration::from_millis(2));
    worker.end_poll();
    worker.poll(tasks[1], Duration::from_millis(3));
    runtime.wake(tasks[1]);
    worker.end(tasks[1], TaskEnd::Completed);
    thief.poll(tasks[2], Duration::from_millis(4));
    thief.poll_root(Duration::from_millis(5));
    thief.park_for(Duration::from_millis(6));
    runtime.cancel(tasks[2]);
    runtime.block(Duration::from_millis(7));
    runtime.flush();
}

#[test]
fn a_script_runs_with_recording_on_and_off() {
    if RECORDING {
        let (metrics, runtime) = runtime(MockRuntime::new);
        play(&runtime);
        let snapshot = metrics.snapshot();
        let total = snapshot.total();
        assert_eq!(total.poll_count(), Some(3));
        assert_eq!(total.poll_time().unwrap().histogram().sum(), 9_000_000);
        assert_eq!(
            total.schedule_latency().unwrap().histogram().max(),
            Some(6_000_000)
        );
        assert_eq!((total.steal_count(), total.overflow_count()), (Some(1), Some(1)));
        assert_eq!(snapshot.num_alive_tasks(), Some(1));
    } else {
        let (metrics, runtime) = runtime(MockRuntime::without_recording);
        play(&runtime);
        let reading = Reading::of(metrics.snapshot());
        for metric in METRICS {
            assert_eq!(reading.value(metric.name), None, "{}", metric.name);
        }
    }
}

#[test]
fn a_script_for_the_other_build_panics_and_names_the_feature() {
    let wrong: Make = if RECORDING {
        MockRuntime::without_recording
    } else {
        MockRuntime::new
    };
    let payload = catch_unwind(AssertUnwindSafe(|| drop(runtime(wrong)))).expect_err("it panics");
    let message = payload.downcast_ref::<&str>().expect("a message");
    let state = if RECORDING {
        "recording is on: "
    } else {
        "recording is off: "
    };
    assert!(message.starts_with(state), "{message}");
    assert!(message.contains("feature `record`"), "{message}");
}
