//! Runs threads and runtimes that come and go for some minutes, with readers in tight loops. Every count must be exact,
//! and memory and descriptors must not grow. `cargo xtask soak` runs it.
#![allow(
    clippy::disallowed_types,
    reason = "it runs on servers, which have these atomics"
)]
#![allow(clippy::std_instead_of_core, reason = "a program with std")]

use std::error::Error;
use std::fs;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use metrics_std::tokio::{MeasuredRuntime, TokioAdapter};
use metrics_std::{Builder, Clock, HistogramConfig, Measured, RuntimeMetrics, Snapshot, build_wrapped};
use tests::yield_now;
use tokio::runtime::Builder as TokioBuilder;

const WORKERS: usize = 4;
/// Tasks of a runtime, which lives for one round. Every 16th is cancelled and every 64th panics.
const TASKS: u64 = 20_000;
const YIELDS: u64 = 16;
/// Threads of a round that poll wrapped tasks on the runtime that lives as long as the program.
const THREADS: u64 = 16;
const TASKS_OF_A_THREAD: u64 = 500;
/// Rounds before memory and descriptors are first looked at.
const WARM_UP: u64 = 5;
/// The growth that an allocator may show without a leak.
const SLACK: u64 = 24 << 20;

/// What happened, counted by the tasks themselves.
#[derive(Default)]
struct Truth {
    polls: AtomicU64,
    spawned: AtomicU64,
    completed: AtomicU64,
    panicked: AtomicU64,
}

impl Truth {
    fn count(counter: &AtomicU64) {
        // Ordering: relaxed: the threads are joined before the count is read.
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn of(counter: &AtomicU64) -> u64 {
        // Ordering: relaxed: as in `count`.
        counter.load(Ordering::Relaxed)
    }
}

/// Polls itself `yields` times more. Each poll is counted by the task.
async fn work(truth: Arc<Truth>, yields: u64) {
    for _ in 0..yields {
        Truth::count(&truth.polls);
        yield_now().await;
    }
    Truth::count(&truth.polls);
    Truth::count(&truth.completed);
}

fn metrics_of_all(builder: Builder<'_>) -> Builder<'_> {
    builder
        .poll_time(HistogramConfig::DEFAULT)
        .schedule_latency(HistogramConfig::DEFAULT)
        .locations(64)
        .flight_recorder(255)
}

/// Checks a snapshot that a reader took at any time, and returns its polls.
fn check(snapshot: &Snapshot, before: u64) -> u64 {
    let total = snapshot.total();
    let polls = total.poll_count().unwrap_or(0);
    assert!(polls >= before, "polls went back from {before} to {polls}");
    if let Some(times) = total.poll_time() {
        let histogram = times.histogram();
        assert_eq!(histogram.count(), times.samples());
        assert_eq!(histogram.buckets().iter().sum::<u64>(), times.samples());
        assert!(times.samples() <= times.polls());
    }
    let ended = [
        snapshot.completed_tasks_count(),
        snapshot.cancelled_tasks_count(),
        snapshot.panicked_tasks_count(),
    ];
    let ended: u64 = ended.into_iter().flatten().sum();
    assert!(ended <= snapshot.spawned_tasks_count().unwrap_or(0));
    polls
}

/// Reads in a tight loop until `stop`, and returns the number of reads.
fn read(metrics: &RuntimeMetrics, stop: &AtomicBool) -> u64 {
    let mut reader = metrics.reader();
    let (mut reads, mut polls) = (0, 0);
    // Ordering: relaxed: nothing else is communicated.
    while !stop.load(Ordering::Relaxed) {
        polls = check(reader.read(), polls);
        reads += 1;
    }
    reads
}

/// A runtime with its tasks, from its first thread to its last. Returns its polls.
fn runtime_that_ends(stop: &AtomicBool) -> Result<u64, Box<dyn Error>> {
    let truth = Arc::new(Truth::default());
    let mut builder = TokioBuilder::new_multi_thread();
    let MeasuredRuntime {
        runtime,
        metrics,
        spawner,
    } = TokioAdapter::builder()
        .configure(metrics_of_all)
        .build(builder.worker_threads(WORKERS))?;
    thread::scope(|scope| {
        let reader = scope.spawn(|| read(&metrics, stop));
        let tasks: Vec<_> = (0..TASKS)
            .map(|number| {
                Truth::count(&truth.spawned);
                let truth = Arc::clone(&truth);
                let task = spawner.spawn(async move {
                    if number % 64 == 1 {
                        Truth::count(&truth.polls);
                        Truth::count(&truth.panicked);
                        // Unlike `panic!` it does not call the hook, which would print it.
                        std::panic::resume_unwind(Box::new(number));
                    }
                    work(truth, YIELDS).await;
                });
                if number % 16 == 2 {
                    task.abort();
                }
                task
            })
            .collect();
        runtime.block_on(async {
            for task in tasks {
                // Some are cancelled or have panicked.
                let _ = task.await;
            }
        });
        drop(runtime);
        // Ordering: relaxed: the reader only ends by it.
        stop.store(true, Ordering::Relaxed);
        reader.join().expect("the reader's checks hold");
    });
    let snapshot = metrics.snapshot();
    let total = snapshot.total();
    assert_eq!(total.poll_count(), Some(Truth::of(&truth.polls)));
    assert_eq!(
        total.poll_time().map(|times| times.histogram().count()),
        Some(Truth::of(&truth.polls))
    );
    assert_eq!(snapshot.spawned_tasks_count(), Some(Truth::of(&truth.spawned)));
    assert_eq!(
        snapshot.completed_tasks_count(),
        Some(Truth::of(&truth.completed))
    );
    assert_eq!(snapshot.panicked_tasks_count(), Some(Truth::of(&truth.panicked)));
    assert_eq!(snapshot.num_alive_tasks(), Some(0));
    let ended = [&truth.completed, &truth.panicked]
        .map(Truth::of)
        .iter()
        .sum::<u64>();
    assert_eq!(snapshot.cancelled_tasks_count(), Some(TASKS - ended));
    Ok(total.poll_count().unwrap_or(0))
}

/// Threads that come, poll tasks of a runtime that stays, and go.
fn threads_that_end(metrics: &RuntimeMetrics, truth: &Arc<Truth>) {
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..TASKS_OF_A_THREAD {
                    Truth::count(&truth.spawned);
                    let task = Measured::task(metrics, work(Arc::clone(truth), YIELDS));
                    futures::executor::block_on(task);
                }
            });
        }
    });
    let snapshot = metrics.snapshot();
    assert_eq!(metrics.poll_count().ok().flatten(), Some(Truth::of(&truth.polls)));
    assert_eq!(snapshot.spawned_tasks_count(), Some(Truth::of(&truth.spawned)));
    assert_eq!(
        snapshot.completed_tasks_count(),
        Some(Truth::of(&truth.completed))
    );
    assert_eq!(metrics.covered_tasks(), Some(0));
}

