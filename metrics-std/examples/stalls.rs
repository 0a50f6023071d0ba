//! Reports a task that blocks its worker while it does, with the line that spawned it.

use core::time::Duration;
use std::sync::mpsc::channel;

use metrics_std::tokio::{MeasuredRuntime, TokioAdapter};
use metrics_std::watchdog::watch_stalls;
use tokio::runtime::Builder;

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let mut builder = Builder::new_multi_thread();
    let MeasuredRuntime {
        runtime,
        metrics,
        spawner,
    } = TokioAdapter::builder()
        .name("api")
        .build(builder.worker_threads(2))?;

    let (report, reports) = channel();
    let _watchdog = watch_stalls(&metrics, Duration::from_millis(20), move |stall| {
        let _ = report.send(stall.to_string());
    })?;

    // The mistake: the task waits for a message with a function that blocks the thread.
    let (message, messages) = channel::<()>();
    let task = spawner.spawn(async move { messages.recv() });

    // The report arrives while the worker is still blocked.
    println!("{}", reports.recv()?);
    message.send(())?;
    runtime.block_on(task)??;
    // The second report arrives when the poll is over.
    println!("{}", reports.recv()?);
    Ok(())
}
