//! Tokio with the adapter, both flavours. With `--cfg tokio_unstable` it measures more, and has another column.

use core::any::Any;
use core::future::poll_fn;
use core::task::Poll;
use core::time::Duration;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use tokio::net::UdpSocket;
use tokio::runtime::Builder;

use crate::conformance::clock::ManualClock;
use crate::conformance::patience::wait_until;
use crate::conformance::subject::{Runtime, Setup, Subject, Task, Unsupported};
use metrics_std::tokio::{MeasuredRuntime, Spawner, TokioAdapter};
use metrics_std::{Clock, Measured, RuntimeMetrics};

/// Tokio's bound, which is fixed.
const QUEUE: usize = 256;

/// The flavour with worker threads.
pub struct MultiThread;

/// The flavour that runs inside `block_on`.
pub struct CurrentThread;

impl Subject for MultiThread {
    fn name(&self) -> &'static str {
        if cfg!(tokio_unstable) {
            "Tokio (unstable), multi-thread"
        } else {
            "Tokio, multi-thread"
        }
    }

    fn start(&self, setup: &Setup, clock: &ManualClock) -> Result<Arc<dyn Runtime>, Unsupported> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(setup.workers);
        Ok(start(builder, false, setup, clock))
    }
}

impl Subject for CurrentThread {
    fn name(&self) -> &'static str {
        if cfg!(tokio_unstable) {
            "Tokio (unstable), current-thread"
        } else {
            "Tokio, current-thread"
        }
    }

    fn start(&self, setup: &Setup, clock: &ManualClock) -> Result<Arc<dyn Runtime>, Unsupported> {
        if setup.workers != 1 {
            return Err(Unsupported);
        }
        Ok(start(Builder::new_current_thread(), true, setup, clock))
    }
}

fn start(mut builder: Builder, current_thread: bool, setup: &Setup, clock: &ManualClock) -> Arc<dyn Runtime> {
    builder.enable_io().max_blocking_threads(setup.blocking_threads);
    let histograms = setup.histograms;
    let MeasuredRuntime { runtime, metrics, .. } = TokioAdapter::builder()
        .clock(Clock::custom(Arc::clone(clock)))
        .configure(|metrics| match histograms {
            Some(config) => metrics
                .poll_time(config)
                .schedule_latency(config)
                .blocking_queue_wait(config),
            None => metrics_std::Builder::new(),
        })
        .build(&mut builder)
        .expect("the setup is a valid one");
    let spawner = Spawner::new(runtime.handle(), &metrics);
    Arc::new(Tokio {
        runtime: Some(runtime),
        spawner,
        metrics,
        current_thread,
    })
}

struct Tokio {
    /// `None` only during its drop.
    runtime: Option<tokio::runtime::Runtime>,
    spawner: Spawner,
    metrics: RuntimeMetrics,
    current_thread: bool,
}

impl Tokio {
    fn runtime(&self) -> &tokio::runtime::Runtime {
        self.runtime
            .as_ref()
            .expect("the runtime is there until it is dropped")
    }

    fn parked(&self) -> Option<Vec<u64>> {
        let tokio = self.runtime().metrics();
        (0..tokio.num_workers())
            .map(|worker| Some(tokio.worker_park_unpark_count(worker)).filter(|count| count % 2 == 1))
            .collect()
    }

    fn is_anything_queued(&self) -> bool {
        self.runtime().metrics().global_queue_depth() != 0
    }
}

impl Runtime for Tokio {
    fn metrics(&self) -> Option<&RuntimeMetrics> {
        Some(&self.metrics)
    }

    fn spawn(&self, task: Task) -> Box<dyn FnOnce() + Send> {
        let task = self.spawner.spawn(task);
        Box::new(move || task.abort())
    }

    fn block_on(&self, root: Task) -> Result<(), Unsupported> {
        self.runtime().block_on(Measured::root(&self.metrics, root));
        Ok(())
    }

    fn wait_until_idle(&self) {
        if self.current_thread {
            // Tokio polls the root first, then a number of tasks, then the root again.
            let mut quiet = 0;
            self.runtime().block_on(poll_fn(|cx| {
                quiet = if self.is_anything_queued() { 0 } else { quiet + 1 };
                if quiet > 4 {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            }));
            return;
        }
        // As in the testbed: no task is queued, all workers are parked, and none has woken between two checks.
        wait_until("all workers are parked", || {
            let parked = self.parked();
            parked.is_some() && !self.is_anything_queued() && self.parked() == parked
        });
    }

    fn park(&self, times: u64) -> Result<u64, Unsupported> {
        let tokio = self.runtime().metrics();
        for _ in 0..times {
            let before = tokio.worker_park_count(0);
            if self.current_thread {
                let (wake, woken) = tokio::sync::oneshot::channel();
                let metrics = tokio.clone();
                thread::spawn(move || {
                    wait_until("the worker parks", || metrics.worker_park_count(0) != before);
                    // The root may be dropped only if the test has already failed.
                    let _ = wake.send(());
                });
                self.runtime().block_on(woken).expect("the other thread wakes it");
            } else {
                let _socket = self.register_socket()?;
                wait_until("the worker parks", || tokio.worker_park_count(0) != before);
                self.wait_until_idle();
            }
        }
        // The current-thread flavour has not parked since its last task.
        Ok(times - u64::from(self.current_thread))
    }

    fn spawn_unmeasured(&self, task: Task) -> Result<(), Unsupported> {
        // Where polls are recorded, the task hooks measure every task; nothing shows whether a thread drives a current-thread
        // runtime; and without 64-bit atomics Tokio keeps no busy time.
        let is_measured = metrics_std::RECORDING && cfg!(tokio_unstable);
        if is_measured || cfg!(not(target_has_atomic = "64")) || self.current_thread {
            return Err(Unsupported);
        }
        drop(self.spawner.handle().spawn(task));
        Ok(())
    }

    fn spawn_blocking(&self, f: Box<dyn FnOnce() + Send>) -> Result<(), Unsupported> {
        drop(self.spawner.spawn_blocking(f));
        Ok(())
    }

    fn block_in_place(&self, f: &mut dyn FnMut()) -> Result<(), Unsupported> {
        if self.current_thread {
            return Err(Unsupported);
        }
        tokio::task::block_in_place(f);
        Ok(())
    }

    fn consume_budget(&self) -> Result<Task, Unsupported> {
        Ok(Box::pin(tokio::task::consume_budget()))
    }

    fn local_queue_capacity(&self) -> Option<usize> {
        (!self.current_thread).then_some(QUEUE)
    }

    fn measured(&self, inner: Task) -> Result<Task, Unsupported> {
        Ok(Box::pin(self.spawner.measure(inner)))
    }

    fn register_socket(&self) -> Result<Box<dyn Any + Send>, Unsupported> {
        let _entered = self.runtime().enter();
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback is there");
        socket.set_nonblocking(true).expect("a socket can be set so");
        Ok(Box::new(
            UdpSocket::from_std(socket).expect("the driver takes a socket"),
        ))
    }

    fn has_own_clock(&self) -> bool {
        self.current_thread
    }

    fn work(&self, clock: &ManualClock, duration: Duration) {
        clock.advance(duration);
        if self.has_own_clock() {
            let start = Instant::now();
            while start.elapsed() < duration {
                core::hint::spin_loop();
            }
        }
    }
}

impl Drop for Tokio {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // The last task to end may hold the last reference, on a thread of this runtime.
            runtime.shutdown_background();
        }
    }
}
