//! Metrics per spawn location of real runtimes, and the paths that leave the process.
#![cfg(all(feature = "record", feature = "tokio"))]

use core::panic::Location;
use metrics_std::location::{MAX_NAMES, intern, intern_name, name};
use metrics_std::metrics_core::{LocationColumn, LocationKind, LocationSnapshot, SampleValue};
use metrics_std::tokio::{MeasuredRuntime, Spawner, TokioAdapter};
use metrics_std::{Builder, Clock, HeapStorage, LocationId, Measured, MetricSet, PollStart};
use tokio::runtime;

type Row = LocationSnapshot<HeapStorage>;

fn adapter() -> TokioAdapter<'static> {
    TokioAdapter::builder().configure(|builder| builder.locations(4_096))
}

async fn yields(times: usize) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}

/// Spawns three tasks at one location, and three under a name.
async fn load(spawner: &Spawner, named: &Spawner) {
    let mut tasks = Vec::new();
    for _ in 0..3 {
        tasks.push(spawner.spawn(yields(9)));
        tasks.push(named.spawn(yields(4)));
    }
    let stuck = spawner.spawn(core::future::pending::<()>());
    for task in tasks {
        task.await.unwrap();
    }
    stuck.abort();
    assert!(stuck.await.unwrap_err().is_cancelled());
}

fn find<'a>(rows: &'a [Row], name: &str) -> &'a Row {
    rows.iter()
        .find(|row| row.name() == name)
        .unwrap_or_else(|| panic!("no {name} in {rows:#?}"))
}

#[test]
fn every_task_and_poll_of_a_runtime_has_its_location() {
    let name = intern_name("three tasks with a name");
    for mut builder in [
        runtime::Builder::new_current_thread(),
        runtime::Builder::new_multi_thread(),
    ] {
        let MeasuredRuntime {
            runtime,
            metrics,
            spawner,
        } = adapter().build(builder.worker_threads(2)).unwrap();
        runtime.block_on(load(&spawner, &spawner.named(name)));
        drop(runtime);
        let snapshot = metrics.snapshot();
        let rows = snapshot.locations().unwrap();
        let named = find(rows, "three tasks with a name");
        assert_eq!((named.spawned(), named.ended(), named.alive()), (3, 3, 0));
        assert_eq!((named.poll_count(), named.measured_polls()), (15, 15));
        assert_eq!((named.location(), named.kind()), (name, LocationKind::Location));
        let sum = |of: fn(&Row) -> u64| rows.iter().map(of).sum::<u64>();
        assert_eq!(Some(sum(Row::poll_count)), snapshot.total().poll_count());
        let tasks = snapshot.tasks().unwrap();
        assert_eq!(
            (sum(Row::spawned), sum(Row::ended)),
            (tasks.spawned, tasks.ended())
        );
        let by_polls = snapshot.locations_by(LocationColumn::PollCount);
        assert_eq!((by_polls[0].poll_count(), by_polls[0].spawned()), (30, 3));
        assert!(
            by_polls[0].name().starts_with("metrics-std/tests/locations.rs:"),
            "{}",
            by_polls[0].name()
        );
    }
}

#[test]
fn wrapped_futures_of_any_executor_have_their_locations() {
    let metrics = metrics_std::build_wrapped(Builder::new().locations(4_096), Clock::new()).unwrap();
    let name = intern_name("wrapped");
    for _ in 0..2 {
        futures::executor::block_on(Measured::named(&metrics, name, async {}));
    }
    drop(Measured::task(&metrics, async {}));
    let snapshot = metrics.snapshot();
    let rows = snapshot.locations().unwrap();
    let wrapped = find(rows, "wrapped");
    assert_eq!(
        (wrapped.poll_count(), wrapped.spawned(), wrapped.alive()),
        (2, 2, 0)
    );
    let dropped = rows.iter().find(|row| row.location() != name).unwrap();
    assert_eq!(
        (dropped.poll_count(), dropped.spawned(), dropped.ended()),
        (0, 1, 1)
    );
}

/// Code of the standard library calls it, so the location is in a file of the toolchain, with an absolute path.
#[cfg(all(feature = "serde", feature = "prometheus"))]
fn outside() -> &'static Location<'static> {
    core::iter::once_with(Location::caller).next().unwrap()
}

