//! Metrics per route of an axum router, on a clock that only the test advances.
#![cfg(all(feature = "axum", feature = "record"))]

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::get;
use core::time::Duration;
use hyper::{Request, StatusCode};
use metrics_mock::ManualClock;
use metrics_std::axum::RouteGroups;
use metrics_std::metrics_core::{LocationKind, LocationSnapshot};
use metrics_std::tokio::{MeasuredRuntime, TokioAdapter};
use metrics_std::watchdog::{Stall, StallScanner};
use metrics_std::{Clock, HeapStorage, RuntimeMetrics};
use std::sync::{Arc, Mutex};
use tower_service::Service as _;

type Row = LocationSnapshot<HeapStorage>;

struct Service {
    clock: Arc<ManualClock>,
    measured: MeasuredRuntime,
    router: Router,
}

/// A service whose handlers take as many milliseconds as the request says, in two polls.
fn service(locations: usize) -> Service {
    let clock = Arc::new(ManualClock::new());
    let adapter = TokioAdapter::builder()
        .clock(Clock::custom(Arc::clone(&clock)))
        .configure(|builder| builder.locations(locations));
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let measured = adapter.build(&mut builder).unwrap();
    let handler = {
        let clock = Arc::clone(&clock);
        move |Path(millis): Path<u64>| {
            let clock = Arc::clone(&clock);
            async move {
                clock.advance(Duration::from_millis(millis));
                tokio::task::yield_now().await;
                "done"
            }
        }
    };
    let nested = Router::new().route("/{millis}", get(handler.clone()));
    let router = Router::new()
        .route("/orders/{millis}", get(handler))
        .nest("/nested", nested)
        .layer(RouteGroups::new(&measured.metrics));
    Service {
        clock,
        measured,
        router,
    }
}

impl Service {
    /// Sends a request inside a task of its own, as a server does.
    fn request(&self, path: &str) -> StatusCode {
        let response = self.response(path);
        let task = self.measured.spawner.spawn(response);
        self.measured.runtime.block_on(task).unwrap()
    }

    fn response(&self, path: &str) -> impl Future<Output = StatusCode> + Send + 'static {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let mut router = self.router.clone();
        async move { router.call(request).await.unwrap().status() }
    }

    fn metrics(&self) -> &RuntimeMetrics {
        &self.measured.metrics
    }

    fn groups(&self) -> Vec<Row> {
        let snapshot = self.metrics().snapshot();
        let rows = snapshot.locations().unwrap().iter();
        rows.filter(|row| row.is_group()).cloned().collect()
    }
}

#[test]
fn requests_are_grouped_by_the_template_of_their_route() {
    let service = service(4_096);
    for path in ["/orders/3", "/orders/5", "/nested/1"] {
        assert_eq!(service.request(path), StatusCode::OK);
    }
    for path in ["/secret/1", "/secret/2"] {
        assert_eq!(service.request(path), StatusCode::NOT_FOUND);
    }
    let groups = service.groups();
    let found: Vec<_> = groups
        .iter()
        .map(|row| {
            (
                row.name(),
                row.spawned(),
                row.alive(),
                row.poll_count(),
                row.poll_time(),
            )
        })
        .collect();
    let millis = |millis| Some(Duration::from_millis(millis));
    let expected = [
        ("/orders/{millis}", 2, 0, 4, millis(8)),
        ("/nested/{millis}", 1, 0, 2, millis(1)),
        ("unmatched", 2, 0, 2, millis(0)),
    ];
    for row in expected {
        assert!(found.contains(&row), "{row:?} in {found:?}");
    }
    assert_eq!(found.len(), expected.len());
    let orders = groups
        .iter()
        .find(|row| row.name() == "/orders/{millis}")
        .unwrap();
    assert_eq!(orders.longest_poll(), millis(5));
    assert_eq!(
        (orders.kind(), orders.schedule_latency()),
        (LocationKind::Group, None)
    );
    let snapshot = service.metrics().snapshot();
    let tasks = snapshot.locations().unwrap().iter().filter(|row| !row.is_group());
    assert_eq!(
        snapshot.total().poll_count(),
        Some(tasks.map(Row::poll_count).sum())
    );
}

#[test]
fn routes_beyond_the_capacity_share_a_group() {
    let service = service(1);
    // The spawn location of the first task of the process has the one row.
    service.request("/orders/1");
    service.request("/nested/1");
    let groups = service.groups();
    let [other] = groups.as_slice() else {
        panic!("one group: {groups:?}")
    };
    assert_eq!((other.kind(), other.spawned()), (LocationKind::OtherGroups, 2));
}

