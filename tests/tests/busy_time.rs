//! Busy time against the truth on real Tokio runtimes: the time during which workers were not parked.
//!
//! Tasks measure their own spans, and every bound follows from the moments at which the test reads the clock. A machine under load delays
//! both alike, so that no bound depends on its speed.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use metrics_std::RuntimeMetrics;
use metrics_std::tokio::{MeasuredRuntime, TokioAdapter};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{block_in_place, yield_now};

fn multi_thread(workers: usize) -> (Runtime, RuntimeMetrics) {
    let mut builder = Builder::new_multi_thread();
    let built = TokioAdapter::builder().build(builder.worker_threads(workers).enable_all());
    let MeasuredRuntime { runtime, metrics, .. } = built.expect("the defaults work");
    (runtime, metrics)
}

fn busy(metrics: &RuntimeMetrics) -> Duration {
    let busy = metrics.busy_duration_total().expect("one load per worker");
    busy.expect("the adapter measures it")
}

/// The busy time of all workers between two readings, with the least and the most time that can have passed between them.
struct Readings {
    busy: Duration,
    least: Duration,
    most: Duration,
}

/// Reads busy time before and after `run`.
fn readings(metrics: &RuntimeMetrics, run: impl FnOnce()) -> Readings {
    let before_first = Instant::now();
    let first = busy(metrics);
    let after_first = Instant::now();
    run();
    let before_last = Instant::now();
    let last = busy(metrics);
    Readings {
        busy: last.checked_sub(first).expect("busy time never decreases"),
        least: before_last - after_first,
        most: before_first.elapsed(),
    }
}

/// 95 % of a duration.
fn nearly(duration: Duration) -> Duration {
    duration * 19 / 20
}

/// 105 % of a duration.
fn little_more(duration: Duration) -> Duration {
    duration * 21 / 20
}

/// Computes for this long, and returns how long it was.
fn spin(duration: Duration) -> Duration {
    let start = Instant::now();
    while start.elapsed() < duration {
        core::hint::spin_loop();
    }
    start.elapsed()
}

const SECOND: Duration = Duration::from_secs(1);

/// Tasks that keep the workers from parking, until this is dropped. No wrapper measures them.
struct Load(Arc<AtomicBool>);

