//! Loads on real Tokio runtimes that measure themselves, so that metrics can be compared with the truth of the same run.
//!
//! A [`Subject`] is a runtime with one worker. Its jobs measure how long they compute, and the thread that controls it measures for how
//! long the worker is certainly parked. Busy time must lie between the two, whatever else the machine does meanwhile.

use core::time::Duration;
use std::fs;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use metrics_std::tokio::{Spawner, TokioAdapter};
use metrics_std::{Clock, RuntimeMetrics};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;

/// How a runtime gets its metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// The adapter builds the runtime.
    Build,
    /// The adapter attaches to the runtime.
    Attach,
}

/// Where jobs run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the worker of the multi-thread flavour.
    MultiThread,
    /// On the thread that drives the current-thread flavour.
    CurrentThread,
    /// In a `LocalSet`, on the thread that drives the current-thread flavour.
    LocalSet,
}

/// All combinations.
pub const SUBJECTS: [(Setup, Place); 6] = [
    (Setup::Build, Place::MultiThread),
    (Setup::Attach, Place::MultiThread),
    (Setup::Build, Place::CurrentThread),
    (Setup::Attach, Place::CurrentThread),
    (Setup::Build, Place::LocalSet),
    (Setup::Attach, Place::LocalSet),
];

/// How long a wait for the runtime may take before it fails.
pub const LIMIT: Duration = Duration::from_secs(20);

/// What the jobs and the controlling thread have measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Truth {
    /// For how long the jobs computed.
    pub computed: Duration,
    /// For how long the worker was certainly parked.
    pub parked: Duration,
    /// Number of jobs. Each is a task with one poll.
    pub jobs: u64,
    /// How often the worker has parked at least.
    pub parks: u64,
    /// The on-CPU and the runnable-wait time of the jobs' thread during the jobs; `None` if the operating system does not report them.
    pub os: Option<[Duration; 2]>,
}

type Job = Box<dyn FnOnce() + Send>;

/// A runtime with one worker, its metrics, and the truth about it.
pub struct Subject {
    /// Read before the runtime was built.
    pub began: Instant,
    /// The metrics to compare with the truth.
    pub metrics: RuntimeMetrics,
    /// Spawns on the runtime.
    pub spawner: Spawner,
    /// What is known so far.
    pub truth: Truth,
    place: Place,
    /// Tokio's count of parks and unparks when the worker was last seen parked.
    seen_parks: u64,
    /// The thread that drives the current-thread flavour until the sender of its jobs is dropped.
    driver: Option<(UnboundedSender<Job>, thread::JoinHandle<()>)>,
    /// The runtime.
    pub runtime: Arc<Runtime>,
}

impl Subject {
    /// Builds a runtime and measures it.
    ///
    /// # Panics
    /// Panics if Tokio can't build a runtime.
    pub fn new((setup, place): (Setup, Place), clock: Clock) -> Self {
        let began = Instant::now();
        let mut builder = match place {
            Place::MultiThread => Builder::new_multi_thread(),
            Place::CurrentThread | Place::LocalSet => Builder::new_current_thread(),
        };
        builder.worker_threads(1).enable_all();
        let adapter = TokioAdapter::builder().clock(clock);
        let (runtime, metrics, spawner) = match setup {
            Setup::Build => {
                let built = adapter.build(&mut builder).expect("the defaults work");
                (built.runtime, built.metrics, built.spawner)
            }
            Setup::Attach => {
                let runtime = builder.build().expect("Tokio builds a runtime");
                let attached = adapter.attach(runtime.handle()).expect("it is not measured yet");
                (runtime, attached.metrics, attached.spawner)
            }
        };
        let runtime = Arc::new(runtime);
        let driver = (place != Place::MultiThread).then(|| drive(Arc::clone(&runtime), spawner.clone()));
        Self {
            began,
            metrics,
            spawner,
            truth: Truth {
                os: Some([Duration::ZERO; 2]),
                ..Truth::default()
            },
            place,
            seen_parks: 0,
            driver,
            runtime,
        }
    }

    /// Runs `job` in a task and waits for it. All of the task's poll counts as computing.
    ///
    /// # Panics
    /// Panics if the job does not end.
    pub fn run(&mut self, job: impl FnOnce() + Send + 'static) {
        self.run_job(move || {
            job();
            None
        });
    }

    /// Runs `job` in a task and waits for it. It returns for how long it has computed.
    ///
    /// # Panics
    /// Panics if the job does not end.
    pub fn run_partly(&mut self, job: impl FnOnce() -> Duration + Send + 'static) {
        self.run_job(move || Some(job()));
    }

    fn run_job(&mut self, job: impl FnOnce() -> Option<Duration> + Send + 'static) {
        let result = self.start(job);
        self.wait(&result);
    }

    /// Runs `job` in this many tasks and waits for them. They are all queued at once.
    ///
    /// # Panics
    /// Panics if a job does not end.
    pub fn run_queued(&mut self, tasks: u32, job: fn()) {
        let start = |_| {
            self.start(move || {
                job();
                None
            })
        };
        let results: Vec<_> = (0..tasks).map(start).collect();
        for result in &results {
            self.wait(result);
        }
    }