#[test]
fn a_request_that_is_dropped_ends() {
    let service = service(4_096);
    let mut response = Box::pin(service.response("/orders/1"));
    let task = service.measured.spawner.spawn(async move {
        let mut cx = core::task::Context::from_waker(core::task::Waker::noop());
        assert!(response.as_mut().poll(&mut cx).is_pending());
    });
    service.measured.runtime.block_on(task).unwrap();
    let groups = service.groups();
    assert_eq!((groups[0].spawned(), groups[0].ended()), (1, 1));
}

/// A handler that blocks for 30 ms while the watchdog scans, in a task that is measured or not. If `nested`, it has polled a measured
/// future before. If `late`, only the task's code after the handler runs when the poll has passed the threshold.
fn stall(measured: bool, nested: bool, late: bool) -> (Vec<Stall>, Option<u64>) {
    let Service {
        clock,
        measured: built,
        ..
    } = service(4_096);
    let scanner = StallScanner::new(&built.metrics, Duration::from_millis(20));
    let (scanner, stalls) = (Arc::new(Mutex::new(scanner)), Arc::new(Mutex::new(Vec::new())));
    let scan = {
        let (scanner, stalls) = (Arc::clone(&scanner), Arc::clone(&stalls));
        move || {
            let mut scanner = scanner.lock().unwrap();
            scanner.scan(|stall| stalls.lock().unwrap().push(stall.clone()));
        }
    };
    let blocks = {
        let (scan, clock) = (scan.clone(), Arc::clone(&clock));
        let spawner = built.spawner.clone();
        async move || {
            if nested {
                spawner.measure(async {}).await;
            }
            scan();
            clock.advance(Duration::from_millis(15));
            scan();
            clock.advance(Duration::from_millis(15));
            if !late {
                scan();
            }
        }
    };
    let mut router: Router = Router::new()
        .route("/reports/{year}", get(blocks))
        .layer(RouteGroups::new(&built.metrics));
    let request = Request::get("/reports/2026").body(Body::empty()).unwrap();
    let scan_in_task = scan.clone();
    let response = async move {
        let status = router.call(request).await.unwrap().status();
        scan_in_task();
        status
    };
    let task = if measured {
        built.spawner.spawn(response)
    } else {
        built.runtime.spawn(response)
    };
    assert_eq!(built.runtime.block_on(task).unwrap(), StatusCode::OK);
    scan();
    let snapshot = built.metrics.snapshot();
    let mut rows = snapshot.locations().unwrap().iter();
    let row = rows.find(|row| row.name() == "/reports/{year}").unwrap();
    let stalls = core::mem::take(&mut *stalls.lock().unwrap());
    (stalls, row.stall_count())
}

#[test]
fn a_stall_in_a_handler_names_its_route() {
    let cases = [
        (true, false, false),
        (true, true, false),
        (false, false, false),
        (false, true, false),
        // The task of a connection sends the response in the same poll.
        (true, false, true),
    ];
    for (measured, nested, late) in cases {
        let (stalls, count) = stall(measured, nested, late);
        let text: Vec<String> = stalls.iter().map(ToString::to_string).collect();
        assert_eq!(stalls.len(), 2, "one stall, and its end: {text:?}");
        for (stall, text) in stalls.iter().zip(&text) {
            assert!(stall.is_group, "{text}");
            assert_eq!(stall.spawn_location.as_deref(), Some("/reports/{year}"));
            assert!(
                text.ends_with(", of a future of the group /reports/{year}"),
                "{text}"
            );
        }
        assert_eq!(count, Some(1));
    }
}

#[cfg(feature = "prometheus")]
#[test]
fn groups_are_exported_on_request_with_their_own_metrics() {
    let service = service(4_096);
    service.request("/orders/3");
    let page = |limit| {
        let collector = metrics_std::prometheus::RuntimeCollector::new(service.metrics().clone());
        let mut registry = prometheus_client::registry::Registry::default();
        registry.register_collector(Box::new(collector.locations(limit)));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    };
    let all = page(4_096);
    for line in [
        r#"async_runtime_group_started_total{runtime="main",group="/orders/{millis}"} 1"#,
        r#"async_runtime_group_polls_total{runtime="main",group="/orders/{millis}"} 2"#,
        r#"async_runtime_group_poll_seconds_total{runtime="main",group="/orders/{millis}"} 0.003"#,
    ] {
        assert!(all.contains(line), "{line} in {all}");
    }
    let locations = all
        .lines()
        .filter(|line| line.starts_with("async_runtime_location_"));
    assert_eq!(locations.filter(|line| line.contains("/orders")).count(), 0);
    assert!(!page(0).contains("async_runtime_group_"), "only on request");
}
