//! A server of hyper on smol.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use metrics_std::{Builder, Clock, smol::Executor};
use smol::channel::bounded;
use smol::net::TcpListener;
use smol_hyper::rt::FuturesIo;

#[test]
fn a_server_on_smol_is_measured() {
    const REQUESTS: u64 = 3;
    let executor = Executor::new(Builder::new().name("api"), Clock::new()).expect("the defaults work");
    let listener = smol::block_on(TcpListener::bind("127.0.0.1:0")).expect("no free port");
    let address = listener.local_addr().expect("it is bound");
    let (stop, stopped) = bounded::<()>(1);

    thread::scope(|scope| {
        let workers = [stopped.clone(), stopped].map(|stopped| {
            let executor = executor.clone();
            scope.spawn(move || smol::block_on(executor.run(async move { stopped.recv().await.is_err() })))
        });
        let accept: smol::Task<()> = executor.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("it is bound");
                let serve =
                    http1::Builder::new().serve_connection(FuturesIo::new(stream), service_fn(super::answer));
                metrics_std::smol::spawn(async { serve.await.is_ok() }).detach();
            }
        });
        for _ in 0..REQUESTS {
            let mut stream = TcpStream::connect(address).expect("it listens");
            stream
                .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                .expect("it reads");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("it answers");
            assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
        }
        let metrics = executor.metrics();
        // The accept loop stays.
        super::until(|| metrics.completed_tasks_count() == Some(REQUESTS));
        super::until(|| metrics.num_workers() == Some(2));
        // Every worker is idle at some time.
        super::until(|| metrics.park_count().is_ok_and(|parks| parks >= Some(2)));
        assert_eq!(metrics.num_alive_tasks(), Some(1));
        assert_eq!(smol::block_on(accept.cancel()), None);
        drop(stop);
        for worker in workers {
            assert!(worker.join().expect("no task panics"));
        }
    });

    let metrics = executor.metrics();
    assert_eq!(metrics.cancelled_tasks_count(), Some(1), "the accept loop");
    assert_eq!(metrics.num_workers(), None);
    let total = metrics.snapshot();
    let total = total.total();
    // Each task has been polled.
    assert!(total.poll_count() > Some(REQUESTS));
    assert!(total.busy_duration_total() > Some(Duration::ZERO));
}