    /// Queues a task that runs `job`.
    fn start(&self, job: impl FnOnce() -> Option<Duration> + Send + 'static) -> Arc<Mutex<Option<Times>>> {
        let result = Arc::default();
        let job = record(job, &result);
        match (self.place, &self.driver) {
            (Place::LocalSet, Some((jobs, _))) => {
                assert!(jobs.send(Box::new(job)).is_ok(), "the driver runs");
            }
            _ => drop(self.spawner.spawn(async { job() })),
        }
        result
    }

    /// Waits for a job and adds its times.
    fn wait(&mut self, result: &Mutex<Option<Times>>) {
        let mut times = None;
        until("the job ends", || {
            // The job wakes no thread at its end, which might take its processor.
            thread::sleep(Duration::from_micros(100));
            times = result.lock().expect("no job panics").take();
            times.is_some()
        });
        let Times { computed, os } = times.unwrap_or_default();
        self.truth.computed += computed;
        self.truth.jobs += 1;
        self.truth.os = (self.truth.os.zip(os)).map(|(sum, more)| [sum[0] + more[0], sum[1] + more[1]]);
    }

    /// Lets the worker park for a while, and returns for how long it was certainly parked.
    ///
    /// # Panics
    /// Panics if the worker does not park.
    pub fn rest(&mut self, time: Duration) -> Duration {
        let parks = || self.runtime.metrics().worker_park_unpark_count(0);
        let mut parked = (0, Duration::ZERO);
        until("the worker parks", || {
            let before = parks();
            let since = Instant::now();
            thread::sleep(time);
            parked = (before, since.elapsed());
            // Odd means parked, and an unchanged count means that it stayed so.
            !before.is_multiple_of(2) && parks() == before
        });
        let (count, parked) = parked;
        self.truth.parked += parked;
        self.truth.parks += u64::from(count != self.seen_parks);
        self.seen_parks = count;
        parked
    }

    /// The busy time of the worker.
    ///
    /// # Panics
    /// Panics if it is not measured.
    pub fn busy(&self) -> Duration {
        let busy = self.metrics.worker_total_busy_duration(0);
        busy.expect("no writer is in the way").expect("it is measured")
    }

    /// The most busy time that the worker can have had since the runtime was built.
    pub fn most_busy(&self) -> Duration {
        self.began.elapsed().saturating_sub(self.truth.parked)
    }

    /// Ends the runtime.
    ///
    /// # Panics
    /// Panics if a thread of it has panicked.
    pub fn end(self) -> (RuntimeMetrics, Truth) {
        if let Some((jobs, driver)) = self.driver {
            drop(jobs);
            driver.join().expect("no job panics");
        }
        drop(Arc::try_unwrap(self.runtime).expect("the driver has ended"));
        (self.metrics, self.truth)
    }
}

/// Drives a current-thread runtime, and runs the jobs that it gets in a `LocalSet`.
fn drive(runtime: Arc<Runtime>, spawner: Spawner) -> (UnboundedSender<Job>, thread::JoinHandle<()>) {
    let (jobs, mut next_job) = unbounded_channel::<Job>();
    let driver = thread::spawn(move || {
        let local = LocalSet::new();
        local.block_on(&runtime, async {
            while let Some(job) = next_job.recv().await {
                drop(spawner.spawn_local(async { job() }));
            }
        });
    });
    (jobs, driver)
}

/// The times of one job.
#[derive(Default)]
struct Times {
    computed: Duration,
    os: Option<[Duration; 2]>,
}

/// Adds to a job that it stores its times. It has computed all the time unless it returns for how long.
fn record(
    job: impl FnOnce() -> Option<Duration> + Send + 'static,
    result: &Arc<Mutex<Option<Times>>>,
) -> impl FnOnce() + Send + 'static {
    let result = Arc::clone(result);
    move || {
        let start = Instant::now();
        let before = os_times();
        let computed = job();
        let os = before.zip(os_times());
        let os = os.map(|(before, after)| [0, 1].map(|time| after[time].saturating_sub(before[time])));
        // Last, because a thread often loses its processor in a call of the operating system.
        let computed = computed.unwrap_or_else(|| start.elapsed());
        *result.lock().expect("no job panics") = Some(Times { computed, os });
    }
}

/// The times of the calling thread, on processor and waiting for one.
fn os_times() -> Option<[Duration; 2]> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let mut fields = text.split_ascii_whitespace().map(str::parse::<u64>);
    let (_, wait) = (fields.next()?.ok()?, fields.next()?.ok()?);
    let times_run = fields.next()?.ok()?;
    // A kernel without these statistics writes zeros.
    let measured = times_run != 0;
    measured.then_some([cpu_time()?, Duration::from_nanos(wait)])
}

/// The on-CPU time of the calling thread from another source than the metric's, which has no steps.
#[cfg(target_os = "linux")]
fn cpu_time() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).ok()
}

#[cfg(not(target_os = "linux"))]
fn cpu_time() -> Option<Duration> {
    None
}

/// Computes for this long.
pub fn spin(duration: Duration) {
    let start = Instant::now();
    while start.elapsed() < duration {
        core::hint::spin_loop();
    }
}

/// Waits for another thread.
///
/// # Panics
/// Panics if it takes too long.
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < LIMIT, "{what}: it never came");
        thread::yield_now();
    }
}
