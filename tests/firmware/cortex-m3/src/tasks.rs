//! The tasks. Each counts its own polls, for comparison with the counts of the hooks.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::NVIC;
use embassy_executor::{SendSpawner, SpawnToken, Spawner};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use embassy_time::{Duration, Instant, Ticker, Timer};
use lm3s6965::Interrupt;

/// Messages that go from `ping` to `pong` and back.
pub const MESSAGES: u32 = 50;
/// The duration of each poll of the hog, in real time.
pub const HOG: Duration = Duration::from_millis(30);
/// The duration of each poll of the urgent task.
pub const URGENT_WORK: Duration = Duration::from_micros(500);
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

    pub fn task(&self) -> u32 {
        self.task.load(Ordering::Relaxed)
    }

    pub fn count(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }
}

pub static POLLS: [Polls; 7] = [
    Polls::new("urgent"),
    Polls::new("ticker"),
    Polls::new("ping"),
    Polls::new("pong"),
    Polls::new("hog"),
    Polls::new("once"),
    Polls::new("supervisor"),
];

/// Runs a task's whole future, counting its polls.
async fn counted(name: &str, future: impl Future<Output = ()>) {
    let polls = Polls::of(name);
    let mut future = pin!(future);
    poll_fn(|cx| {
        polls.count.fetch_add(1, Ordering::Relaxed);
        future.as_mut().poll(cx)
    })
    .await;
}

/// Spawns a task, and names its row.
fn spawn_named<S>(spawn: impl FnOnce(SpawnToken<S>), name: &str, token: SpawnToken<S>) {
    let task = token.id();
    Polls::of(name).task.store(task, Ordering::Relaxed);
    spawn(token);
    crate::METRICS.name_task(task, name);
}

static PING: Channel<CriticalSectionRawMutex, u32, 1> = Channel::new();
static PONG: Channel<CriticalSectionRawMutex, u32, 1> = Channel::new();
static DONE: Channel<CriticalSectionRawMutex, &str, 8> = Channel::new();
static RECEIVED: AtomicU32 = AtomicU32::new(0);

pub fn received() -> u32 {
    RECEIVED.load(Ordering::Relaxed)
}

/// Starts every task: one on the executor in the interrupt, the others on the one in `main`.
pub fn spawn(spawner: Spawner, urgent_spawner: SendSpawner) {
    spawn_named(
        |token| urgent_spawner.spawn(token),
        "urgent",
        urgent().expect("a free task"),
    );
    spawn_named(
        |token| spawner.spawn(token),
        "supervisor",
        supervisor(spawner).expect("a free task"),
    );
    spawn_named(|token| spawner.spawn(token), "ping", ping().expect("a free task"));
    spawn_named(|token| spawner.spawn(token), "pong", pong().expect("a free task"));
    spawn_named(
        |token| spawner.spawn(token),
        "ticker",
        ticker().expect("a free task"),
    );
    spawn_named(|token| spawner.spawn(token), "hog", hog().expect("a free task"));
}

pub fn work(duration: Duration) {
    let start = Instant::now();
    while start.elapsed() < duration {}
}

#[embassy_executor::task]
async fn urgent() {
    counted("urgent", async {
        for _ in 0..30 {
            Timer::after_millis(5).await;
            work(URGENT_WORK);
        }
        DONE.send("urgent").await;
    })
    .await;
}

#[embassy_executor::task]
async fn ticker() {
    counted("ticker", async {
        let mut ticker = Ticker::every(Duration::from_millis(10));
        for _ in 0..TICKS {
            ticker.next().await;
            NVIC::pend(Interrupt::GPIOB);
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
        for _ in 0..4 {
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
        let mut others = 5;
        while lives < ONCE || others > 0 {
            if lives < ONCE
                && let Ok(token) = once()
            {
                spawn_named(|token| spawner.spawn(token), "once", token);
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
