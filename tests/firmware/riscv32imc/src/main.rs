//! embassy on a RISC-V core without atomic instructions: tasks that exchange messages, a task that hogs the core, and a handler that
//! preempts it, measured through the trace hooks and checked against what the tasks count themselves.
#![no_std]
#![no_main]

mod machine;
mod time;

use core::fmt::Write;
use core::future::{Future, poll_fn};
use core::panic::PanicInfo;
use core::pin::pin;

use embassy_executor::{Executor, SpawnToken, Spawner};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use embassy_time::{Duration, Instant, Ticker, Timer};
use metrics_core::embassy::{
    EmbassyClock, EmbassyConfig, EmbassyMetrics, ExecutorState, InterruptHandler, MEASURED, TaskRow,
};
use metrics_core::{Builder, HistogramConfig, Snapshot, StaticRegistryConfig, embassy_trace};
use portable_atomic::{AtomicU32, Ordering::Relaxed};
use riscv::interrupt::Interrupt;
use static_cell::StaticCell;

const BUCKETS: usize = 20;

const LAYOUT: HistogramConfig = match HistogramConfig::power_of_two(1_000, BUCKETS) {
    Ok(layout) => layout,
    Err(_) => panic!("a layout of 20 buckets from a microsecond on"),
};

struct Config;

impl EmbassyConfig<1, BUCKETS> for Config {
    const REGISTRY: StaticRegistryConfig<1, BUCKETS> = match Builder::new()
        .measures(MEASURED)
        .name("embassy")
        .poll_time(LAYOUT)
        .schedule_latency(LAYOUT)
        .describe(EmbassyClock::TICKS_PER_SECOND, EmbassyClock::RESOLUTION)
    {
        Ok(config) => config,
        Err(_) => panic!("two histograms of 20 buckets fit"),
    };

    fn interrupts() -> &'static [InterruptHandler] {
        &INTERRUPTS
    }
}

static INTERRUPTS: [InterruptHandler; 1] = [InterruptHandler::new("software")];
static METRICS: EmbassyMetrics<Config, EmbassyClock, 1, 8, BUCKETS> = EmbassyMetrics::new(EmbassyClock);
embassy_trace!(METRICS);

static EXECUTOR: StaticCell<Executor> = StaticCell::new();

/// Messages that go from `ping` to `pong` and back.
const MESSAGES: u32 = 50;
/// The duration of each poll of the hog, in real time.
const HOG: Duration = Duration::from_millis(5);
const HOGS: u32 = 4;
/// How often the handler runs, and for how long.
const TICKS: u32 = 20;
const HANDLER_WORK: Duration = Duration::from_micros(300);

/// A task's own count of its polls.
struct Polls {
    name: &'static str,
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
}

static TICKER: Polls = Polls::new("ticker");
static PING: Polls = Polls::new("ping");
static PONG: Polls = Polls::new("pong");
static HOG_POLLS: Polls = Polls::new("hog");
static REPORTER: Polls = Polls::new("reporter");
static POLLS: [&Polls; 5] = [&TICKER, &PING, &PONG, &HOG_POLLS, &REPORTER];

static TO_PONG: Channel<CriticalSectionRawMutex, u32, 1> = Channel::new();
static TO_PING: Channel<CriticalSectionRawMutex, u32, 1> = Channel::new();
static DONE: Channel<CriticalSectionRawMutex, (), 4> = Channel::new();

/// Runs a task's whole future, counting its polls.
async fn counted(polls: &Polls, future: impl Future<Output = ()>) {
    let mut future = pin!(future);
    poll_fn(|cx| {
        polls.count.fetch_add(1, Relaxed);
        future.as_mut().poll(cx)
    })
    .await;
}

fn work(duration: Duration) {
    let start = Instant::now();
    while start.elapsed() < duration {}
}

#[embassy_executor::task]
async fn ticker() {
    counted(&TICKER, async {
        let mut ticker = Ticker::every(Duration::from_millis(2));
        for _ in 0..TICKS {
            ticker.next().await;
            machine::set_software_interrupt(true);
        }
        DONE.send(()).await;
    })
    .await;
}

#[embassy_executor::task]
async fn ping() {
    counted(&PING, async {
        for message in 0..MESSAGES {
            TO_PONG.send(message).await;
            assert_eq!(TO_PING.receive().await, message + 1);
        }
        DONE.send(()).await;
    })
    .await;
}

