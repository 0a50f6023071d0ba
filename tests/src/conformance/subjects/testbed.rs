//! The testbed, which calls every hook.

use core::any::Any;
use core::future::poll_fn;
use core::task::Poll;
use std::sync::Arc;
use std::thread;

use mio::net::UdpSocket;

use crate::conformance::clock::ManualClock;
use crate::conformance::patience::wait_until;
use crate::conformance::subject::{Runtime, Setup, Subject, Task, Unsupported};
use crate::testbed::io::Async;
use crate::testbed::{self, Builder, Flavor, coop};
use metrics_std::{Clock, Measured, RuntimeMetrics};

/// Small enough for a scenario to overflow.
const QUEUE: usize = 8;

/// The flavour with worker threads.
pub struct MultiThread;

/// The flavour that runs inside `block_on`.
pub struct CurrentThread;

impl Subject for MultiThread {
    fn name(&self) -> &'static str {
        "testbed, multi-thread"
    }

    fn start(&self, setup: &Setup, clock: &ManualClock) -> Result<Arc<dyn Runtime>, Unsupported> {
        Ok(start(Flavor::MultiThread, setup, clock))
    }
}

impl Subject for CurrentThread {
    fn name(&self) -> &'static str {
        "testbed, current-thread"
    }

    fn start(&self, setup: &Setup, clock: &ManualClock) -> Result<Arc<dyn Runtime>, Unsupported> {
        if setup.workers == 1 {
            Ok(start(Flavor::CurrentThread, setup, clock))
        } else {
            Err(Unsupported)
        }
    }
}

fn start(flavor: Flavor, setup: &Setup, clock: &ManualClock) -> Arc<dyn Runtime> {
    let builder = match flavor {
        Flavor::MultiThread => Builder::multi_thread(setup.workers),
        Flavor::CurrentThread => Builder::current_thread(),
    };
    let histograms = setup.histograms;
    let runtime = builder
        .local_queue_capacity(QUEUE)
        .max_blocking_threads(setup.blocking_threads)
        .metrics(|metrics| match histograms {
            Some(config) => metrics
                .poll_time(config)
                .schedule_latency(config)
                .blocking_queue_wait(config),
            None => metrics,
        })
        .build(Clock::custom(Arc::clone(clock)))
        .expect("the setup is a valid one");
    Arc::new(Testbed {
        metrics: runtime.metrics().clone(),
        flavor,
        runtime,
    })
}

struct Testbed {
    flavor: Flavor,
    runtime: testbed::Runtime,
    metrics: RuntimeMetrics,
}

impl Testbed {
    /// Returns whether a task is scheduled and not yet taken by a worker.
    fn is_anything_queued(&self) -> bool {
        let depths = (0..self.metrics.num_workers().unwrap_or(0))
            .filter_map(|worker| self.metrics.worker_local_queue_depth(worker).ok());
        depths
            .chain([self.metrics.global_queue_depth()])
            .any(|depth| depth != Some(0))
    }

    /// Returns how often each worker has parked and unparked, if all of them are parked now.
    fn parked(&self) -> Option<Vec<u64>> {
        (0..self.metrics.num_workers().unwrap_or(0))
            .map(|worker| {
                self.metrics
                    .worker_park_unpark_count(worker)
                    .unwrap()
                    .filter(|count| count % 2 == 1)
            })
            .collect()
    }

    fn ready_events(&self) -> Option<u64> {
        self.metrics.io_driver_ready_count()
    }
}

impl Runtime for Testbed {
    fn metrics(&self) -> Option<&RuntimeMetrics> {
        Some(&self.metrics)
    }

    fn spawn(&self, task: Task) -> Box<dyn FnOnce() + Send> {
        let task = self.runtime.spawn(task);
        Box::new(move || task.abort())
    }

    fn block_on(&self, root: Task) -> Result<(), Unsupported> {
        match self.flavor {
            // On this flavour, the thread that calls `block_on` is not a worker, so its polls are not counted.
            Flavor::MultiThread => Err(Unsupported),
            Flavor::CurrentThread => {
                self.runtime.block_on(root);
                Ok(())
            }
        }
    }

    fn wait_until_idle(&self) {
        match self.flavor {
            Flavor::MultiThread => wait_until("all workers say that they are parked", || {
                // A worker submits its unpark before it takes a task, and parks when it has none. The runtime is idle if no task is queued,
                // all workers are parked, and none has woken between two checks.
                let parked = self.parked();
                parked.is_some() && !self.is_anything_queued() && self.parked() == parked
            }),
            Flavor::CurrentThread => {
                // At least one poll of the I/O driver, which follows a poll of the root.
                let mut turned = false;
                self.runtime.block_on(poll_fn(|cx| {
                    if core::mem::replace(&mut turned, true) && !self.is_anything_queued() {
                        return Poll::Ready(());
                    }
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }));
            }
        }
    }

    fn park(&self, times: u64) -> Result<u64, Unsupported> {
        match self.flavor {
            Flavor::MultiThread => {
                // The readiness of a socket without a waiting task wakes the worker in the driver, without work.
                for _ in 0..times {
                    let before = self.ready_events();
                    let _socket = self.register_socket()?;
                    wait_until("the socket is ready", || self.ready_events() != before);
                    self.wait_until_idle();
                }
                Ok(times)
            }
            Flavor::CurrentThread => {
                let mut left = times;
                let count = || self.metrics.worker_park_unpark_count(0);
                self.runtime.block_on(poll_fn(|cx| {
                    if left == 0 {
                        return Poll::Ready(());
                    }
                    left -= 1;
                    let (waker, metrics, before) = (cx.waker().clone(), self.metrics.clone(), count());
                    thread::spawn(move || {
                        wait_until("the worker parks", || {
                            metrics.worker_park_unpark_count(0) != before
                        });
                        waker.wake();
                    });
                    Poll::Pending
                }));
                // Each `block_on` leases the worker anew.
                Ok(times - 1)
            }
        }
    }

    fn spawn_blocking(&self, f: Box<dyn FnOnce() + Send>) -> Result<(), Unsupported> {
        drop(self.runtime.handle().spawn_blocking(f));
        Ok(())
    }

    fn block_in_place(&self, f: &mut dyn FnMut()) -> Result<(), Unsupported> {
        match self.flavor {
            Flavor::MultiThread => {
                testbed::block_in_place(f);
                Ok(())
            }
            Flavor::CurrentThread => Err(Unsupported),
        }
    }

    fn consume_budget(&self) -> Result<Task, Unsupported> {
        Ok(Box::pin(coop::consume_budget()))
    }

    fn budget(&self) -> usize {
        coop::BUDGET as usize
    }

    fn local_queue_capacity(&self) -> Option<usize> {
        Some(QUEUE)
    }

    fn measured(&self, inner: Task) -> Result<Task, Unsupported> {
        Ok(Box::pin(Measured::task(&self.metrics, inner)))
    }

    fn register_socket(&self) -> Result<Box<dyn Any + Send>, Unsupported> {
        let socket = UdpSocket::bind("127.0.0.1:0".parse().expect("an address")).expect("loopback is there");
        let socket = Async::new(self.runtime.handle(), socket).expect("the selector takes a socket");
        Ok(Box::new(socket))
    }
}
