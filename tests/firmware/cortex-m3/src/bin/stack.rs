//! The stack of each call, by painting the memory below the stack and searching the deepest word that changed.
#![no_std]
#![no_main]

use core::cell::RefCell;
use core::hint::black_box;
use core::panic::PanicInfo;
use core::time::Duration;

use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};
use cortex_m_semihosting::hprintln;
use critical_section::Mutex;
// The interrupt vectors.
use lm3s6965 as _;
use metrics_core::embassy::{
    EmbassyConfig, EmbassyMetrics, EmbassyStorage, FixedTrace, InterruptHandler, MEASURED, TraceSnapshot,
};
use metrics_core::extend::{ExtendedCounter, FreeRunning};
use metrics_core::{
    Builder, HistogramConfig, Snapshot, StaticDetails, StaticRegistryConfig, Timestamp, WorkerNumber,
};

const BUCKETS: usize = 20;
const EXECUTORS: usize = 2;
const TASKS: usize = 8;
const EXECUTOR: u32 = 0x2000_0100;
const TASK: u32 = 0x2000_1000;

/// The memory that is painted. The image leaves more free.
const PAINTED: u32 = 24 * 1024;
const PAINT: u32 = 0xA5A5_5A5A;

struct Stopped;

impl FreeRunning for Stopped {
    fn read(&self) -> u32 {
        black_box(7)
    }
}

type Clock = ExtendedCounter<Stopped>;
type Storage = EmbassyStorage<Config, EXECUTORS, BUCKETS>;

const LAYOUT: HistogramConfig = match HistogramConfig::power_of_two(1_000, BUCKETS) {
    Ok(layout) => layout,
    Err(_) => panic!("a layout of 20 buckets from a microsecond on"),
};

struct Config;

impl EmbassyConfig<EXECUTORS, BUCKETS> for Config {
    const REGISTRY: StaticRegistryConfig<EXECUTORS, BUCKETS> = match Builder::new()
        .measures(MEASURED)
        .poll_time(LAYOUT)
        .schedule_latency(LAYOUT)
        .describe(12_500_000, Duration::from_nanos(80))
    {
        Ok(config) => config,
        Err(_) => panic!("two histograms of 20 buckets fit"),
    };
}

/// Metrics of any size, for their sizes only.
struct AnySize;

impl<const EXECUTORS: usize, const BUCKETS: usize> EmbassyConfig<EXECUTORS, BUCKETS> for AnySize {
    const REGISTRY: StaticRegistryConfig<EXECUTORS, BUCKETS> =
        match Builder::new().describe(0, Duration::ZERO) {
            Ok(config) => config,
            Err(_) => panic!("without a histogram anything fits"),
        };
}

static METRICS: EmbassyMetrics<Config, Clock, EXECUTORS, TASKS, BUCKETS> =
    EmbassyMetrics::new(ExtendedCounter::new(Stopped, 12_500_000));

static SNAPSHOT: Mutex<RefCell<Snapshot<Storage>>> = Mutex::new(RefCell::new(Snapshot::EMPTY));
static TRACE: Mutex<RefCell<TraceSnapshot<FixedTrace<EXECUTORS, TASKS>>>> =
    Mutex::new(RefCell::new(TraceSnapshot::EMPTY));

static DETAILS: StaticDetails<5, 64> = StaticDetails::new();

#[inline(never)]
fn nothing() {}

#[inline(never)]
fn hooks() {
    METRICS.task_new(EXECUTOR, TASK);
    METRICS.task_ready_begin(EXECUTOR, TASK);
    METRICS.poll_start(EXECUTOR, 0);
    METRICS.task_exec_begin(EXECUTOR, TASK);
    METRICS.task_exec_end(EXECUTOR, TASK);
    METRICS.executor_idle(EXECUTOR);
}

#[inline(never)]
fn getter() {
    black_box(METRICS.metrics().worker_counter(0, WorkerNumber::PollCount)).ok();
}

#[inline(never)]
fn snapshot_variable() {
    let mut snapshot = Snapshot::EMPTY;
    METRICS.metrics().snapshot_into(&mut snapshot);
    black_box(&snapshot);
}

#[inline(never)]
fn snapshot_into() {
    critical_section::with(|cs| METRICS.metrics().snapshot_into(&mut SNAPSHOT.borrow_ref_mut(cs)));
}

#[inline(never)]
fn trace() {
    black_box(&METRICS.trace());
}

#[inline(never)]
fn trace_into() {
    critical_section::with(|cs| METRICS.trace_into(&mut TRACE.borrow_ref_mut(cs)));
}

#[inline(never)]
fn since() {
    critical_section::with(|cs| {
        let trace = TRACE.borrow_ref(cs);
        black_box(trace.since(&trace).core_load(0));
    });
}

#[inline(never)]
fn events() {
    black_box(&DETAILS.events(Timestamp::from_ticks(7)));
}

/// Returns the bytes of stack below this function's own frame.
#[inline(never)]
fn depth(call: fn()) -> u32 {
    let top = cortex_m::register::msp::read();
    // Not what this function still needs.
    let (bottom, top) = (top - PAINTED, top - 64);
    for address in (bottom..top).step_by(4) {
        // SAFETY: free memory below the stack.
        unsafe { (address as *mut u32).write_volatile(PAINT) };
    }
    call();
    let deepest = (bottom..top)
        .step_by(4)
        // SAFETY: free memory below the stack.
        .find(|&address| unsafe { (address as *const u32).read_volatile() } != PAINT);
    deepest.map_or(0, |address| top + 64 - address)
}

#[entry]
fn main() -> ! {
    hooks();
    for (name, call) in [
        ("nothing", nothing as fn()),
        ("hooks", hooks),
        ("getter", getter),
        ("snapshot_into", snapshot_into),
        ("snapshot_into a variable", snapshot_variable),
        ("trace_into", trace_into),
        ("trace", trace),
        ("since", since),
        ("events", events),
    ] {
        hprintln!("stack of {name}: {}", depth(black_box(call)));
    }
    hprintln!("bytes of a snapshot: {}", size_of::<Snapshot<Storage>>());
    hprintln!(
        "bytes of a trace: {}",
        size_of::<TraceSnapshot<FixedTrace<EXECUTORS, TASKS>>>()
    );
    hprintln!(
        "bytes of events: {}",
        size_of_val(&DETAILS.events(Timestamp::from_ticks(7)))
    );
    hprintln!("bytes of a handler: {}", size_of::<InterruptHandler>());
    // The terms of the formula for RAM.
    type Metrics<const EXECUTORS: usize, const TASKS: usize, const BUCKETS: usize> =
        EmbassyMetrics<AnySize, Clock, EXECUTORS, TASKS, BUCKETS>;
    let small = size_of::<Metrics<1, 1, 1>>();
    let bucket = (size_of::<Metrics<1, 1, 5>>() - small) / 4;
    let task = (size_of::<Metrics<1, 5, 1>>() - small) / 4;
    let executor = (size_of::<Metrics<5, 1, 1>>() - small) / 4;
    hprintln!("bytes of a bucket: {bucket}");
    hprintln!("bytes of a task: {task}");
    hprintln!("bytes of an executor: {}", executor - bucket);
    hprintln!("bytes of the rest: {}", small - executor - task);
    debug::exit(EXIT_SUCCESS);
    halt()
}

fn halt() -> ! {
    loop {
        cortex_m::asm::wfi();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    hprintln!("{info}");
    debug::exit(EXIT_FAILURE);
    halt()
}
