//! The tasks that each embassy program runs. Each counts its own polls, for comparison with the counts of the hooks.

use core::future::{Future, poll_fn};
use core::pin::pin;

use embassy_executor::{SpawnError, SpawnToken, Spawner};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use embassy_time::{Duration, Instant, Ticker, Timer};
use metrics_core::embassy::TaskRow;
use portable_atomic::{AtomicU32, Ordering};

use crate::metrics::{METRICS, Trace};

/// Messages that go from `ping` to `pong` and back.
pub const MESSAGES: u32 = 50;
/// The duration of each poll of the hog, in real time.
pub const HOG: Duration = Duration::from_millis(30);
pub const HOGS: u32 = 4;
/// The duration of each run of the interrupt handler.
pub const UART_WORK: Duration = Duration::from_micros(400);
/// How often the ticker raises it.
pub const TICKS: u32 = 20;
/// How often the short-lived task is spawned.
pub const ONCE: u64 = 3;

/// A task's own count of its polls.
pub struct Polls {
    pub name: &'static str,
    task: AtomicU32,
    count: AtomicU32,
}

impl Polls {
    const fn new(name: &'static str) -> Self {
        Self {
            name,
            task: AtomicU32::new(0),
            count: AtomicU32::new(0),
        }
    }

    /// Returns the polls of the task with this name.
    pub fn of(name: &str) -> &'static Self {
        POLLS
            .iter()
            .find(|polls| polls.name == name)
            .expect("a task of that name")
    }

    /// Returns those of the tasks that this program has spawned.
    pub fn spawned() -> impl Iterator<Item = &'static Self> {
        POLLS
            .iter()
            .filter(|polls| polls.task.load(Ordering::Relaxed) != 0)
    }

    /// Returns the row of the task.
    pub fn row<'a>(&self, trace: &'a Trace) -> &'a TaskRow {
        let task = self.task.load(Ordering::Relaxed);
        let row = trace.tasks.iter().find(|row| row.task == task);
        row.expect("a row for the task")
    }

    pub fn count(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }
}

static POLLS: [Polls; 7] = [
    Polls::new("urgent"),
    Polls::new("ticker"),
    Polls::new("ping"),
    Polls::new("pong"),
    Polls::new("hog"),
    Polls::new("once"),
    Polls::new("supervisor"),
];

/// Runs a task's whole future, counting its polls.
pub async fn counted(name: &str, future: impl Future<Output = ()>) {
    let polls = Polls::of(name);
    let mut future = pin!(future);
    poll_fn(|cx| {
        polls.count.fetch_add(1, Ordering::Relaxed);
        future.as_mut().poll(cx)
    })
    .await;
}

/// Spawns a task, and names its row.
pub fn spawn_named<S>(spawn: impl FnOnce(SpawnToken<S>), name: &str, token: SpawnToken<S>) {
    let task = token.id();
    Polls::of(name).task.store(task, Ordering::Relaxed);
    spawn(token);
    METRICS.name_task(task, name);
}

static PING: Channel<CriticalSectionRawMutex, u32, 1> = Channel::new();
static PONG: Channel<CriticalSectionRawMutex, u32, 1> = Channel::new();
pub static DONE: Channel<CriticalSectionRawMutex, &str, 8> = Channel::new();
static RECEIVED: AtomicU32 = AtomicU32::new(0);

pub fn received() -> u32 {
    RECEIVED.load(Ordering::Relaxed)
}

/// Starts every task except `urgent`, which the program of a chip may add. The last one calls `crate::report`.
pub fn spawn(spawner: Spawner) {
    spawn_on(spawner, "supervisor", supervisor(spawner));
    spawn_on(spawner, "ping", ping());
    spawn_on(spawner, "pong", pong());
    spawn_on(spawner, "ticker", ticker());
    spawn_on(spawner, "hog", hog());
}

fn spawn_on<S>(spawner: Spawner, name: &str, token: Result<SpawnToken<S>, SpawnError>) {
    spawn_named(|token| spawner.spawn(token), name, token.expect("a free task"));
}

pub fn work(duration: Duration) {
    let start = Instant::now();
    while start.elapsed() < duration {}
}

#[embassy_executor::task]
async fn ticker() {
    counted("ticker", async {
        let mut ticker = Ticker::every(Duration::from_millis(10));
        for _ in 0..TICKS {
            ticker.next().await;
            crate::raise_interrupt();
        }
        DONE.send("ticker").await;
    })
    .await;
}

#[embassy_executor::task]
async fn ping() {
    counted("ping", async {
        for message in 0..MESSAGES {
            PING.send(message).await;
            assert_eq!(PONG.receive().await, message + 1);
            RECEIVED.fetch_add(1, Ordering::Relaxed);
        }
        DONE.send("ping").await;
    })
    .await;
}

#[embassy_executor::task]
async fn pong() {
    counted("pong", async {
        for _ in 0..MESSAGES {
            let message = PING.receive().await;
            RECEIVED.fetch_add(1, Ordering::Relaxed);
            PONG.send(message + 1).await;
        }
        DONE.send("pong").await;
    })
    .await;
}

#[embassy_executor::task]
async fn hog() {
    counted("hog", async {
        for _ in 0..HOGS {
            work(HOG);
            Timer::after_millis(20).await;
        }
        DONE.send("hog").await;
    })
    .await;
}

/// Its storage is reused, so it has the same number each time.
#[embassy_executor::task]
async fn once() {
    counted("once", async {
        Timer::after_millis(2).await;
        DONE.send("once").await;
    })
    .await;
}

#[embassy_executor::task]
async fn supervisor(spawner: Spawner) {
    counted("supervisor", async {
        let mut lives = 0;
        // All that have been spawned but this one.
        let mut others = Polls::spawned().count() - 1;
        while lives < ONCE || others > 0 {
            if lives < ONCE
                && let Ok(token) = once()
            {
                spawn_on(spawner, "once", Ok(token));
                lives += 1;
            }
            if DONE.receive().await != "once" {
                others -= 1;
            }
        }
        while DONE.try_receive().is_ok() {}
        crate::report();
    })
    .await;
}