/// The resident memory in bytes and the open descriptors of this process, on Linux.
fn resources() -> Option<(u64, usize)> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    let descriptors = fs::read_dir("/proc/self/fd").ok()?.count();
    Some((pages * 4096, descriptors))
}

fn run(minutes: u64) -> Result<(), Box<dyn Error>> {
    let end = Instant::now() + Duration::from_secs(60 * minutes);
    let lasting = build_wrapped(metrics_of_all(Builder::new()), Clock::new())?;
    let truth = Arc::new(Truth::default());
    let (stop, reads) = (AtomicBool::new(false), AtomicU64::new(0));
    let (mut rounds, mut polls, mut before) = (0, 0, None);
    thread::scope(|scope| -> Result<(), Box<dyn Error>> {
        scope.spawn(|| reads.store(read(&lasting, &stop), Ordering::Relaxed));
        while rounds < WARM_UP + 1 || Instant::now() < end {
            polls += runtime_that_ends(&AtomicBool::new(false))?;
            threads_that_end(&lasting, &truth);
            rounds += 1;
            if rounds == WARM_UP {
                before = resources();
            }
        }
        // Ordering: relaxed: the reader only ends by it.
        stop.store(true, Ordering::Relaxed);
        Ok(())
    })?;
    polls += Truth::of(&truth.polls);
    println!(
        "{rounds} runtimes, {} threads, {} tasks, {polls} polls, all counted; {} reads of the lasting runtime",
        rounds * (WORKERS as u64 + THREADS),
        rounds * (TASKS + THREADS * TASKS_OF_A_THREAD),
        reads.into_inner()
    );
    let (Some((memory, descriptors)), Some((memory_now, descriptors_now))) = (before, resources()) else {
        println!("memory and descriptors are not checked: there is no /proc/self");
        return Ok(());
    };
    println!(
        "memory {} KiB after {WARM_UP} rounds, {} KiB at the end; descriptors {descriptors}, {descriptors_now}",
        memory >> 10,
        memory_now >> 10
    );
    assert!(memory_now <= memory + SLACK, "memory has grown");
    assert_eq!(descriptors_now, descriptors, "open descriptors");
    Ok(())
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let minutes = match args.as_slice() {
        [minutes] => minutes.parse().ok(),
        _ => None,
    };
    let Some(minutes) = minutes else {
        eprintln!("usage: soak MINUTES");
        return ExitCode::FAILURE;
    };
    // A failed check ends the program: the readers on other threads would go on without end.
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("{panic}");
        std::process::exit(1);
    }));
    match run(minutes) {
        Ok(()) => {
            println!("1 passed, 0 failed");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}