#[embassy_executor::task]
async fn pong() {
    counted(&PONG, async {
        for _ in 0..MESSAGES {
            let message = TO_PONG.receive().await;
            TO_PING.send(message + 1).await;
        }
        DONE.send(()).await;
    })
    .await;
}

#[embassy_executor::task]
async fn hog() {
    counted(&HOG_POLLS, async {
        for _ in 0..HOGS {
            work(HOG);
            Timer::after_millis(3).await;
        }
        DONE.send(()).await;
    })
    .await;
}

#[embassy_executor::task]
async fn reporter() {
    counted(&REPORTER, async {
        for _ in 1..POLLS.len() {
            DONE.receive().await;
        }
        report()
    })
    .await;
}

/// A handler of known load, which the ticker raises.
#[riscv_rt::core_interrupt(Interrupt::MachineSoft)]
fn on_software_interrupt() {
    machine::set_software_interrupt(false);
    METRICS.with_interrupt("software", || work(HANDLER_WORK));
}

fn spawn_named<S>(spawner: Spawner, polls: &Polls, token: SpawnToken<S>) {
    let task = token.id();
    polls.task.store(task, Relaxed);
    spawner.spawn(token);
    METRICS.name_task(task, polls.name);
}

#[riscv_rt::entry]
fn main() -> ! {
    machine::set_alarm(u64::MAX);
    // SAFETY: no critical section is active.
    unsafe {
        riscv::interrupt::enable_interrupt(Interrupt::MachineTimer);
        riscv::interrupt::enable_interrupt(Interrupt::MachineSoft);
        riscv::interrupt::enable();
    }
    EXECUTOR.init(Executor::new()).run(|spawner| {
        spawn_named(spawner, &REPORTER, reporter().expect("a free task"));
        spawn_named(spawner, &PING, ping().expect("a free task"));
        spawn_named(spawner, &PONG, pong().expect("a free task"));
        spawn_named(spawner, &TICKER, ticker().expect("a free task"));
        spawn_named(spawner, &HOG_POLLS, hog().expect("a free task"));
    })
}

/// Called by the last task, in its last poll.
fn report() -> ! {
    let trace = METRICS.trace();
    let mut snapshot = Snapshot::EMPTY;
    METRICS.metrics().snapshot_into(&mut snapshot);
    let mut uart = machine::Uart;
    write!(uart, "{trace}\n{}\n", snapshot.table()).ok();

    let mut wakes = 0;
    for polls in POLLS {
        let task = polls.task.load(Relaxed);
        let row = trace
            .tasks
            .iter()
            .find(|row| row.task == task)
            .expect("a row for the task");
        let count = u64::from(polls.count.load(Relaxed));
        let in_progress = u64::from(row.polling);
        assert_eq!(row.name.as_str(), polls.name);
        assert_eq!(row.polls + in_progress, count, "polls of {}", polls.name);
        assert_eq!(row.wakes, count, "each wake of {} led to one poll", polls.name);
        assert_eq!((row.spawned, row.ended), (1, 1 - in_progress), "{}", polls.name);
        wakes += row.wakes;
    }
    let handler = trace.task(TaskRow::INTERRUPT, 0).expect("a row for the handler");
    let load = u64::from(TICKS) * HANDLER_WORK.as_micros() * 1_000;
    assert_eq!(handler.polls, u64::from(TICKS));
    assert!(
        (load..load + load / 10).contains(&handler.active),
        "a load of {load} ns was measured as {}",
        handler.active
    );

    let all = snapshot.total();
    let polls = all.poll_count().expect("a poll count");
    assert_eq!(polls + 1, wakes, "every wake led to a poll; the last one goes on");
    assert_eq!(all.poll_time().expect("a poll time").histogram().count(), polls);
    assert_eq!(
        all.schedule_latency().expect("a latency").histogram().count(),
        polls + 1
    );
    let executor = trace.executors[0];
    assert_eq!(executor.state, ExecutorState::Polling);
    assert!(executor.preempted > 0 && executor.preempted <= handler.active);
    let busy = u64::from(HOGS) * HOG.as_micros() * 1_000;
    assert!(executor.polling + executor.preempted >= busy && executor.idle > 0);
    writeln!(
        uart,
        "{polls} polls of {} tasks, all as the tasks counted them",
        POLLS.len()
    )
    .ok();
    machine::succeed()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    writeln!(machine::Uart, "{info}").ok();
    machine::fail()
}
