//! Metrics against the truth that the same run has measured: busy loops of known length, times at which the worker was certainly parked,
//! and injected delays. Every bound follows from readings of one clock, so that no bound depends on the speed of the machine.
// Tokio counts parks and busy time with 64-bit atomics only.
#![cfg(target_has_atomic = "64")]

use core::time::Duration;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use metrics_std::tokio::{watch_loop_lag, watch_wake_latency};
use metrics_std::{Clock, HistogramSnapshot, RuntimeMetrics};
use tests::ground_truth::{LIMIT, Place, SUBJECTS, Setup, Subject, spin, until};
use tokio::task::{LocalSet, block_in_place};

const STEP: Duration = Duration::from_millis(2);

fn subjects() -> impl Iterator<Item = ((Setup, Place), Subject)> {
    SUBJECTS.map(|of| (of, subject(of))).into_iter()
}

/// The clock of the truth, so that the two can be compared to the nanosecond.
fn subject(of: (Setup, Place)) -> Subject {
    Subject::new(of, Clock::instant())
}

/// Compares the busy time and the utilisation of a parked worker with the truth.
fn check_busy(of: (Setup, Place), subject: &Subject) {
    let truth = subject.truth;
    // Tokio submits the count of parks a moment before the busy time.
    until("the busy time reaches the computed time", || {
        subject.busy() >= truth.computed
    });
    let busy = subject.busy();
    let most = subject.most_busy();
    assert!(
        busy <= most,
        "{of:?}: busy for {busy:?}, at most {most:?} is possible, {truth:?}"
    );

    // Utilisation is busy time over elapsed time.
    metrics_std::flush(&subject.metrics, LIMIT).expect("the worker is idle");
    let interval = subject.metrics.snapshot().since_start();
    let (elapsed, most) = (subject.began.elapsed(), subject.most_busy());
    let utilization = interval.total().utilization().expect("it is measured");
    let least = truth.computed.as_secs_f64() / elapsed.as_secs_f64();
    let wall = interval.wall().expect("there is a clock");
    assert!(wall <= elapsed, "{of:?}: {wall:?} of {elapsed:?}");
    let at_most = most.as_secs_f64() / wall.as_secs_f64();
    assert!(
        (least..=at_most).contains(&utilization),
        "{of:?}: {utilization}, not between {least} and {at_most}"
    );
}

/// Compares every number of a parked worker with the truth.
fn check(of: (Setup, Place), subject: &Subject) {
    check_busy(of, subject);
    check_os_times(of, subject);
    let truth = subject.truth;
    let snapshot = subject.metrics.snapshot();
    let most = subject.most_busy();
    let total = snapshot.total();
    assert_eq!(total.poll_count(), Some(truth.jobs), "{of:?}");
    let polls = Duration::from_nanos(total.poll_time().expect("it is on by default").histogram().sum());
    assert!(
        polls >= truth.computed && polls <= most,
        "{of:?}: polled for {polls:?}, {truth:?}"
    );
    assert!(total.park_count() >= Some(truth.parks), "{of:?}: {truth:?}");
    assert_eq!(snapshot.num_workers(), Some(1));
}

/// The on-CPU and the runnable-wait time of the worker.
fn os_times(subject: &Subject) -> Option<[Duration; 2]> {
    let snapshot = subject.metrics.snapshot();
    let worker = snapshot.worker(0)?;
    Some([
        worker.on_cpu_duration_total()?,
        worker.runnable_wait_duration_total()?,
    ])
}

/// Compares the operating system's times with those that the jobs have read on their own thread.
fn check_os_times(of: (Setup, Place), subject: &Subject) {
    let has_run = subject.truth.jobs > 0;
    if let Some(truth) = subject.truth.os.filter(|_| has_run) {
        // A reader keeps the values for some milliseconds.
        until("the times reach those of the jobs", || {
            os_times(subject).is_some_and(|[on_cpu, wait]| on_cpu >= truth[0] && wait >= truth[1])
        });
    } else if has_run || of.0 == Setup::Attach {
        // An attached runtime does not know its threads before it has run a task.
        assert_eq!(os_times(subject), None, "{of:?}");
    }
    // A thread is never in two states at once, and it has started after the subject.
    if let Some([on_cpu, wait]) = os_times(subject) {
        let elapsed = subject.began.elapsed();
        assert!(
            on_cpu + wait <= elapsed,
            "{of:?}: {on_cpu:?} and {wait:?} of {elapsed:?}"
        );
    }
}

