//! Writes the metrics of two runtimes as one page for Prometheus.

use metrics_std::prometheus::{Format, RuntimeCollector};
use metrics_std::tokio::{MeasuredRuntime, Spawner, TokioAdapter};
use prometheus_client::registry::Registry;
use tokio::runtime::Builder;

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let api = TokioAdapter::builder()
        .name("api")
        .build(&mut Builder::new_multi_thread())?;
    let jobs = TokioAdapter::builder()
        .name("jobs")
        .build(&mut Builder::new_current_thread())?;

    // The registry may have metrics of the application too.
    let collector = RuntimeCollector::new(api.metrics.clone()).with_runtime(jobs.metrics.clone())?;
    let mut registry = Registry::default();
    registry.register_collector(Box::new(collector));

    for MeasuredRuntime { runtime, metrics, .. } in [&api, &jobs] {
        runtime.block_on(Spawner::new(runtime.handle(), metrics).spawn(async {}))?;
    }

    // Each page is made of snapshots that are taken now.
    let mut page = String::new();
    Format::Text.write(&mut page, &registry)?;
    print!("{page}");
    Ok(())
}
