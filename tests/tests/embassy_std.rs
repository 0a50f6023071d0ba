//! embassy-executor on the host, measured through its trace hooks: every count is compared with the counts of the tasks and
//! of the program.
//!
//! The binary contains one test, because the hooks are global and the executor runs one program.

use core::future::{Future, poll_fn};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::task::{Poll, Waker};
use std::pin::pin;
use std::sync::Mutex;
use std::thread;

use embassy_executor::{Executor, SpawnToken, Spawner};
use futures::StreamExt;
use futures::channel::mpsc;
use metrics_core::embassy::{EmbassyConfig, EmbassyMetrics, ExecutorState, MEASURED};
use metrics_core::{Builder, HistogramConfig, Snapshot, StaticRegistryConfig, TimeSource, embassy_trace};
use metrics_mock::ManualClock;
use tests::yield_now;

const BUCKETS: usize = 8;
/// Fewer rows than tasks.
const ROWS: usize = 5;

const LAYOUT: HistogramConfig = match HistogramConfig::power_of_two(1_000, BUCKETS) {
    Ok(layout) => layout,
    Err(_) => panic!("a layout of 8 buckets"),
};

struct Config;

impl EmbassyConfig<1, BUCKETS> for Config {
    const REGISTRY: StaticRegistryConfig<1, BUCKETS> = match Builder::new()
        .measures(MEASURED)
        .poll_time(LAYOUT)
        .schedule_latency(LAYOUT)
        .describe(1_000_000_000, core::time::Duration::from_nanos(1))
    {
        Ok(config) => config,
        Err(_) => panic!("two histograms of 8 buckets fit"),
    };
}

static METRICS: EmbassyMetrics<Config, ManualClock, 1, ROWS, BUCKETS> =
    EmbassyMetrics::new(ManualClock::new());

embassy_trace!(METRICS);

/// The counts that a task keeps itself.
struct Own {
    task: AtomicU32,
    polls: AtomicU32,
}

impl Own {
    const fn new() -> Self {
        Self {
            task: AtomicU32::new(0),
            polls: AtomicU32::new(0),
        }
    }

    fn name<S>(&self, token: SpawnToken<S>) -> SpawnToken<S> {
        self.task.store(token.id(), Ordering::Relaxed);
        token
    }

    async fn count(&self, future: impl Future<Output = ()>) {
        let mut future = pin!(future);
        poll_fn(|cx| {
            self.polls.fetch_add(1, Ordering::Relaxed);
            // Each poll takes a microsecond by the clock, which only tasks advance.
            METRICS.registry().clock().advance_ticks(1_000);
            future.as_mut().poll(cx)
        })
        .await;
    }

    fn polls(&self) -> u64 {
        u64::from(self.polls.load(Ordering::Relaxed))
    }
}

static YIELDER: Own = Own::new();
static RECEIVER: Own = Own::new();
static ONCE: Own = Own::new();
static LATE: Own = Own::new();
static SUPERVISOR: Own = Own::new();
/// Tasks for which there is no row.
static CROWD: Own = Own::new();

const YIELDS: u32 = 100;
const MESSAGES: u32 = 500;
const LIVES: u32 = 7;
const CROWD_SIZE: u32 = 6;

static RECEIVED: AtomicU32 = AtomicU32::new(0);
static ENDED: AtomicU32 = AtomicU32::new(0);
static LATE_WAKER: Mutex<Option<Waker>> = Mutex::new(None);
static DONE: AtomicBool = AtomicBool::new(false);

#[embassy_executor::task]
async fn yielder() {
    YIELDER
        .count(async {
            for _ in 0..YIELDS {
                yield_now().await;
            }
            ENDED.fetch_add(1, Ordering::Relaxed);
        })
        .await;
}

#[embassy_executor::task]
async fn receiver(mut messages: mpsc::UnboundedReceiver<u32>) {
    RECEIVER
        .count(async {
            while messages.next().await.is_some() {
                RECEIVED.fetch_add(1, Ordering::Relaxed);
            }
            ENDED.fetch_add(1, Ordering::Relaxed);
        })
        .await;
}

#[embassy_executor::task]
async fn once() {
    ONCE.count(async {
        yield_now().await;
        ENDED.fetch_add(1, Ordering::Relaxed);
    })
    .await;
}

/// Stores its waker.
#[embassy_executor::task]
async fn late() {
    LATE.count(poll_fn(|cx| {
        *LATE_WAKER.lock().expect("nobody panics holding it") = Some(cx.waker().clone());
        ENDED.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(())
    }))
    .await;
}

#[embassy_executor::task(pool_size = CROWD_SIZE as usize)]
async fn crowd() {
    CROWD
        .count(async {
            yield_now().await;
            ENDED.fetch_add(1, Ordering::Relaxed);
        })
        .await;
}