#[test]
fn an_idle_worker_has_no_busy_time() {
    for (of, mut subject) in subjects() {
        subject.rest(STEP);
        // In the first attempt, the worker may have parked a moment ago.
        until("nothing is added while it is parked", || {
            let before = subject.busy();
            subject.rest(STEP);
            subject.busy() == before
        });
        check(of, &subject);
    }
}

#[test]
fn half_the_time_busy() {
    for (of, mut subject) in subjects() {
        for _ in 0..8 {
            subject.run(|| spin(STEP));
            subject.rest(STEP);
        }
        check(of, &subject);
    }
}

#[test]
fn all_the_time_busy() {
    for (of, mut subject) in subjects() {
        subject.run_queued(40, || spin(STEP / 4));
        subject.rest(STEP);
        check(of, &subject);
    }
}

/// Tokio's busy time, which an attached runtime has, lacks what a poll computes before it hands its worker over.
#[test]
fn a_poll_that_hands_its_worker_over_keeps_the_time_before() {
    for setup in [Setup::Build, Setup::Attach] {
        let of = (setup, Place::MultiThread);
        let mut subject = subject(of);
        for _ in 0..4 {
            subject.run_partly(move || {
                spin(STEP);
                block_in_place(|| thread::sleep(STEP));
                // The least that it was.
                match setup {
                    Setup::Build => STEP,
                    Setup::Attach => Duration::ZERO,
                }
            });
            subject.rest(STEP);
            subject.run(|| spin(STEP));
            subject.rest(STEP);
        }
        // Polls last longer than the worker is busy: another thread has run it meanwhile, and parked.
        check_busy(of, &subject);
    }
}

#[test]
fn a_thread_that_takes_a_worker_over_adds_its_time_from_the_first_snapshot_on() {
    for setup in [Setup::Build, Setup::Attach] {
        let of = (setup, Place::MultiThread);
        let mut subject = subject(of);
        for _ in 0..4 {
            subject.run_partly(|| {
                block_in_place(|| thread::sleep(STEP));
                Duration::ZERO
            });
            // An attached runtime finds the thread when it polls a task.
            subject.run(|| {});
            subject.rest(STEP);
            let before = (os_times(&subject), subject.truth.os);
            subject.run(|| spin(STEP));
            subject.rest(STEP);
            let (Some(read), Some(truth)) = before else {
                assert_eq!(before, (None, None), "{of:?}");
                continue;
            };
            until("the time of the job is added", || {
                let now = os_times(&subject).zip(subject.truth.os);
                now.is_some_and(|(now, truth_now)| {
                    [0, 1]
                        .iter()
                        .all(|&time| now[time] + truth[time] >= read[time] + truth_now[time])
                })
            });
        }
        let [on_cpu, wait] = os_times(&subject).unwrap_or_default();
        assert!(on_cpu + wait <= subject.began.elapsed(), "{of:?}");
    }
}

#[test]
fn a_runtime_that_waits_for_another_one_is_busy_and_the_other_one_only_while_it_computes() {
    for (of, mut inner) in subjects() {
        for outer_setup in [Setup::Build, Setup::Attach] {
            let outer_of = (outer_setup, Place::MultiThread);
            let mut outer = subject(outer_of);
            let (sender, returned) = mpsc::channel();
            outer.run(move || {
                inner.run(|| spin(STEP));
                inner.rest(STEP);
                sender.send(inner).expect("the test waits");
            });
            inner = returned.recv().expect("the job has sent it");
            outer.rest(STEP);
            check(outer_of, &outer);
        }
        check(of, &inner);
    }
}

