//! `Debug` of each public type shows its name, or the names of its runtimes.
#![allow(missing_docs)]

use core::fmt::Debug;
use core::time::Duration;
use metrics_std::overload::{OverloadRule, OverloadScanner, OverloadSignal, watch_overload};
use metrics_std::watchdog::{StallScanner, watch_stalls};
use metrics_std::{
    Builder, Clock, Measured, NoProbe, RuntimeHandles, RuntimeMetrics, build, build_wrapped, enter,
};

const INTERVAL: Duration = Duration::from_millis(100);

fn metrics() -> RuntimeMetrics {
    build_wrapped(Builder::new().name("images"), Clock::instant()).unwrap()
}

#[track_caller]
fn shows(value: &impl Debug, text: &str) {
    let shown = format!("{value:?}");
    assert!(shown.contains(text), "{text} is not in {shown}");
}

#[test]
fn types_of_every_build() {
    let metrics = metrics();
    shows(metrics.probe(), "ProcessProbe");
    shows(&Measured::task(&metrics, async {}), "Measured");
    shows(&StallScanner::new(&metrics, INTERVAL), "StallScanner");
    shows(&watch_stalls(&metrics, INTERVAL, |_| {}).unwrap(), "Watchdog");
    let rule = OverloadRule::new(INTERVAL, INTERVAL);
    shows(&OverloadScanner::new(&metrics, rule), "OverloadScanner");
    shows(&OverloadSignal::new(&metrics), "OverloadSignal");
    let watch = watch_overload(&metrics, INTERVAL, INTERVAL).unwrap();
    shows(&watch, "OverloadWatch");
    let RuntimeHandles { mut workers, .. } =
        build(Builder::new().workers(1), Clock::instant(), NoProbe).unwrap();
    shows(&enter(workers.remove(0)), "EnterGuard");
}

#[cfg(feature = "tokio")]
#[test]
fn types_of_the_adapter_for_tokio() {
    use metrics_std::tokio::{JoinSet, TokioAdapter, watch_loop_lag};
    let adapter = TokioAdapter::builder();
    shows(&adapter, "TokioAdapter");
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let measured = adapter.build(builder.enable_time()).unwrap();
    shows(&watch_loop_lag(&measured.spawner, INTERVAL), "LagProbe");
    shows(&JoinSet::<()>::new(), "JoinSet");
}

#[cfg(feature = "tower")]
#[test]
fn types_of_the_layer_that_sheds_load() {
    use metrics_std::overload::ShedLayer;
    use tower_layer::Layer as _;
    let layer = ShedLayer::new(OverloadSignal::new(&metrics()));
    shows(&layer, "ShedLayer");
    shows(&layer.layer("inner"), "Shed {");
}

#[cfg(feature = "serve")]
#[test]
fn types_of_the_server() {
    use metrics_std::serve::{Pages, start};
    let metrics = metrics();
    shows(&Pages::new(&metrics), "Pages");
    shows(&start(&metrics, "127.0.0.1:0").unwrap(), "Server");
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let measured = metrics_std::tokio::TokioAdapter::builder()
        .build(builder.enable_all())
        .unwrap();
    let listen = tokio::net::TcpListener::bind("127.0.0.1:0");
    let listener = measured.runtime.block_on(listen).unwrap();
    let serve = metrics_std::axum::serve(listener, axum::Router::new(), &measured.spawner);
    shows(&serve, "Serve");
}

#[cfg(feature = "metrics")]
#[test]
fn types_of_the_facade() {
    use metrics_std::facade::FacadePublisher;
    let publisher = FacadePublisher::new(metrics());
    shows(&publisher, "FacadePublisher");
    shows(&publisher, "\"images\"");
}

#[cfg(feature = "prometheus")]
#[test]
fn types_of_the_exporter_for_prometheus() {
    shows(
        &metrics_std::prometheus::RuntimeCollector::new(metrics()),
        "RuntimeCollector",
    );
}

#[cfg(feature = "otlp")]
#[test]
fn types_of_the_exporter_for_opentelemetry() {
    use metrics_std::otlp::{OtlpExporter, PeriodicExporter, SendError, Settings, Transport};

    struct Accepting;

    impl Transport for Accepting {
        fn send(&mut self, _: &[u8]) -> Result<Vec<u8>, SendError> {
            Ok(Vec::new())
        }
    }

    let exporter = OtlpExporter::new(metrics());
    shows(&exporter, "OtlpExporter");
    let settings = Settings::default();
    let periodic = PeriodicExporter::start_with(exporter, &settings, Accepting, |_| {}).unwrap();
    shows(&periodic, "PeriodicExporter");
    shows(&periodic, "Threads");
}
