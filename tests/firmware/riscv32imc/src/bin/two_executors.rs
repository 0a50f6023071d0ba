//! embassy on two cores without atomic read-modify-write instructions: an executor on each. Its tasks, and an interrupt handler, wake
//! tasks of the other executor and spawn tasks on it. The trace hooks of both write one `static`, and core 0 reads it meanwhile.
//!
//! Every number is checked against what the tasks count themselves.
#![no_std]
#![no_main]

#[path = "two_cores/cores.rs"]
mod cores;
#[path = "two_cores/lock.rs"]
mod lock;

use core::fmt::Write;
use core::future::{Future, poll_fn};
use core::mem::replace;
use core::pin::pin;
use core::ptr;
use core::task::Poll;

use embassy_executor::raw::Executor;
use embassy_executor::{SendSpawner, SpawnToken, Spawner};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use firmware_riscv32imc::machine;
use metrics_core::embassy::{
    EmbassyConfig, EmbassyMetrics, EmbassyStorage, FixedTrace, InterruptHandler, MEASURED, TaskRow,
    TraceSnapshot,
};
use metrics_core::{Builder, HistogramConfig, Snapshot, StaticRegistryConfig, embassy_trace};
use riscv::interrupt::Interrupt;
use riscv::register::mhartid;
use static_cell::StaticCell;

use cores::{CORES, Count, MachineTime, meet, set_software_interrupt, start};

const BUCKETS: usize = 16;
/// Each task may run on either executor, and the interrupt handlers have rows too.
const ROWS: usize = 16;
/// How often each `sender` is polled.
const ROUNDS: u32 = 30_000;
/// How many rounds are between two interrupts that a core raises on the other one, two short tasks and two readings.
const INTERRUPT_EVERY: u32 = 7;
const SPAWN_EVERY: u32 = 3;
const READ_EVERY: u32 = 11;

const LAYOUT: HistogramConfig = match HistogramConfig::power_of_two(1_000, BUCKETS) {
    Ok(layout) => layout,
    Err(_) => panic!("a layout of 16 buckets from a microsecond on"),
};

struct Config;

impl EmbassyConfig<CORES, BUCKETS> for Config {
    const REGISTRY: StaticRegistryConfig<CORES, BUCKETS> = match Builder::new()
        .measures(MEASURED)
        .name("two executors")
        .poll_time(LAYOUT)
        .schedule_latency(LAYOUT)
        .describe(machine::TIMER_HZ, MachineTime::RESOLUTION)
    {
        Ok(config) => config,
        Err(_) => panic!("two histograms of 16 buckets fit"),
    };

    fn interrupts() -> &'static [InterruptHandler] {
        &INTERRUPTS
    }
}

static INTERRUPTS: [InterruptHandler; CORES] = [
    InterruptHandler::new("software 0"),
    InterruptHandler::new("software 1"),
];
static METRICS: EmbassyMetrics<Config, MachineTime, CORES, ROWS, BUCKETS> = EmbassyMetrics::new(MachineTime);
embassy_trace!(METRICS, core = mhartid::read);

static EXECUTORS: [StaticCell<Executor>; CORES] = [const { StaticCell::new() }; CORES];

/// What belongs to one core. The tasks that run on it write the counts of their polls.
struct Core {
    spawner: Signal<CriticalSectionRawMutex, SendSpawner>,
    signal: Signal<CriticalSectionRawMutex, ()>,
    sender: Count,
    receiver: Count,
    short: Count,
    interrupts: Count,
    /// The short tasks that the sender of this core has spawned on the other one.
    spawned: Count,
    sender_ended: Count,
    receiver_ended: Count,
}

static ALL: [Core; CORES] = [const {
    Core {
        spawner: Signal::new(),
        signal: Signal::new(),
        sender: Count::new(),
        receiver: Count::new(),
        short: Count::new(),
        interrupts: Count::new(),
        spawned: Count::new(),
        sender_ended: Count::new(),
        receiver_ended: Count::new(),
    }
}; CORES];