impl Load {
    /// Starts `tasks` tasks, which call `work` again and again, and waits for each to run.
    fn start(runtime: &Runtime, tasks: usize, work: fn(u32)) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (started, has_started) = mpsc::channel();
        for _ in 0..tasks {
            let (running, must_end) = (started.clone(), Arc::clone(&stop));
            runtime.spawn(async move {
                running.send(()).expect("the test waits");
                let mut steps = 0;
                while !must_end.load(Ordering::Relaxed) {
                    steps += 1;
                    work(steps);
                    yield_now().await;
                }
            });
        }
        (0..tasks).for_each(|_| has_started.recv().expect("every task starts"));
        Self(stop)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn saturated_workers_are_busy_all_the_time_from_the_first_second() {
    let (runtime, metrics) = multi_thread(2);
    // More tasks than workers, of 200 us each: no worker parks.
    let load = Load::start(&runtime, 6, |_| {
        spin(Duration::from_micros(200));
    });
    for _ in 0..2 {
        let seen = readings(&metrics, || thread::sleep(SECOND));
        assert!(
            seen.busy >= nearly(2 * seen.least),
            "{:?} of {:?}",
            seen.busy,
            2 * seen.least
        );
        assert!(
            seen.busy <= little_more(2 * seen.most),
            "{:?} of {:?}",
            seen.busy,
            2 * seen.most
        );
    }
    drop(load);
}

#[test]
fn saturated_workers_that_are_handed_over_are_busy_all_the_time() {
    let (runtime, metrics) = multi_thread(2);
    // Each task gives its worker away now and then. There are always more tasks than workers that are ready.
    let load = Load::start(&runtime, 8, |step| {
        spin(Duration::from_micros(200));
        if step % 16 == 0 {
            block_in_place(|| thread::sleep(Duration::from_millis(1)));
        }
    });
    let seen = readings(&metrics, || thread::sleep(SECOND));
    assert!(
        seen.busy >= nearly(2 * seen.least),
        "{:?} of {:?}",
        seen.busy,
        2 * seen.least
    );
    assert!(
        seen.busy <= little_more(2 * seen.most),
        "{:?} of {:?}",
        seen.busy,
        2 * seen.most
    );
    drop(load);
}

#[test]
fn one_long_poll_is_busy_while_it_lasts() {
    let (runtime, metrics) = multi_thread(1);
    let (begin, has_begun) = mpsc::channel();
    let load = Load(Arc::default());
    let must_end = Arc::clone(&load.0);
    let task = runtime.spawn(async move {
        begin.send(()).expect("the test waits");
        while !must_end.load(Ordering::Relaxed) {
            core::hint::spin_loop();
        }
    });
    has_begun.recv().expect("the task runs");
    let seen = readings(&metrics, || thread::sleep(SECOND / 2));
    assert!(
        seen.busy >= nearly(seen.least),
        "{:?} of {:?}",
        seen.busy,
        seen.least
    );
    assert!(
        seen.busy <= little_more(seen.most),
        "{:?} of {:?}",
        seen.busy,
        seen.most
    );
    drop(load);
    runtime.block_on(task).expect("it returns");
}

/// Spins of 2 ms with sleeps between them, each followed by `after`. Returns the sum of the spins, as the task measures them.
async fn now_and_then(after: fn()) -> Duration {
    let mut spent = Duration::ZERO;
    for _ in 0..100 {
        spent += spin(Duration::from_millis(2));
        after();
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    spent
}

/// Runs them on a runtime of one worker. Returns the readings, Tokio's own busy time, and the sum of the spins.
fn mostly_idle(after: fn()) -> (Readings, Duration, Duration) {
    let (runtime, metrics) = multi_thread(1);
    let tokio = runtime.metrics();
    let is_parked = || !tokio.worker_park_unpark_count(0).is_multiple_of(2);
    let wait = || {
        let began = Instant::now();
        while !is_parked() {
            assert!(began.elapsed() < 20 * SECOND, "the worker never parks");
            thread::yield_now();
        }
    };
    wait();
    let before = tokio.worker_total_busy_duration(0);
    let mut spun = Duration::ZERO;
    let seen = readings(&metrics, || {
        spun = runtime
            .block_on(runtime.spawn(now_and_then(after)))
            .expect("it does not panic");
        wait();
    });
    (
        seen,
        tokio.worker_total_busy_duration(0).saturating_sub(before),
        spun,
    )
}

#[test]
fn a_worker_that_parks_between_its_polls_is_busy_in_them() {
    let (seen, tokio, spun) = mostly_idle(|| ());
    assert!(seen.busy >= spun, "{:?}, spun {spun:?}", seen.busy);
    // Both are taken at the same parks and unparks, a few instructions apart. On a busy machine, the thread may wait for a processor between
    // two of these instructions. The worker sleeps for 300 ms.
    assert!(seen.busy >= nearly(tokio), "{:?}, Tokio's {tokio:?}", seen.busy);
    assert!(
        seen.busy <= tokio + Duration::from_millis(75),
        "{:?}, Tokio's {tokio:?}",
        seen.busy
    );
}

#[test]
fn a_worker_that_was_given_away_keeps_the_time_before() {
    let (seen, tokio, spun) = mostly_idle(|| block_in_place(|| thread::sleep(Duration::from_millis(2))));
    assert!(
        seen.busy >= nearly(spun),
        "{:?}, spun {spun:?}, Tokio's {tokio:?}",
        seen.busy
    );
    // The thread that blocks has given its worker away. Until another thread runs it, the worker is not parked.
    assert!(seen.busy <= seen.most, "{:?} of {:?}", seen.busy, seen.most);
}
