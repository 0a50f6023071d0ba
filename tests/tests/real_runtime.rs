//! Tests of the testbed runtime: tasks run, are stolen, cancelled and joined; sockets work; a shutdown ends all tasks and threads.

use core::future::{pending, poll_fn};
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::Poll;
use std::io::{Read, Write};
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::mpsc;

use metrics_core::NoClock;
use metrics_std::Clock;
use mio::net::{TcpListener, TcpStream};
use tests::testbed::io::Async;
use tests::testbed::{Builder, Runtime, block_in_place, coop};
use tests::yield_now;

fn flavors() -> [Runtime; 3] {
    [
        Builder::multi_thread(1),
        Builder::multi_thread(4),
        Builder::current_thread(),
    ]
    .map(|builder| builder.build(Clock::custom(NoClock)).unwrap())
}

#[test]
fn every_task_runs_to_its_end() {
    for runtime in flavors() {
        let done = Arc::new(AtomicUsize::new(0));
        let handle = runtime.handle().clone();
        runtime.block_on(async {
            let tasks: Vec<_> = (0..100)
                .map(|_| {
                    let (done, handle) = (Arc::clone(&done), handle.clone());
                    runtime.spawn(async move {
                        let children: Vec<_> = (0..20)
                            .map(|_| {
                                let done = Arc::clone(&done);
                                handle.spawn(async move {
                                    yield_now().await;
                                    done.fetch_add(1, Ordering::Relaxed);
                                })
                            })
                            .collect();
                        for child in children {
                            child.await.unwrap();
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert_eq!(done.load(Ordering::Relaxed), 2_000);
    }
}

#[test]
fn an_idle_worker_takes_over_what_a_blocked_one_has_queued() {
    let runtime = Builder::multi_thread(2).build(Clock::custom(NoClock)).unwrap();
    let handle = runtime.handle().clone();
    let (done, finished) = mpsc::channel();
    runtime.block_on(runtime.spawn(async move {
        for _ in 0..10 {
            let done = done.clone();
            drop(handle.spawn(async move { done.send(()).unwrap() }));
        }
        // The LIFO slot holds the last task. The other nine can be stolen while this poll blocks its worker.
        for _ in 0..9 {
            finished.recv().unwrap();
        }
    }));
}

#[test]
fn a_full_queue_overflows_and_loses_nothing() {
    let runtime = Builder::multi_thread(1)
        .local_queue_capacity(4)
        .build(Clock::custom(NoClock))
        .unwrap();
    let handle = runtime.handle().clone();
    let outputs = runtime.block_on(runtime.spawn(async move {
        let tasks: Vec<_> = (0..50).map(|i| handle.spawn(async move { i })).collect();
        let mut outputs = Vec::new();
        for task in tasks {
            outputs.push(task.await.unwrap());
        }
        outputs
    }));
    assert_eq!(outputs, Some((0..50).collect()));
}

#[test]
fn a_panic_goes_to_whoever_joins_and_the_worker_goes_on() {
    for runtime in flavors() {
        let task = runtime.spawn(async { panic!("expected by the test") });
        assert!(catch_unwind(AssertUnwindSafe(|| runtime.block_on(task))).is_err());
        assert_eq!(runtime.block_on(runtime.spawn(async { 7 })), Some(7));
    }
}

#[test]
fn a_budget_makes_a_greedy_task_yield() {
    let runtime = Builder::current_thread().build(Clock::custom(NoClock)).unwrap();
    let polls = runtime.block_on(async {
        let mut polls = 0;
        let mut units = Box::pin(async {
            for _ in 0..2 * coop::BUDGET {
                coop::consume_budget().await;
            }
        });
        let task = runtime.spawn(poll_fn(move |cx| {
            polls += 1;
            units.as_mut().poll(cx).map(|()| polls)
        }));
        task.await.unwrap()
    });
    assert_eq!(polls, 2);
}

#[test]
fn sockets_are_ready_when_the_peer_writes() {
    for runtime in flavors() {
        let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let listener = Async::new(runtime.handle(), listener).unwrap();
        let handle = runtime.handle().clone();
        let server = runtime.spawn(async move {
            let (stream, _) = listener.read_with(TcpListener::accept).await.unwrap();
            let stream = Async::new(&handle, stream).unwrap();
            let mut buffer = [0; 16];
            let read = stream
                .read_with(|mut stream| stream.read(&mut buffer))
                .await
                .unwrap();
            stream
                .write_with(|mut stream| stream.write(&buffer[..read]))
                .await
                .unwrap()
        });
        let client = Async::new(runtime.handle(), TcpStream::connect(address).unwrap()).unwrap();
        let client = runtime.spawn(async move {
            // A write before the connection fails with `NotConnected`, so wait for writability by querying the peer's address.
            client
                .write_with(|stream| {
                    stream
                        .peer_addr()
                        .map_err(|_| std::io::ErrorKind::WouldBlock.into())
                })
                .await
                .unwrap();
            client
                .write_with(|mut stream| stream.write(b"ping"))
                .await
                .unwrap();
            let mut buffer = [0; 16];
            let read = client
                .read_with(|mut stream| stream.read(&mut buffer))
                .await
                .unwrap();
            buffer[..read].to_vec()
        });
        assert_eq!(runtime.block_on(client), Some(b"ping".to_vec()));
        assert_eq!(runtime.block_on(server), Some(4));
    }
}

#[test]
fn blocking_closures_run_beside_the_workers() {
    for runtime in flavors() {
        let (release, blocked) = mpsc::channel();
        let first = runtime.handle().spawn_blocking(move || blocked.recv().unwrap());
        let second = runtime.handle().spawn_blocking(move || release.send(3).unwrap());
        assert_eq!(runtime.block_on(second), Some(()));
        assert_eq!(runtime.block_on(first), Some(3));
    }
}

#[test]
fn a_blocking_poll_hands_its_worker_over() {
    let runtime = Builder::multi_thread(1).build(Clock::custom(NoClock)).unwrap();
    let handle = runtime.handle().clone();
    let task = runtime.spawn(async move {
        let (done, finished) = mpsc::channel();
        drop(handle.spawn(async move { done.send(11).unwrap() }));
        // Only another thread can run that task, because this one is in a poll.
        block_in_place(move || finished.recv().unwrap())
    });
    assert_eq!(runtime.block_on(task), Some(11));
}

#[test]
fn a_shutdown_drops_every_task_that_is_left() {
    for runtime in flavors() {
        let held = Arc::new(());
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let held = Arc::clone(&held);
                runtime.spawn(async move {
                    pending::<()>().await;
                    drop(held);
                })
            })
            .collect();
        let handle = runtime.handle().clone();
        drop(runtime);
        assert_eq!(Arc::strong_count(&held), 1);
        assert!(tasks.iter().all(tests::testbed::JoinHandle::is_finished));
        assert!(
            handle.spawn(async {}).is_finished(),
            "nothing is accepted any more"
        );
    }
}

#[test]
fn an_aborted_task_is_dropped_without_a_poll() {
    let runtime = Builder::current_thread().build(Clock::custom(NoClock)).unwrap();
    let polls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&polls);
    let task = runtime.spawn(poll_fn(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        Poll::<()>::Pending
    }));
    runtime.block_on(yield_now());
    assert_eq!(polls.load(Ordering::Relaxed), 1);
    task.abort();
    runtime.block_on(yield_now());
    assert_eq!(Arc::strong_count(&polls), 1, "the future is gone");
    assert_eq!(polls.load(Ordering::Relaxed), 1);
}
