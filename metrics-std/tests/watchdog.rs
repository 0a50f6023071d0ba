//! Stalls, found by explicit scans with a clock that only the test advances, and once by the real thread.
#![allow(missing_docs)]

use core::future::{Future, poll_fn};
use core::panic::Location;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use metrics_core::{GroupId, HeapStorage, ProbedState, RegistryRef};
use metrics_mock::ManualClock;
use metrics_std::location::{intern, intern_name};
use metrics_std::watchdog::{Stall, StallKind, StallPhase, StallScanner, Watchdog, watch_stalls};
use metrics_std::{
    Builder, Clock, HistogramConfig, Measured, MetricSet, NoProbe, PollStart, Probe, RuntimeHandles,
    RuntimeMetrics, Sampling, Worker, build, build_wrapped,
};
use portable_atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Instant;

const THRESHOLD: Duration = Duration::from_millis(20);

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn timed() -> Builder<'static> {
    Builder::new()
        .measures(MetricSet::ALL)
        .name("api")
        .workers(2)
        .poll_time(HistogramConfig::DEFAULT)
}

fn runtime() -> (Arc<ManualClock>, RuntimeMetrics, Vec<Worker>) {
    let clock = Arc::new(ManualClock::new());
    let RuntimeHandles { metrics, workers } =
        build(timed(), Clock::custom(Arc::clone(&clock)), NoProbe).unwrap();
    (clock, metrics, workers)
}

fn scan<R: RegistryRef<Storage = HeapStorage>, P: Probe>(scanner: &mut StallScanner<R, P>) -> Vec<Stall> {
    let mut stalls = Vec::new();
    scanner.scan(|stall| stalls.push(stall.clone()));
    stalls
}

fn only(stalls: Vec<Stall>) -> Stall {
    let [stall] = <[_; 1]>::try_from(stalls).expect("one stall");
    stall
}

#[test]
fn a_root_poll_inside_a_poll_starts_no_new_stall() {
    let (clock, metrics, workers) = runtime();
    let mut scanner = StallScanner::new(&metrics, THRESHOLD);
    let worker = &workers[0];
    worker.start_poll(PollStart::default());
    let mut reports = Vec::new();
    for _ in 0..3 {
        clock.advance(millis(30));
        worker.inc_root_polls();
        reports.extend(scan(&mut scanner));
    }
    assert_eq!(only(reports).phase, StallPhase::Ongoing);
    assert_eq!(metrics.poll_stall_count(), Some(1));
}

#[test]
fn a_long_poll_is_told_while_it_lasts_and_when_it_is_over() {
    let (clock, metrics, workers) = runtime();
    let mut scanner = StallScanner::new(&metrics, THRESHOLD);
    let worker = &workers[1];
    worker.start_poll(PollStart::default());
    assert!(scan(&mut scanner).is_empty());
    clock.advance(millis(19));
    assert!(scan(&mut scanner).is_empty());

    clock.advance(millis(6));
    let stall = only(scan(&mut scanner));
    assert_eq!((stall.phase, stall.kind), (StallPhase::Ongoing, StallKind::Poll));
    assert_eq!((stall.worker, stall.lasted), (Some(1), millis(25)));
    clock.advance(millis(100));
    assert!(scan(&mut scanner).is_empty(), "told once while it lasts");

    worker.end_poll();
    let stall = only(scan(&mut scanner));
    assert_eq!((stall.phase, stall.lasted), (StallPhase::Over, millis(125)));
    assert!(scan(&mut scanner).is_empty(), "and once when it is over");
}

#[test]
fn a_stall_is_over_when_the_next_one_begins() {
    let (clock, metrics, workers) = runtime();
    let mut scanner = StallScanner::new(&metrics, THRESHOLD);
    for _ in 0..2 {
        workers[0].start_poll(PollStart::default());
        clock.advance(millis(30));
        scan(&mut scanner);
        workers[0].end_poll();
    }
    workers[0].start_poll(PollStart::default());
    clock.advance(millis(30));
    let phases: Vec<_> = scan(&mut scanner).iter().map(|stall| stall.phase).collect();
    assert_eq!(phases, [StallPhase::Over, StallPhase::Ongoing]);
}