#[test]
fn a_worker_that_drives_a_runtime_inside_a_job_records_each_poll_in_its_own_runtime() {
    for (of, mut outer) in subjects().filter(|((_, place), _)| *place == Place::MultiThread) {
        let (sender, returned) = mpsc::channel();
        outer.run_partly(move || {
            spin(STEP);
            let mut inner = subject((of.0, Place::CurrentThread));
            inner.run(|| spin(STEP));
            inner.rest(STEP);
            let driven = block_in_place(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .expect("it builds");
                let attached = metrics_std::tokio::attach(runtime.handle()).expect("it is not measured yet");
                let job = attached.spawner.spawn(async { spin(STEP) });
                runtime.block_on(job).expect("it does not panic");
                attached.metrics
            });
            sender.send((inner, driven)).expect("the test waits");
            match of.0 {
                Setup::Build => STEP,
                Setup::Attach => Duration::ZERO,
            }
        });
        let (inner, driven) = returned.recv().expect("the job has sent it");
        check((of.0, Place::CurrentThread), &inner);
        outer.rest(STEP);
        check_busy(of, &outer);
        assert_eq!(outer.metrics.poll_count(), Ok(Some(outer.truth.jobs)), "{of:?}");
        let snapshot = driven.snapshot();
        assert_eq!(snapshot.total().poll_count(), Some(1));
        let polls = snapshot
            .total()
            .poll_time()
            .expect("it is on by default")
            .histogram()
            .sum();
        assert!(Duration::from_nanos(polls) >= STEP, "{polls} ns");
    }
}

/// The thread that drives a `LocalSet` is not a worker of the multi-thread flavour.
#[test]
fn a_local_set_outside_the_workers_adds_polls_and_no_busy_time() {
    for (of, mut subject) in subjects().filter(|((_, place), _)| *place == Place::MultiThread) {
        subject.rest(STEP);
        let mut jobs = 0;
        // In the first attempt, the worker may have parked a moment ago.
        until("no busy time is added", || {
            let before = subject.busy();
            let job = async { subject.spawner.spawn_local(async { spin(STEP) }).await };
            let local = LocalSet::new();
            local.block_on(&subject.runtime, job).expect("it does not panic");
            jobs += 1;
            subject.busy() == before
        });
        let snapshot = subject.metrics.snapshot();
        let polls = snapshot
            .total()
            .poll_time()
            .expect("it is on by default")
            .histogram()
            .sum();
        assert!(
            Duration::from_nanos(polls) >= jobs * STEP,
            "{of:?}: {polls} ns, {jobs} jobs"
        );
    }
}

#[test]
fn a_runtime_that_is_built_again_begins_anew_and_the_old_numbers_stay() {
    for of in SUBJECTS {
        let mut old = subject(of);
        old.run(|| spin(STEP));
        old.rest(STEP);
        check(of, &old);
        let (old, truth) = old.end();
        let numbers = || {
            let snapshot = old.snapshot();
            let total = snapshot.total();
            let polls = total.poll_time().expect("it is on by default").histogram().sum();
            (
                total.busy_duration_total(),
                total.poll_count(),
                polls,
                total.park_count(),
                total.on_cpu_duration_total(),
                total.runnable_wait_duration_total(),
            )
        };
        let last = numbers();
        assert!(last.0 >= Some(truth.computed), "{of:?}: {last:?}, {truth:?}");

        let mut new = subject(of);
        new.rest(STEP);
        for _ in 0..2 {
            new.run(|| spin(STEP));
            new.rest(STEP);
        }
        check(of, &new);
        assert_eq!(numbers(), last, "{of:?}");
    }
}