#[cfg(all(feature = "serde", feature = "prometheus"))]
#[test]
fn no_absolute_path_leaves_the_process() {
    let file = outside().file();
    assert!(
        file.starts_with('/') || file.as_bytes()[1] == b':',
        "the test needs an absolute path: {file}"
    );
    let builder = Builder::new().measures(MetricSet::ALL).locations(4_096);
    let (metrics, worker) = {
        let built = metrics_std::build(builder, Clock::new(), metrics_std::NoProbe).unwrap();
        (built.metrics, built.workers.into_iter().next().unwrap())
    };
    worker.start_poll(PollStart {
        scheduled_at: None,
        spawn_location: intern(outside()),
    });
    let json = serde_json::to_string(&metrics.snapshot()).unwrap();
    assert!(
        json.contains("src/ops/function.rs:"),
        "the poll in progress: {json}"
    );
    worker.end_poll();
    let json = serde_json::to_string(&metrics.snapshot()).unwrap();
    assert!(json.contains("src/ops/function.rs:"), "the location: {json}");
    let page = |collector| {
        let mut registry = prometheus_client::registry::Registry::default();
        registry.register_collector(Box::new(collector));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    };
    let collector = || metrics_std::prometheus::RuntimeCollector::new(metrics.clone());
    let series = "async_runtime_location_polls_total{runtime=\"main\",location=\"";
    let all = page(collector().locations(usize::MAX));
    assert!(
        all.contains(&format!("{series}core/src/ops/function.rs:")),
        "{all}"
    );
    assert!(!page(collector()).contains("location_polls"), "only on request");
    let debug = format!("{:?}", metrics.snapshot());
    for text in [json, debug, all] {
        let home = std::env::var("HOME").unwrap_or_else(|_| "/rustc/".to_owned());
        let absolute = ["\"/", "\"C:", "/rustc/", env!("CARGO_MANIFEST_DIR"), &home];
        assert!(!absolute.iter().any(|part| text.contains(part)), "{text}");
    }
}

#[test]
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "x86")),
    ignore = "under an emulator a program can't start itself"
)]
fn names_beyond_the_limit_share_a_number() {
    // In a process of its own, because names are never freed.
    if std::env::var_os("MANY_NAMES").is_none() {
        let test = std::env::current_exe().unwrap();
        let run = std::process::Command::new(test)
            .args(["--exact", "names_beyond_the_limit_share_a_number"])
            .env("MANY_NAMES", "1")
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
        return;
    }
    let numbers: Vec<LocationId> = (0..MAX_NAMES + 3)
        .map(|n| intern_name(&format!("name {n}")))
        .collect();
    let other = numbers[MAX_NAMES];
    assert!(numbers[MAX_NAMES..].iter().all(|&number| number == other));
    assert_eq!(name(other), Some("other names"));
    assert_eq!(intern_name("name 7"), numbers[7]);
}

#[track_caller]
fn here() -> &'static Location<'static> {
    Location::caller()
}

#[test]
fn each_written_location_is_one_series() {
    let [first, second] = [here(), here()];
    assert_eq!(first.line(), second.line());
    let builder = Builder::new().measures(MetricSet::ALL).locations(4_096);
    let built = metrics_std::build(builder, Clock::new(), metrics_std::NoProbe).unwrap();
    let worker = &built.workers[0];
    let same_line = [first, second].map(intern);
    let names = ["other", "other names", "unknown"].map(intern_name);
    for spawn_location in [&same_line[..], &names, &[LocationId::UNKNOWN]].concat() {
        worker.start_poll(PollStart {
            scheduled_at: None,
            spawn_location,
        });
        worker.end_poll();
    }
    worker.submit();
    let mut polls = Vec::new();
    built.metrics.snapshot().visit_locations(usize::MAX, |sample| {
        if let (SampleValue::Number(value @ 1..), "location_poll_count") = (sample.value, sample.metric.name)
        {
            polls.push((sample.location.unwrap().to_owned(), value));
        }
    });
    polls.sort();
    let line = format!("{}:{}", first.file(), first.line());
    let expected = [(line.as_str(), 2), ("other names", 2), ("unknown", 2)];
    assert_eq!(polls, expected.map(|(name, polls)| (name.to_owned(), polls)));
}
