//! A superloop: interrupts set flags, and a loop runs the job of each flag. No executor, and no futures.
//!
//! Each job is measured as one poll, from its flag on: how long it waits, and how long it runs. A table has the figures of each job,
//! and the flight recorder explains why a job waited.
#![no_std]
#![no_main]

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use core::time::Duration;

use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::hprintln;
use firmware_cortex_m3::{BUCKETS, CORE_HZ, Clock, LAYOUT, RESOLUTION, clock, fail, start_systick, succeed};
// The interrupt vectors.
use lm3s6965 as _;
use metrics_core::{
    Builder, FlightEventKind, LocationId, MetricSet, PollStart, Registry, RuntimeMetrics, Snapshot,
    StaticDetails, StaticRegistryConfig, StaticStorage, WakeStamp, WorkerNumber,
};

const CONFIG: StaticRegistryConfig<1, BUCKETS> = match Builder::new()
    .name("superloop")
    .measures(MetricSet::worker(&[
        WorkerNumber::PollCount,
        WorkerNumber::BusyDurationTotal,
        WorkerNumber::ParkCount,
    ]))
    .poll_time(LAYOUT)
    .schedule_latency(LAYOUT)
    .describe(CORE_HZ as u64, RESOLUTION)
{
    Ok(config) => config,
    Err(_) => panic!("two histograms of 20 buckets fit"),
};

static METRICS: Registry<StaticStorage<1, BUCKETS>, Clock> = Registry::new(&CONFIG, clock());

/// A row for each job, for none, and for others; and 63 events.
static DETAILS: StaticDetails<5, 64> = StaticDetails::new();

/// A job. Its flag is the time at which an interrupt requested it.
struct Job {
    flag: WakeStamp,
    /// In milliseconds.
    period: u32,
    run: fn(),
}

static JOBS: [Job; 3] = [
    Job {
        flag: WakeStamp::new(),
        period: 2,
        run: || cortex_m::asm::delay(CORE_HZ / 10_000),
    },
    Job {
        flag: WakeStamp::new(),
        period: 5,
        run: || cortex_m::asm::delay(CORE_HZ / 5_000),
    },
    Job {
        flag: WakeStamp::new(),
        period: 20,
        run: || cortex_m::asm::delay(CORE_HZ / 250),
    },
];

/// `delay` runs two instructions per cycle, and QEMU takes 64 ns for each.
const LONGEST: u64 = CORE_HZ as u64 / 250 * 128;
const MILLIS: u32 = 1_000;
static NOW: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    METRICS.clock().on_interrupt();
    let now = NOW.load(Relaxed) + 1;
    NOW.store(now, Relaxed);
    for job in JOBS.iter().filter(|job| now.is_multiple_of(job.period)) {
        METRICS.stamp(&job.flag);
    }
}

#[entry]
fn main() -> ! {
    let mut peripherals = cortex_m::Peripherals::take().expect("called once");
    start_systick(&mut peripherals.SYST);
    let worker = METRICS.worker(0).expect("worker 0");
    let detailed = worker.with_details(&DETAILS);
    let mut runs = [0_u64; JOBS.len()];
    let (mut polls, mut parks) = (0_u64, 0_u64);
    while NOW.load(Relaxed) < MILLIS {
        worker.start_processing_scheduled_tasks();
        for ((number, job), runs) in (1..).zip(&JOBS).zip(&mut runs) {
            let Some(requested_at) = job.flag.take() else {
                continue;
            };
            detailed.start_poll(PollStart {
                scheduled_at: Some(requested_at),
                spawn_location: LocationId::from_u32(number),
            });
            (job.run)();
            detailed.end_poll();
            polls += 1;
            *runs += 1;
        }
        worker.end_processing_scheduled_tasks();
        detailed.park();
        parks += 1;
        // `wfi` also ends when a masked interrupt becomes pending, so no flag is set between the check and the wait.
        cortex_m::interrupt::free(|_| {
            if JOBS.iter().all(|job| !job.flag.is_set()) {
                cortex_m::asm::wfi();
            }
        });
        detailed.unpark();
    }

    let mut snapshot = Snapshot::EMPTY;
    RuntimeMetrics::new(&METRICS).snapshot_into(&mut snapshot);
    hprintln!("{}", snapshot.table());
    let worker = snapshot.worker(0).expect("worker 0");
    assert_eq!(
        (worker.poll_count(), worker.park_count()),
        (Some(polls), Some(parks))
    );
    let poll_time = worker.poll_time().expect("a poll time").histogram();
    let latency = worker.schedule_latency().expect("a latency").histogram();
    assert_eq!((poll_time.count(), latency.count()), (polls, polls));
    assert!(poll_time.max() > Some(LONGEST), "the longest job takes 6.4 ms");
    assert!(
        latency.max() > Some(LONGEST / 2),
        "the longest job delays the others"
    );
    let busy = worker.busy_duration_total().expect("a busy time");
    let work =
        u64::from(CORE_HZ) / 10_000 * 500 + u64::from(CORE_HZ) / 5_000 * 200 + u64::from(CORE_HZ) / 250 * 50;
    let work = Duration::from_nanos(work * 128);
    assert!(
        (work..work * 11 / 10).contains(&busy),
        "{work:?} of work were measured as {busy:?}"
    );
    check_details(&runs);
    hprintln!("{polls} jobs, busy for {busy:?} of {MILLIS} ms");
    succeed()
}

/// Compares the table with the runs of each job, and finds the longest wait in the ring and its cause.
fn check_details(runs: &[u64]) {
    let row = |number| DETAILS.location(number).expect("a row");
    for (number, &runs) in (1..).zip(runs) {
        assert_eq!(row(number).poll_count, runs, "runs of job {number}");
    }
    assert_eq!((row(0).poll_count, row(4).poll_count), (0, 0));
    let longest = Duration::from_nanos(LONGEST);
    let longest_poll = |number| row(number).longest_poll.expect("a poll time");
    assert!(longest_poll(3) > longest && longest_poll(2) < longest);
    let events = DETAILS.events(METRICS.worker(0).expect("worker 0").now());
    assert_eq!(events.len(), 63);
    assert!(
        events.windows(2).all(|pair| pair[0].start <= pair[1].start),
        "in order"
    );
    let mut polls = events.iter().filter(|event| event.kind == FlightEventKind::Poll);
    let hog = polls
        .find(|poll| poll.location == LocationId::from_u32(3))
        .expect("the ring covers 20 ms");
    let victim = polls.next().expect("a job waited");
    let latency = victim.schedule_latency.expect("a measured wait");
    assert!(latency > hog.duration / 2 && hog.duration > longest);
    hprintln!(
        "job {} waited {latency:?} for job 3, which ran for {:?}",
        victim.location.as_u32(),
        hog.duration
    );
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    hprintln!("{info}");
    fail()
}