/// Tokio counts busy time from the start of the runtime, and the metrics know none before they are attached.
#[test]
fn an_interval_of_a_runtime_that_is_attached_late_has_its_own_busy_time_alone() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .expect("it builds");
    let compute = || runtime.block_on(runtime.spawn(async { spin(BLOCK) }));
    compute().expect("it does not panic");
    let metrics = metrics_std::tokio::attach(runtime.handle())
        .expect("it is not measured yet")
        .metrics;
    let utilization_while = |work: &dyn Fn()| {
        let first = metrics.snapshot();
        work();
        let interval = metrics.snapshot().since(&first).expect("it is of the same run");
        interval.total().utilization().expect("it is measured")
    };
    // In the first attempt, the worker may have parked a moment ago.
    until("an idle interval has no busy time", || {
        utilization_while(&|| thread::sleep(STEP)) == 0.0
    });
    let began = Instant::now();
    let utilization = utilization_while(&|| {
        let busy = || metrics.snapshot().total().busy_duration_total();
        let before = busy().expect("it is measured");
        compute().expect("it does not panic");
        until("Tokio has added the busy time", || busy() >= Some(before + BLOCK));
    });
    assert!(utilization >= BLOCK.as_secs_f64() / began.elapsed().as_secs_f64());
}

#[test]
fn tasks_that_wait_for_a_blocked_worker_are_in_the_queue_and_alive() {
    const TASKS: u64 = 5;
    for (of, mut subject) in subjects().filter(|((_, place), _)| *place != Place::LocalSet) {
        subject.rest(STEP);
        let (started, has_started) = mpsc::channel();
        let (open, gate) = mpsc::channel::<()>();
        let numbers = || {
            (
                subject.metrics.global_queue_depth(),
                subject.metrics.num_alive_tasks(),
            )
        };
        let idle = numbers();
        subject.spawner.spawn(async move {
            started.send(()).expect("the test waits");
            let _ = gate.recv();
        });
        has_started.recv_timeout(LIMIT).expect("it runs");
        for _ in 0..TASKS {
            subject.spawner.spawn(async {});
        }
        assert_eq!(numbers(), (Some(TASKS), Some(TASKS + 1)), "{of:?}");
        drop(open);
        until("all end", || numbers() == idle);
        assert_eq!(idle, (Some(0), Some(0)), "{of:?}");
    }
}

const PERIOD: Duration = Duration::from_millis(1);
const BLOCK: Duration = Duration::from_millis(20);

/// The samples of a probe: their number, their sum, and the largest.
fn lag(histogram: Option<&HistogramSnapshot<Vec<u64>>>) -> (u32, Duration, Duration) {
    let Some(lag) = histogram else {
        return Default::default();
    };
    let count = u32::try_from(lag.count()).expect("the test is short");
    (
        count,
        Duration::from_nanos(lag.sum()),
        Duration::from_nanos(lag.max().unwrap_or(0)),
    )
}

fn loop_lag(metrics: &RuntimeMetrics) -> (u32, Duration, Duration) {
    lag(metrics.snapshot().loop_lag())
}

/// Waits until a sample contains a block of the only worker. Tokio rounds the deadline of a timer up to the next millisecond.
fn until_lag_of(block: Duration, metrics: &RuntimeMetrics) {
    until("the block is recorded", || {
        loop_lag(metrics).2 + 2 * PERIOD >= block
    });
}

/// Waits until timers of the runtime have fired several times.
fn until_timers_fire(metrics: &RuntimeMetrics) {
    let before = loop_lag(metrics).0;
    until("timers fire", || loop_lag(metrics).0 >= before + 3);
}

/// Each sample begins a period after the end of the last one.
fn check_loop_lag(of: (Setup, Place), subject: &Subject) {
    let (samples, sum, _) = loop_lag(&subject.metrics);
    let elapsed = subject.began.elapsed();
    assert!(
        sum + samples * PERIOD <= elapsed,
        "{of:?}: {samples} samples, {sum:?} of {elapsed:?}"
    );
}

#[test]
fn each_block_of_the_only_worker_is_a_loop_lag_and_the_lags_do_not_overlap() {
    for (of, mut subject) in subjects() {
        let _probe = watch_loop_lag(&subject.spawner, PERIOD);
        until_timers_fire(&subject.metrics);
        for blocks in 1..=4 {
            subject.run(|| spin(BLOCK));
            until("each block is recorded", || {
                let (_, sum, _) = loop_lag(&subject.metrics);
                sum + blocks * 2 * PERIOD >= blocks * BLOCK
            });
        }
        until_lag_of(BLOCK, &subject.metrics);
        check_loop_lag(of, &subject);
        subject.run_queued(40, || spin(STEP));
        until_timers_fire(&subject.metrics);
        check_loop_lag(of, &subject);
    }
}