#[test]
fn a_saturated_worker_of_short_polls_is_no_stall() {
    let (clock, metrics, workers) = runtime();
    let mut scanner = StallScanner::new(&metrics, THRESHOLD);
    workers[0].start_processing_scheduled_tasks();
    // A second of polls of 10 us each, without one park, looked at in the middle of polls and between them.
    for poll in 0..100_000_u32 {
        workers[0].start_poll(PollStart::default());
        clock.advance(Duration::from_micros(10));
        if poll % 500 == 0 {
            assert!(scan(&mut scanner).is_empty());
        }
        workers[0].end_poll();
        if poll % 500 == 250 {
            assert!(scan(&mut scanner).is_empty());
        }
    }
    // Only ever looked at in the middle of a poll, as if it were one that never ends.
    for _ in 0..1_000 {
        workers[0].start_poll(PollStart::default());
        clock.advance(Duration::from_micros(50));
        assert!(scan(&mut scanner).is_empty());
        workers[0].end_poll();
    }
}

#[test]
fn a_poll_that_is_not_timed_counts_from_the_first_look() {
    let (clock, metrics, workers) = runtime();
    metrics.registry().switches().set_poll_time(Sampling::Off);
    workers[0].submit();
    let mut scanner = StallScanner::new(&metrics, THRESHOLD);
    workers[0].start_poll(PollStart::default());
    clock.advance(millis(500));
    assert!(scan(&mut scanner).is_empty(), "nobody knows when it began");
    clock.advance(millis(20));
    assert_eq!(only(scan(&mut scanner)).lasted, millis(20));
}

#[test]
fn a_worker_given_away_in_the_middle_of_a_poll_does_not_stall() {
    let (clock, metrics, workers) = runtime();
    let mut scanner = StallScanner::new(&metrics, THRESHOLD);
    workers[0].start_poll(PollStart::default());
    clock.advance(millis(5));
    let took = Worker::lease(Arc::clone(metrics.registry()), 0).unwrap();
    took.park();
    clock.advance(millis(50));
    assert!(scan(&mut scanner).is_empty());
    // The thread that has the worker now can stall like any other.
    took.unpark();
    took.start_poll(PollStart::default());
    clock.advance(millis(50));
    assert_eq!(only(scan(&mut scanner)).lasted, millis(50));
}

#[test]
fn so_it_is_while_nothing_is_timed() {
    let (clock, metrics, workers) = runtime();
    metrics.registry().switches().set_poll_time(Sampling::Off);
    workers[0].submit();
    let mut scanner = StallScanner::new(&metrics, THRESHOLD);
    workers[0].start_poll(PollStart::default());
    assert!(scan(&mut scanner).is_empty());
    clock.advance(millis(5));
    let took = Worker::lease(Arc::clone(metrics.registry()), 0).unwrap();
    took.park();
    for _ in 0..3 {
        clock.advance(millis(50));
        assert!(
            scan(&mut scanner).is_empty(),
            "it gave its worker away in that poll"
        );
    }
    took.unpark();
    took.start_poll(PollStart::default());
    assert!(scan(&mut scanner).is_empty());
    clock.advance(millis(50));
    assert_eq!(only(scan(&mut scanner)).lasted, millis(50));
    took.end_poll();
    assert_eq!(only(scan(&mut scanner)).phase, StallPhase::Over);
}

#[test]
fn a_spawn_site_that_comes_late_makes_no_second_stall() {
    let (clock, metrics, workers) = runtime();
    let mut scanner = StallScanner::new(&metrics, THRESHOLD);
    workers[0].start_poll(PollStart::default());
    clock.advance(millis(30));
    assert_eq!(only(scan(&mut scanner)).spawn_location, None);
    let here = Location::caller();
    workers[0].set_spawn_location(intern(here));
    clock.advance(millis(30));
    assert!(scan(&mut scanner).is_empty());
    workers[0].end_poll();
    let stall = only(scan(&mut scanner));
    assert_eq!(
        (stall.phase, stall.lasted, stall.spawn_location.as_deref()),
        (
            StallPhase::Over,
            millis(60),
            Some(&*format!("{}:{}", here.file(), here.line()))
        )
    );
}

#[test]
fn a_thread_that_ended_in_a_stall_ends_it() {
    let (clock, metrics, mut workers) = runtime();
    let mut scanner = StallScanner::new(&metrics, THRESHOLD);
    workers[0].start_poll(PollStart::default());
    clock.advance(millis(30));
    assert_eq!(only(scan(&mut scanner)).phase, StallPhase::Ongoing);
    drop(workers.remove(0));
    assert_eq!(only(scan(&mut scanner)).phase, StallPhase::Over);
}