/// Runs a task's whole future, counting its polls.
async fn counted(polls: &Count, future: impl Future<Output = ()>) {
    let mut future = pin!(future);
    poll_fn(|cx| {
        polls.add_one();
        future.as_mut().poll(cx)
    })
    .await;
}

async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|cx| {
        if replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Wakes the receiver of the other core, spawns short tasks there and interrupts it.
#[embassy_executor::task(pool_size = 2)]
async fn sender(core: usize, mut reader: Option<&'static mut Reader>) {
    let (this, other) = (&ALL[core], &ALL[1 - core]);
    counted(&this.sender, async {
        let spawner = other.spawner.wait().await;
        for round in 0..ROUNDS {
            other.signal.signal(());
            if round % SPAWN_EVERY == 0
                && let Ok(token) = short(1 - core)
            {
                this.spawned.add_one();
                spawner.spawn(token);
            }
            if round % INTERRUPT_EVERY == 0 {
                set_software_interrupt(1 - core, true);
            }
            if let Some(reader) = reader.as_mut().filter(|_| round % READ_EVERY == 0) {
                reader.read();
            }
            yield_now().await;
        }
        this.sender_ended.add_one();
        other.signal.signal(());
    })
    .await;
}

/// Waits until the sender of the other core has ended.
#[embassy_executor::task(pool_size = 2)]
async fn receiver(core: usize) {
    let (this, other) = (&ALL[core], &ALL[1 - core]);
    counted(&this.receiver, async {
        while other.sender_ended.get() == 0 {
            this.signal.wait().await;
        }
        this.receiver_ended.add_one();
    })
    .await;
}

#[embassy_executor::task(pool_size = 2)]
async fn short(core: usize) {
    counted(&ALL[core].short, async {}).await;
}

#[riscv_rt::core_interrupt(Interrupt::MachineSoft)]
fn on_software_interrupt() {
    let core = mhartid::read();
    set_software_interrupt(core, false);
    METRICS.with_interrupt_on(core, INTERRUPTS[core].name(), || {
        ALL[core].interrupts.add_one();
        ALL[core].signal.signal(());
    });
}

fn spawn_named<S>(spawner: Spawner, name: &str, token: SpawnToken<S>) {
    let task = token.id();
    spawner.spawn(token);
    METRICS.name_task(task, name);
}

#[riscv_rt::entry]
fn main(core: usize) -> ! {
    start(core);
    let executor = EXECUTORS[core].init(Executor::new(ptr::null_mut()));
    let (this, other) = (&ALL[core], &ALL[1 - core]);
    let reader = (core == 0).then(|| READER.init(Reader::new()));
    let spawner = executor.spawner();
    this.spawner.signal(spawner.make_send());
    spawn_named(spawner, "sender", sender(core, reader).expect("a free task"));
    spawn_named(spawner, "receiver", receiver(core).expect("a free task"));
    // SAFETY: no critical section is active, and the handler may run at any time.
    unsafe {
        riscv::interrupt::enable_interrupt(Interrupt::MachineSoft);
        riscv::interrupt::enable();
    }
    // Not embassy's `Executor::run`, which is for one core: the executors would share the flag that one has work.
    loop {
        let is_last = this.sender_ended.get() + this.receiver_ended.get() + other.sender_ended.get() == 3;
        // SAFETY: only here, and not inside itself.
        unsafe { executor.poll() };
        if is_last {
            break;
        }
    }
    riscv::interrupt::disable();
    meet(core);
    if core == 0 {
        report();
    }
    loop {
        riscv::asm::wfi();
    }
}

/// Reads the metrics while both cores write them.
struct Reader {
    snapshot: Snapshot<EmbassyStorage<Config, CORES, BUCKETS>>,
    trace: TraceSnapshot<FixedTrace<CORES, ROWS>>,
    polls: [u64; CORES],
}

static READER: StaticCell<Reader> = StaticCell::new();
static READINGS: Count = Count::new();
/// Rows, in all readings, that were being written at every attempt.
static STALE: Count = Count::new();

impl Reader {
    const fn new() -> Self {
        Self {
            snapshot: Snapshot::EMPTY,
            trace: TraceSnapshot::EMPTY,
            polls: [0; CORES],
        }
    }

    /// Reads everything. Nothing may be torn, and no count may go back.
    fn read(&mut self) {
        READINGS.add_one();
        METRICS.metrics().snapshot_into(&mut self.snapshot);
        for (worker, last) in self.snapshot.workers().iter().zip(&mut self.polls) {
            let Some(polls) = worker.poll_count() else {
                continue;
            };
            let [times, latencies] = [worker.poll_time(), worker.schedule_latency()]
                .map(|reading| reading.expect("a histogram").histogram().count());
            assert_eq!(times, polls, "a torn reading");
            assert!((polls..=polls + 1).contains(&latencies), "a torn reading");
            assert!(polls >= *last, "a count went back");
            *last = polls;
        }
        METRICS.trace_into(&mut self.trace);
        for row in self
            .trace
            .tasks
            .iter()
            .filter(|row| row.executor != TaskRow::INTERRUPT)
        {
            assert!(
                row.polls + u64::from(row.polling) <= row.wakes,
                "more polls than wakes"
            );
            assert!(row.ended <= row.spawned, "more ends than spawns");
            if row.stale {
                STALE.add_one();
            }
        }
    }
}

/// Called on core 0 when no task is left and nothing is recorded.
fn report() -> ! {
    let trace = METRICS.trace();
    let mut snapshot = Snapshot::EMPTY;
    METRICS.metrics().snapshot_into(&mut snapshot);
    let mut uart = machine::Uart;
    write!(uart, "{trace}").ok();

    for (executor, index) in trace.executors.iter().zip(0..) {
        let core = executor.core as usize;
        let (this, other) = (&ALL[core], &ALL[1 - core]);
        let rows = || trace.tasks.iter().filter(move |row| row.executor == index);
        for (name, count) in [("sender", &this.sender), ("receiver", &this.receiver)] {
            let row = rows().find(|row| row.name.as_str() == name).expect("a row");
            let count = u64::from(count.get());
            assert_eq!((row.polls, row.wakes), (count, count), "{name} on core {core}");
            assert_eq!((row.spawned, row.ended), (1, 1), "{name} on core {core}");
        }
        let [short, spawned] = [this.short.get(), other.spawned.get()].map(u64::from);
        assert_eq!(short, spawned);
        let of_short = |count: fn(&TaskRow) -> u64| -> u64 {
            let rows = rows().filter(|row| row.name.as_str().is_empty());
            rows.map(count).sum()
        };
        assert_eq!(
            (of_short(|row| row.polls), of_short(|row| row.wakes)),
            (short, short)
        );
        assert_eq!(
            (of_short(|row| row.spawned), of_short(|row| row.ended)),
            (short, short)
        );
        let handler = trace.task(TaskRow::INTERRUPT, core as u32).expect("a row");
        assert_eq!(handler.polls, u64::from(this.interrupts.get()));

        let polls = short + u64::from(this.sender.get() + this.receiver.get());
        let worker = snapshot.worker(index as usize).expect("a worker per executor");
        assert_eq!((executor.polls, worker.poll_count()), (polls, Some(polls)));
        for reading in [worker.poll_time(), worker.schedule_latency()] {
            assert_eq!(reading.expect("a histogram").histogram().count(), polls);
        }
    }
    let spawned = 4 + ALL.iter().map(|core| u64::from(core.spawned.get())).sum::<u64>();
    let tasks = snapshot.tasks().expect("task counts");
    assert_eq!((tasks.spawned, tasks.completed), (spawned, spawned));
    assert_eq!(trace.overflow.wakes, 0, "each task has a row");
    writeln!(
        uart,
        "two executors with {ROUNDS} rounds each: all as {spawned} tasks counted it; {} readings, none torn, {} rows were being written",
        READINGS.get(),
        STALE.get()
    )
    .ok();
    machine::succeed()
}