#[test]
fn timers_fire_while_a_poll_that_has_handed_its_worker_over_blocks() {
    for setup in [Setup::Build, Setup::Attach] {
        let of = (setup, Place::MultiThread);
        let mut subject = subject(of);
        let metrics = subject.metrics.clone();
        let _probe = watch_loop_lag(&subject.spawner, PERIOD);
        until_timers_fire(&metrics);
        subject.run_partly(move || {
            spin(BLOCK);
            block_in_place(|| until_timers_fire(&metrics));
            BLOCK
        });
        until_lag_of(BLOCK, &subject.metrics);
        check_loop_lag(of, &subject);
    }
}

#[test]
fn a_runtime_that_waits_for_another_one_lags_and_the_timers_of_the_other_one_fire() {
    for (of, mut inner) in subjects() {
        let _inner_probe = watch_loop_lag(&inner.spawner, PERIOD);
        until_timers_fire(&inner.metrics);
        for outer_setup in [Setup::Build, Setup::Attach] {
            let outer_of = (outer_setup, Place::MultiThread);
            let mut outer = subject(outer_of);
            let _probe = watch_loop_lag(&outer.spawner, PERIOD);
            until_timers_fire(&outer.metrics);
            let (sender, returned) = mpsc::channel();
            outer.run(move || {
                let start = Instant::now();
                inner.run(|| spin(BLOCK));
                until_lag_of(BLOCK, &inner.metrics);
                until_timers_fire(&inner.metrics);
                sender.send((inner, start.elapsed())).expect("the test waits");
            });
            let waited;
            (inner, waited) = returned.recv().expect("the job has sent it");
            until_lag_of(waited, &outer.metrics);
            check_loop_lag(outer_of, &outer);
        }
        check_loop_lag(of, &inner);
    }
}

#[test]
fn the_probes_of_a_runtime_that_is_built_again_begin_anew_and_the_old_lags_stay() {
    for of in SUBJECTS {
        let probe = |subject: &Subject| {
            let wakes = watch_wake_latency(&subject.spawner, PERIOD).expect("a thread starts");
            (watch_loop_lag(&subject.spawner, PERIOD), wakes)
        };
        let lags = |metrics: &RuntimeMetrics| {
            let snapshot = metrics.snapshot();
            [lag(snapshot.loop_lag()), lag(snapshot.wake_latency())]
        };
        let have_samples = |metrics: &RuntimeMetrics| lags(metrics).iter().all(|(samples, ..)| *samples > 0);

        let old = subject(of);
        let _old_probes = probe(&old);
        until("both probes run", || have_samples(&old.metrics));
        let (old, _) = old.end();
        let last = lags(&old);

        let new = subject(of);
        let snapshot = new.metrics.snapshot();
        assert_eq!(
            (snapshot.loop_lag(), snapshot.wake_latency()),
            (None, None),
            "{of:?}"
        );
        let _new_probes = probe(&new);
        until("both probes run", || have_samples(&new.metrics));
        check_loop_lag(of, &new);
        assert_eq!(lags(&old), last, "{of:?}");
    }
}

#[test]
fn a_block_of_the_only_worker_is_a_wake_latency_and_the_waits_do_not_overlap() {
    for (of, mut subject) in subjects() {
        let _probe = watch_wake_latency(&subject.spawner, PERIOD).expect("a thread starts");
        let read = |subject: &Subject| lag(subject.metrics.snapshot().wake_latency());
        until("a wake during a block is recorded", || {
            subject.run(|| spin(BLOCK));
            read(&subject).2 >= BLOCK / 2
        });
        let (_, sum, _) = read(&subject);
        let elapsed = subject.began.elapsed();
        assert!(sum <= elapsed, "{of:?}: {sum:?} of {elapsed:?}");
    }
}