#[test]
fn the_report_names_runtime_thread_and_spawn_site() {
    let clock = Arc::new(ManualClock::new());
    let metrics = build_wrapped(timed(), Clock::custom(Arc::clone(&clock))).unwrap();
    let mut scanner = StallScanner::new(&metrics, THRESHOLD);
    let mut found = None;
    let line = line!() + 1;
    let task = Measured::task(
        &metrics,
        poll_fn(|_| {
            clock.advance(millis(60));
            found = scan(&mut scanner).pop();
            Poll::Ready(())
        }),
    );
    assert!(
        pin!(task)
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    );

    let stall = found.unwrap();
    assert_eq!(
        stall.spawn_location.as_deref(),
        Some(&*format!("{}:{line}", file!()))
    );
    let thread = std::thread::current();
    assert_eq!(stall.thread.as_deref(), thread.name());
    // `/proc/thread-self` is a link to the thread's directory, whose name is the ID. It exists only on Linux.
    let id = std::fs::read_link("/proc/thread-self")
        .ok()
        .and_then(|link| link.file_name()?.to_str()?.parse().ok());
    assert_eq!(stall.os_thread_id, id);
    let id = id.map(|id| format!(", thread ID {id}")).unwrap_or_default();
    let expected = format!(
        "runtime api: worker 0 ({}{id}) has been in one poll for 60ms, of the task spawned at {}:{line}",
        thread.name().unwrap(),
        file!(),
    );
    assert_eq!(stall.to_string(), expected);
}

#[test]
fn the_watchdogs_thread_tells_of_a_stall_before_it_ends_and_stops_when_dropped() {
    let (clock, metrics, workers) = runtime();
    let (told, stalls) = mpsc::channel();
    let watchdog = watch_stalls(&metrics, millis(4), move |stall| {
        told.send(stall.clone()).unwrap();
    })
    .unwrap();
    workers[0].start_poll(PollStart::default());
    clock.advance(millis(60));
    // The poll goes on until the report is here.
    assert_eq!(stalls.recv().unwrap().phase, StallPhase::Ongoing);
    workers[0].end_poll();
    assert_eq!(stalls.recv().unwrap().phase, StallPhase::Over);
    drop(watchdog);
    assert!(stalls.recv().is_err(), "the callback went with the thread");
}

#[test]
fn a_stall_across_a_backward_clock_step_is_reported() {
    let (clock, metrics, workers) = runtime();
    clock.advance(Duration::from_secs(7200));
    let mut scanner = StallScanner::new(&metrics, THRESHOLD);
    assert!(scan(&mut scanner).is_empty());
    workers[0].start_poll(PollStart::default());
    clock.set_ticks(3_600_000_000_000);
    assert!(
        scan(&mut scanner).is_empty(),
        "how long the poll had lasted before is unknown"
    );
    clock.advance(millis(50));
    let stall = only(scan(&mut scanner));
    assert_eq!((stall.phase, stall.kind), (StallPhase::Ongoing, StallKind::Poll));
    assert!(stall.clock_stepped);
    assert_eq!(
        stall.lasted,
        millis(50),
        "counted from the first scan after the step"
    );
    let text = stall.to_string();
    assert!(
        text.contains("for at least 50ms (the clock stepped back)"),
        "{text}"
    );
}

#[test]
fn a_backward_clock_step_keeps_the_duration_seen_before_it() {
    let (clock, metrics, workers) = runtime();
    clock.advance(Duration::from_secs(7200));
    let mut scanner = StallScanner::new(&metrics, THRESHOLD);
    workers[0].start_poll(PollStart::default());
    clock.advance(Duration::from_secs(10));
    let stall = only(scan(&mut scanner));
    assert_eq!(
        (stall.lasted, stall.clock_stepped),
        (Duration::from_secs(10), false)
    );
    clock.set_ticks(1_000_000);
    assert!(scan(&mut scanner).is_empty());
    clock.advance(Duration::from_secs(2));
    workers[0].end_poll();
    let stall = only(scan(&mut scanner));
    assert_eq!(stall.phase, StallPhase::Over);
    assert_eq!(
        (stall.lasted, stall.clock_stepped),
        (Duration::from_secs(12), true)
    );
}

/// Runs `action` on a thread of its own and fails if it takes longer than any scheduling delay explains.
fn finishes(what: &str, action: impl FnOnce() + Send + 'static) {
    let (done, finished) = mpsc::channel();
    std::thread::spawn(move || {
        action();
        done.send(()).unwrap();
    });
    let result = finished.recv_timeout(Duration::from_secs(20));
    assert!(result.is_ok(), "{what}: {result:?}");
}

