//! Two cores without atomic read-modify-write instructions that record into one registry. Each has a worker of its own. Both, and an
//! interrupt handler on each, count with many writers and wake tasks. Core 0 takes snapshots meanwhile.
//!
//! With the critical section of `lock.rs`, every count is exact, and no snapshot has a count that was never the right one. With the
//! feature `masking`, the critical section is that of `riscv` for chips with one core, which only masks interrupts. Counts must then be
//! lost, and the program runs until they are.
#![no_std]
#![no_main]

mod cores;
#[cfg(not(feature = "masking"))]
mod lock;
mod truth;

use core::fmt::Write;
use core::time::Duration;

use firmware_riscv32imc::machine;
use metrics_core::{
    Builder, HistogramConfig, MetricSet, Registry, StaticRegistryConfig, StaticStorage, StaticWorker,
};
use riscv::interrupt::Interrupt;
use riscv::register::{mhartid, time};

use cores::{CORES, MachineTime, meet, set_software_interrupt, start};
use truth::{Context, Reader, Task};

/// Whether the critical section does not lock out the other core.
const IS_BROKEN: bool = cfg!(feature = "masking");

const BUCKETS: usize = 16;
/// All numbers are compared after each batch. In a batch, each core runs this many rounds, and then counts with many writers this often, as
/// fast as it can. A broken critical section loses counts while it does: at once if the cores run in parallel. If the host runs only one
/// of QEMU's threads at a time, it has to suspend one between a load and its store, so those batches are longer.
const ROUNDS: u32 = if IS_BROKEN { 1_000 } else { 10_000 };
const BURST: u32 = if IS_BROKEN { 100_000 } else { 10_000 };
const BATCHES: u32 = 10;
/// The time in which a broken critical section must lose counts: ten times as long as it took at most under a load of ten per processor.
const LOSS_LIMIT: Duration = Duration::from_secs(240);
/// How many rounds are between two interrupts that a core raises on the other one, and between two snapshots.
const INTERRUPT_EVERY: u32 = 7;
const SNAPSHOT_EVERY: u32 = 5;

const LAYOUT: HistogramConfig = match HistogramConfig::power_of_two(1_000, BUCKETS) {
    Ok(layout) => layout,
    Err(_) => panic!("a layout of 16 buckets from a microsecond on"),
};

const CONFIG: StaticRegistryConfig<CORES, BUCKETS> = match Builder::new()
    .measures(MetricSet::ALL)
    .name("two cores")
    .poll_time(LAYOUT)
    .schedule_latency(LAYOUT)
    .describe(machine::TIMER_HZ, MachineTime::RESOLUTION)
{
    Ok(config) => config,
    Err(_) => panic!("two histograms of 16 buckets fit"),
};

type Storage = StaticStorage<CORES, BUCKETS>;
type Worker = StaticWorker<MachineTime, CORES, BUCKETS>;

static METRICS: Registry<Storage, MachineTime> = Registry::new(&CONFIG, MachineTime);

struct Core {
    main: Context,
    interrupt: Context,
    /// Tasks that this core polls. The other core wakes one, and the interrupt handler of this core the other.
    woken_by_core: Task,
    woken_by_interrupt: Task,
}

static ALL: [Core; CORES] = [const {
    Core {
        main: Context::new(),
        interrupt: Context::new(),
        woken_by_core: Task::new(1),
        woken_by_interrupt: Task::new(2),
    }
}; CORES];

impl Core {
    fn tasks(&self) -> [&Task; 2] {
        [&self.woken_by_core, &self.woken_by_interrupt]
    }

    fn poll_queued(&self, worker: Worker) {
        for task in self.tasks() {
            task.poll_if_queued(worker);
        }
    }
}

#[riscv_rt::core_interrupt(Interrupt::MachineSoft)]
fn on_software_interrupt() {
    let core = mhartid::read();
    set_software_interrupt(core, false);
    ALL[core].interrupt.record();
    ALL[core].woken_by_interrupt.wake();
}

#[riscv_rt::entry]
fn main(core: usize) -> ! {
    let (this, other) = (&ALL[core], &ALL[1 - core]);
    let worker = METRICS.worker(core).expect("a worker per core");
    let mut reader = (core == 0).then(Reader::new);
    start(core);
    // SAFETY: its handler may run at any time.
    unsafe { riscv::interrupt::enable_interrupt(Interrupt::MachineSoft) };
    for batch in 1.. {
        // SAFETY: no critical section is active.
        unsafe { riscv::interrupt::enable() };
        for round in 0..ROUNDS {
            worker.unpark();
            worker.start_processing_scheduled_tasks();
            this.main.record();
            other.woken_by_core.wake();
            this.poll_queued(worker);
            if round % INTERRUPT_EVERY == 0 {
                set_software_interrupt(1 - core, true);
            }
            if let Some(reader) = reader.as_mut().filter(|_| round % SNAPSHOT_EVERY == 0) {
                reader.read();
            }
            worker.end_processing_scheduled_tasks();
            worker.park();
        }
        for _ in 0..BURST {
            this.main.record();
        }
        // From the first meeting on, no core wakes a task of the other; from the second on, nothing is recorded.
        meet(core);
        riscv::interrupt::disable();
        this.poll_queued(worker);
        meet(core);
        if let Some(reader) = &mut reader {
            check(reader, batch);
        }
        meet(core);
    }
    unreachable!("core 0 ends the emulation")
}

/// Compares all numbers after a batch, and ends the emulation after the last one.
fn check(reader: &mut Reader, batch: u32) {
    let rounds = batch * ROUNDS;
    let (lost, counts) = reader.compare(rounds);
    let mut uart = machine::Uart;
    if IS_BROKEN {
        if lost > 0 {
            writeln!(
                uart,
                "with interrupts masked only, {lost} of {counts} counts are lost"
            )
            .ok();
            machine::succeed();
        }
        assert!(
            METRICS.scale().nanos_of(time::read64()) < LOSS_LIMIT.as_nanos() as u64,
            "no count is lost with interrupts masked only"
        );
        return;
    }
    assert_eq!(lost, 0, "of {counts} counts");
    assert_eq!(
        reader.wrong, 0,
        "snapshots have a count that was never the right one"
    );
    if batch == BATCHES {
        let [interrupts, others] = [0, 1].map(|core: usize| ALL[core].interrupt.done());
        writeln!(
            uart,
            "two cores with {rounds} rounds each, {interrupts} and {others} interrupts: {counts} counts with many writers are exact\n\
             {} snapshots, of which {} readings of a worker found it writing: none is torn",
            reader.snapshots, reader.stale
        )
        .ok();
        machine::succeed();
    }
}