#[embassy_executor::task]
async fn supervisor(spawner: Spawner) {
    SUPERVISOR
        .count(async {
            for _ in 0..LIVES {
                let ended = ENDED.load(Ordering::Relaxed);
                // Its storage is free after the previous task has ended.
                let token = loop {
                    match once() {
                        Ok(token) => break token,
                        Err(_) => yield_now().await,
                    }
                };
                spawner.spawn(ONCE.name(token));
                while ENDED.load(Ordering::Relaxed) == ended {
                    yield_now().await;
                }
            }
            let all = 3 + (LIVES + 1) + CROWD_SIZE;
            while ENDED.load(Ordering::Relaxed) < all {
                yield_now().await;
            }
            // A task that has ended is queued once more and not polled.
            let waker = LATE_WAKER.lock().expect("nobody panics holding it").take();
            waker.expect("the task ran").wake();
            yield_now().await;
            yield_now().await;
            DONE.store(true, Ordering::Relaxed);
        })
        .await;
}

#[test]
fn every_count_is_what_the_program_counted() {
    let (sender, messages) = mpsc::unbounded();
    let other_thread = thread::spawn(move || {
        for message in 0..MESSAGES {
            sender
                .unbounded_send(message)
                .expect("the receiver outlives the sender");
        }
    });
    let executor: &'static mut Executor = Box::leak(Box::new(Executor::new()));
    executor.run_until(
        |spawner| {
            spawner.spawn(SUPERVISOR.name(supervisor(spawner).expect("a free task")));
            spawner.spawn(YIELDER.name(yielder().expect("a free task")));
            spawner.spawn(RECEIVER.name(receiver(messages).expect("a free task")));
            spawner.spawn(LATE.name(late().expect("a free task")));
            // The fifth row is for the short-lived task, which takes it before the other tasks are spawned.
            spawner.spawn(ONCE.name(once().expect("a free task")));
            for _ in 0..CROWD_SIZE {
                spawner.spawn(crowd().expect("a free task"));
            }
        },
        || DONE.load(Ordering::Relaxed),
    );
    other_thread.join().expect("it only sends");
    assert_eq!(RECEIVED.load(Ordering::Relaxed), MESSAGES);

    let trace = METRICS.trace();
    assert_eq!(trace.tasks.len(), ROWS);
    let lives_of_once = u64::from(LIVES) + 1;
    for (own, lives, ghosts) in [
        (&YIELDER, 1, 0..=0),
        // A receiver ends when its sender is dropped, and the sender's own wake may come after that.
        (&RECEIVER, 1, 0..=1),
        (&ONCE, lives_of_once, 0..=0),
        (&LATE, 1, 1..=1),
        (&SUPERVISOR, 1, 0..=0),
    ] {
        let task = own.task.load(Ordering::Relaxed);
        let row = trace
            .tasks
            .iter()
            .find(|row| row.task == task)
            .expect("a row for the task");
        assert_eq!(
            row.polls,
            own.polls(),
            "each poll is one call of the task's future"
        );
        assert!(
            ghosts.contains(&(row.wakes - own.polls())),
            "each wake led to one poll, but for that of an ended task: {} wakes, {} polls",
            row.wakes,
            own.polls()
        );
        assert_eq!((row.spawned, row.ended), (lives, lives));
        assert_eq!(row.active, own.polls() * 1_000);
        assert_eq!(row.longest, 1_000);
        assert!(!row.polling && !row.stale);
    }
    assert_eq!(YIELDER.polls(), u64::from(YIELDS) + 1);
    assert_eq!(ONCE.polls(), 2 * lives_of_once);
    let overflow = trace.overflow;
    assert_eq!(
        (overflow.spawned, overflow.ended),
        (u64::from(CROWD_SIZE), u64::from(CROWD_SIZE))
    );
    assert_eq!((overflow.polls, overflow.wakes), (CROWD.polls(), CROWD.polls()));
    assert_eq!(overflow.active, CROWD.polls() * 1_000);

    let polls = [&YIELDER, &RECEIVER, &ONCE, &LATE, &SUPERVISOR, &CROWD]
        .map(Own::polls)
        .iter()
        .sum::<u64>();
    let executor = trace.executors[0];
    assert_eq!((executor.state, executor.polls), (ExecutorState::Idle, polls));
    assert_eq!(executor.polling, polls * 1_000);
    assert_eq!(
        (executor.scheduling, executor.preempted),
        (0, 0),
        "the clock moves within polls only"
    );
    let mut snapshot = Snapshot::EMPTY;
    METRICS.metrics().snapshot_into(&mut snapshot);
    let worker = snapshot.worker(0).expect("a worker for the executor");
    assert_eq!(worker.poll_count(), Some(polls));
    assert_eq!(
        worker.poll_time().expect("a poll time").histogram().count(),
        polls
    );
    assert_eq!(
        worker.schedule_latency().expect("a latency").samples(),
        polls - CROWD.polls(),
        "no stamp without a row"
    );
    let tasks = snapshot.tasks().expect("task counts");
    let spawned = 4 + lives_of_once + u64::from(CROWD_SIZE);
    assert_eq!(
        (tasks.spawned, tasks.completed, tasks.alive()),
        (spawned, spawned, 0)
    );
    assert_eq!(METRICS.registry().clock().now().ticks(), polls * 1_000);
}