#[test]
fn drop_does_not_wait_for_a_callback_that_waits_for_the_dropping_thread() {
    let (clock, metrics, workers) = runtime();
    let (entered, callback_entered) = mpsc::channel();
    let lock = Arc::new(Mutex::new(()));
    let held_by_callback = Arc::clone(&lock);
    let watchdog = watch_stalls(&metrics, millis(4), move |_| {
        entered.send(()).unwrap();
        drop(held_by_callback.lock());
    })
    .unwrap();
    finishes("drop", move || {
        let guard = lock.lock();
        workers[0].start_poll(PollStart::default());
        clock.advance(millis(60));
        callback_entered.recv().unwrap();
        drop(watchdog);
        drop(guard);
    });
}

#[test]
fn shutdown_says_whether_the_callback_returned() {
    let (clock, metrics, workers) = runtime();
    let watchdog = watch_stalls(&metrics, millis(4), |_| {}).unwrap();
    assert!(watchdog.shutdown(Duration::from_secs(20)).is_ok());

    let (entered, callback_entered) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let watchdog = watch_stalls(&metrics, millis(4), move |_| {
        entered.send(()).unwrap();
        let _ = released.recv();
    })
    .unwrap();
    workers[0].start_poll(PollStart::default());
    clock.advance(millis(60));
    callback_entered.recv().unwrap();
    let error = watchdog.shutdown(millis(1)).unwrap_err();
    assert!(error.to_string().contains("1ms"), "{error}");
    drop(release);
}

#[test]
fn a_callback_can_end_its_own_watchdog() {
    let shut_down = |watchdog: Watchdog| watchdog.shutdown(Duration::from_secs(60)).unwrap();
    for end in [drop::<Watchdog>, shut_down] {
        let (clock, metrics, workers) = runtime();
        let (ended, has_ended) = mpsc::channel();
        let own: Arc<Mutex<Option<Watchdog>>> = Arc::default();
        let taken = Arc::clone(&own);
        let watchdog = watch_stalls(&metrics, millis(4), move |_| {
            end(taken.lock().unwrap().take().unwrap());
            ended.send(()).unwrap();
        })
        .unwrap();
        *own.lock().unwrap() = Some(watchdog);
        workers[0].start_poll(PollStart::default());
        clock.advance(millis(60));
        // A callback that waits for its own thread would wait for a minute.
        has_ended.recv_timeout(Duration::from_secs(20)).unwrap();
    }
}

#[test]
fn a_panicking_callback_does_not_end_the_watch() {
    let (clock, metrics, workers) = runtime();
    let (told, stalls) = mpsc::channel();
    let _watchdog = watch_stalls(&metrics, millis(4), move |stall| {
        told.send(stall.phase).unwrap();
        // Without the panic hook, which would print.
        std::panic::resume_unwind(Box::new("the callback's own panic"));
    })
    .unwrap();
    workers[0].start_poll(PollStart::default());
    clock.advance(millis(60));
    let wait = Duration::from_secs(20);
    assert_eq!(stalls.recv_timeout(wait), Ok(StallPhase::Ongoing));
    workers[0].end_poll();
    assert_eq!(stalls.recv_timeout(wait), Ok(StallPhase::Over));
}

/// What a runtime of another crate reports of its one worker.
#[derive(Clone, Default)]
struct OwnProbe(Arc<AtomicU64>);

impl Probe for OwnProbe {
    fn worker_state(&self, worker: usize) -> Option<ProbedState> {
        (worker == 0).then(|| ProbedState {
            parked: Some(false),
            progress: Some(self.0.load(Ordering::Relaxed)),
            ..ProbedState::default()
        })
    }
}

#[test]
fn the_workers_of_any_registry_are_watched_by_the_signs_of_its_own_probe() {
    let clock = Arc::new(ManualClock::new());
    let registry = timed().build(Arc::clone(&clock)).unwrap();
    let worker = metrics_core::Worker::lease(Arc::clone(&registry), 0).unwrap();
    let probe = OwnProbe::default();
    let metrics = metrics_core::RuntimeMetrics::with_probe(registry, probe.clone());
    let mut scanner = StallScanner::new(&metrics, THRESHOLD);
    worker.unpark();
    worker.start_processing_scheduled_tasks();
    for _ in 0..3 {
        assert!(scan(&mut scanner).is_empty(), "its number changes");
        probe.0.fetch_add(1_000, Ordering::Relaxed);
        clock.advance(millis(50));
    }
    assert!(scan(&mut scanner).is_empty());
    clock.advance(millis(50));
    let stall = only(scan(&mut scanner));
    assert_eq!((stall.kind, stall.lasted), (StallKind::NoProgress, millis(50)));
    let _watchdog = watch_stalls(&metrics, THRESHOLD, |_| {}).unwrap();
}

/// Panics from its second call on, without the panic hook, which would print.
#[derive(Clone, Default)]
struct PanickingProbe(Arc<AtomicU64>);

impl PanickingProbe {
    fn call(&self) {
        if self.0.fetch_add(1, Ordering::Relaxed) >= 1 {
            std::panic::resume_unwind(Box::new("the probe's own panic"));
        }
    }
}

impl Probe for PanickingProbe {
    fn worker_state(&self, _: usize) -> Option<ProbedState> {
        self.call();
        Some(ProbedState {
            parked: Some(false),
            progress: Some(0),
            ..ProbedState::default()
        })
    }

    fn write_thread(&self, _: u64, _: &mut dyn core::fmt::Write) -> core::fmt::Result {
        self.call();
        Ok(())
    }
}

#[test]
fn a_probe_that_panics_is_called_once_more_and_the_watch_goes_on() {
    let clock = Arc::new(ManualClock::new());
    let registry = timed().build(Arc::clone(&clock)).unwrap();
    let workers = [0, 1].map(|index| metrics_core::Worker::lease(Arc::clone(&registry), index).unwrap());
    let probe = PanickingProbe::default();
    let metrics = metrics_core::RuntimeMetrics::with_probe(registry, probe.clone());
    let mut scanner = StallScanner::new(&metrics, THRESHOLD);
    workers[0].start_processing_scheduled_tasks();
    workers[1].start_poll(PollStart::default());
    clock.advance(millis(30));
    // The probe panics in this scan.
    let stall = only(scan(&mut scanner));
    assert_eq!((stall.worker, stall.phase), (Some(1), StallPhase::Ongoing));
    clock.advance(millis(30));
    assert!(scan(&mut scanner).is_empty());
    workers[1].end_poll();
    let stall = only(scan(&mut scanner));
    assert_eq!((stall.phase, stall.lasted), (StallPhase::Over, millis(60)));
    assert_eq!(probe.0.load(Ordering::Relaxed), 2);
    assert_eq!(metrics.poll_stall_count(), Some(1));
}

#[test]
fn a_report_names_whose_tasks_waited_for_the_poll() {
    for in_group in [false, true] {
        report_of_waits(in_group);
    }
}

/// Reports a stall that made a task wait, directly in the stalled task or in a group's future that it polls.
fn report_of_waits(in_group: bool) {
    let clock = Arc::new(ManualClock::new());
    let builder = timed()
        .schedule_latency(HistogramConfig::DEFAULT)
        .flight_recorder(64);
    let RuntimeHandles { metrics, workers } =
        build(builder, Clock::custom(Arc::clone(&clock)), NoProbe).unwrap();
    let mut scanner = StallScanner::new(&metrics, THRESHOLD);
    let (report, quick) = (intern_name("report"), intern_name("quick"));
    let worker = &workers[0];
    let woken = workers[0].now();
    let start = |spawn_location, scheduled_at| {
        worker.start_poll(PollStart {
            scheduled_at,
            spawn_location,
        });
    };
    start(report, None);
    clock.advance(millis(2));
    worker.end_poll();
    start(report, None);
    let group = in_group.then(|| worker.start_group_poll(GroupId::from_location(intern_name("/report"))));
    clock.advance(millis(38));
    let stall = only(scan(&mut scanner));
    assert!(stall.victims.is_empty(), "not known yet");
    drop(group);
    worker.end_poll();
    start(quick, Some(woken));
    worker.end_poll();
    let stall = only(scan(&mut scanner));
    assert_eq!(stall.phase, StallPhase::Over);
    let victims: Vec<_> = (stall.victims.iter())
        .map(|victim| (victim.spawn_location.as_deref(), victim.waited, victim.for_stall))
        .collect();
    // Not the poll of the same location before the stall.
    assert_eq!(victims, [(Some("quick"), millis(40), millis(38))]);
    let text = stall.to_string();
    assert!(
        text.ends_with("; tasks spawned at quick waited 40ms, 38ms of them for it"),
        "{text}"
    );
}

#[test]
fn a_callback_that_blocks_does_not_stop_the_counting() {
    let (clock, metrics, workers) = runtime();
    let (release, released) = mpsc::channel::<()>();
    let watchdog = watch_stalls(&metrics, millis(4), move |_| {
        let _ = released.recv();
    })
    .unwrap();
    for n in 1..=3 {
        workers[0].start_poll(PollStart::default());
        clock.advance(millis(30));
        let began = Instant::now();
        while metrics.poll_stall_count() != Some(n) {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "{:?}",
                metrics.poll_stall_count()
            );
            std::thread::yield_now();
        }
        workers[0].end_poll();
    }
    drop(release);
    watchdog.shutdown(Duration::from_secs(20)).unwrap();
}
