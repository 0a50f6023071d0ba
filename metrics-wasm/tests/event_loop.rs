//! The watch of the event loop, in Node, a page and a dedicated worker.
#![cfg(target_family = "wasm")]

mod common;

use common::{is_node, next_turn, spin, until, yield_now};
use core::cell::RefCell;
use core::ops::Range;
use core::time::Duration;
use metrics_wasm::event_loop::{EventLoop, Histogram, Stall, StallListener, StallSource, WatchError};
use metrics_wasm::metrics_core::TimeSource;
use metrics_wasm::{Monitor, PerformanceClock, location};
use std::rc::Rc;
use wasm_bindgen::prelude::{Closure, JsValue, wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_futures::js_sys::{Function, Promise};
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen]
extern "C" {
    type ErrorEvent;

    #[wasm_bindgen(method, getter)]
    fn message(this: &ErrorEvent) -> String;

    #[wasm_bindgen(js_name = addEventListener)]
    fn add_event_listener(event: &str, listener: &JsValue);

    #[wasm_bindgen(js_name = removeEventListener)]
    fn remove_event_listener(event: &str, listener: &JsValue);

    #[wasm_bindgen(js_name = requestAnimationFrame)]
    fn request_animation_frame(callback: &Function);
}

/// Longer than any stall of a test.
const HOUR: u64 = 60 * 60 * 1000;

/// A watched event loop. A busy machine stalls it too, so a test looks only at reports about the time that it blocked itself.
struct Watched {
    monitor: Monitor,
    event_loop: EventLoop,
    clock: PerformanceClock,
    started: u64,
}

impl Watched {
    fn new() -> Self {
        let monitor = Monitor::builder().build().expect("the defaults are valid");
        let event_loop =
            EventLoop::watch_every(&monitor, Duration::from_millis(10)).expect("hosts of tests have timers");
        let clock = *monitor.metrics().registry().clock();
        Self {
            monitor,
            event_loop,
            clock,
            started: clock.now().ticks(),
        }
    }

    /// Registers a callback for stalls of at least `ms` milliseconds.
    fn listen(&self, ms: u64) -> Reports {
        let heard: Rc<RefCell<Vec<(Stall, u64)>>> = Rc::default();
        let (reports, clock) = (Rc::clone(&heard), self.clock);
        let listener = self.event_loop.on_stall(Duration::from_millis(ms), move |stall| {
            reports.borrow_mut().push((stall.clone(), clock.now().ticks()));
        });
        Reports { heard, listener }
    }

    fn lag(&self) -> Histogram {
        self.monitor.snapshot().loop_lag().unwrap().clone()
    }

    /// Waits until the timer of the watch has fired once more.
    async fn turned(&self) {
        let probes = || self.lag().count();
        let before = probes();
        until("the timer fires", || probes() > before).await;
    }

    /// Blocks the thread, and returns when.
    fn block(&self, ms: f64) -> Range<u64> {
        hold(self.clock, ms)
    }
}

fn hold(clock: PerformanceClock, ms: f64) -> Range<u64> {
    let start = clock.now().ticks();
    spin(ms);
    start..clock.now().ticks()
}

fn span(stall: &Stall) -> Range<u64> {
    let start = stall.start.ticks();
    let nanos = u64::try_from(stall.duration.as_nanos()).expect("of this run");
    start..start + nanos
}

/// The reports that a callback received, and when.
struct Reports {
    heard: Rc<RefCell<Vec<(Stall, u64)>>>,
    listener: StallListener,
}

impl Reports {
    /// The stalls that overlap this time.
    fn of(&self, time: &Range<u64>) -> Vec<(Stall, u64)> {
        let over = |(stall, _): &&(Stall, u64)| span(stall).start < time.end && time.start < span(stall).end;
        self.heard.borrow().iter().filter(over).cloned().collect()
    }

    /// Waits for the report of this time, and asserts that two turns of the loop bring no second one.
    async fn one(&self, watched: &Watched, time: &Range<u64>) -> (Stall, u64) {
        until("the stall is reported", || !self.of(time).is_empty()).await;
        watched.turned().await;
        watched.turned().await;
        let heard = self.of(time);
        let [stall] = &heard[..] else { panic!("{heard:?}") };
        stall.clone()
    }
}

#[wasm_bindgen_test]
async fn a_block_outside_any_poll_is_reported_once() {
    let watched = Watched::new();
    let ear = watched.listen(100);
    watched.turned().await;
    let blocked = watched.block(200.0);
    assert!(ear.of(&blocked).is_empty(), "reported while it lasts");
    let (stall, heard_at) = ear.one(&watched, &blocked).await;
    assert!(
        matches!(stall.source, StallSource::LongTask | StallSource::Probe),
        "{stall:?}"
    );
    assert!(stall.duration >= Duration::from_millis(180), "{stall:?}");
    assert!(
        span(&stall).start >= watched.started && span(&stall).end <= heard_at,
        "{stall:?}, heard at {heard_at}"
    );
    let snapshot = watched.event_loop.snapshot().unwrap();
    until("the lag is a sample", || watched.lag().max() >= Some(180_000_000)).await;
    if is_node() {
        let busy = snapshot.loop_busy_duration_total.expect("Node measures it");
        assert!(busy >= Duration::from_millis(150), "{snapshot:?}");
    }
    if snapshot.long_task_time.is_some() {
        until("the browser reports the long task", || {
            let long_tasks = watched.event_loop.snapshot().unwrap().long_task_time;
            long_tasks.unwrap().max() >= Some(190_000_000)
        })
        .await;
    }
}

#[wasm_bindgen_test]
async fn a_block_in_a_poll_is_reported_with_its_spawn_location() {
    let watched = Watched::new();
    let ear = watched.listen(100);
    watched.turned().await;
    let blocked = Rc::new(RefCell::new(0..0));
    let (out, clock) = (Rc::clone(&blocked), watched.clock);
    let spawned = clock.now().ticks();
    let line = line!() + 1;
    watched.monitor.spawn_local(async move {
        *out.borrow_mut() = hold(clock, 150.0);
    });
    until("the task is polled", || blocked.borrow().end > 0).await;
    let blocked = blocked.take();
    let (stall, _) = ear.one(&watched, &blocked).await;
    assert_eq!(stall.source, StallSource::Poll);
    let reported = span(&stall);
    assert!(
        (spawned..=blocked.start).contains(&reported.start) && reported.end >= blocked.end,
        "{reported:?} for {blocked:?}, spawned at {spawned}"
    );
    assert_eq!(
        location::resolve(stall.spawn_location).map(core::panic::Location::line),
        Some(line)
    );
}

#[wasm_bindgen_test]
async fn a_dropped_listener_is_not_called() {
    let watched = Watched::new();
    let (few, all, none) = (watched.listen(50), watched.listen(50), watched.listen(HOUR));
    watched.turned().await;
    let first = watched.block(120.0);
    all.one(&watched, &first).await;
    few.one(&watched, &first).await;
    drop(few.listener);
    let before = few.heard.borrow().len();
    let second = watched.block(120.0);
    all.one(&watched, &second).await;
    assert_eq!(few.heard.borrow().len(), before);
    assert!(none.heard.borrow().is_empty());
}

#[wasm_bindgen_test]
async fn a_dropped_watch_calls_no_listener() {
    let (dropped, other) = (Watched::new(), Watched::new());
    let (ear, control) = (dropped.listen(50), other.listen(50));
    drop(dropped.event_loop);
    let blocked = other.block(120.0);
    control.one(&other, &blocked).await;
    assert!(ear.heard.borrow().is_empty());
}

/// Spawns `tasks` tasks that are polled in one turn, each for `ms` milliseconds. Returns when the polls ran.
async fn short_polls(watched: &Watched, tasks: usize, ms: f64) -> Range<u64> {
    let polled: Rc<RefCell<Vec<Range<u64>>>> = Rc::default();
    for _ in 0..tasks {
        let (out, clock) = (Rc::clone(&polled), watched.clock);
        watched
            .monitor
            .spawn_local(async move { out.borrow_mut().push(hold(clock, ms)) });
    }
    until("the tasks are polled", || polled.borrow().len() == tasks).await;
    let polled = polled.take();
    polled[0].start..polled[tasks - 1].end
}

#[wasm_bindgen_test]
async fn a_turn_of_many_short_polls_is_reported_with_its_measured_time() {
    let watched = Watched::new();
    let ear = watched.listen(200);
    watched.turned().await;
    let polls = short_polls(&watched, 30, 10.0).await;
    let (stall, _) = ear.one(&watched, &polls).await;
    assert_eq!(stall.source, StallSource::Turn);
    assert!(
        stall.measured >= Duration::from_millis(290) && stall.measured <= stall.duration,
        "{stall:?}"
    );
    assert!(
        span(&stall).start <= polls.start && span(&stall).end >= polls.end,
        "{stall:?} for {polls:?}"
    );
    let location = location::resolve(stall.spawn_location).expect("of one of the tasks");
    assert!(location.file().ends_with("event_loop.rs"), "{location}");
}

#[wasm_bindgen_test]
async fn a_stall_in_a_poll_is_counted_in_the_snapshot() {
    let watched = Watched::new();
    assert_eq!(watched.monitor.snapshot().poll_stall_count(), None, "not watched");
    let ear = watched.listen(100);
    watched.turned().await;
    let before = watched.monitor.snapshot().poll_stall_count().expect("watched");
    let blocked = short_polls(&watched, 1, 150.0).await;
    let (stall, _) = ear.one(&watched, &blocked).await;
    assert_eq!(watched.monitor.snapshot().poll_stall_count(), Some(before + 1));
    let snapshot = watched.monitor.snapshot();
    let max = snapshot.poll_stall_duration().expect("watched").max();
    assert!(
        max >= Some(stall.duration.as_nanos() as u64),
        "{max:?} for {stall:?}"
    );
    // A stall outside any poll is none of a poll.
    let blocked = watched.block(150.0);
    ear.one(&watched, &blocked).await;
    assert_eq!(watched.monitor.snapshot().poll_stall_count(), Some(before + 1));
}

#[wasm_bindgen_test]
async fn latency_counts_from_rusts_wake_and_a_late_timer_is_lag() {
    let watched = Watched::new();
    watched.turned().await;
    // The timer of this sleep is due while the thread is blocked, so its callback and the wake come late.
    watched.monitor.spawn_local(async { common::sleep(5.0).await });
    next_turn().await;
    watched.monitor.spawn_local(async { spin(200.0) });
    let ended = || watched.monitor.snapshot().completed_tasks_count() == Some(2);
    until("both tasks end", ended).await;
    watched.turned().await;
    watched.turned().await;
    watched.monitor.spawn_local(yield_now());
    let lag = watched.lag().max();
    assert!(lag >= Some(150_000_000), "the timer was held up: {lag:?}");
    let snapshot = watched.monitor.snapshot();
    let latency = snapshot.total().schedule_latency().unwrap().histogram().max();
    assert!(
        latency < Some(150_000_000),
        "Rust's wake came after the block: {latency:?}"
    );
}

#[wasm_bindgen_test]
async fn frames_are_measured_on_request_where_there_are_any() {
    let watched = Watched::new();
    assert!(watched.event_loop.snapshot().unwrap().frame_delay.is_none());
    if !watched.event_loop.watch_frames() {
        assert!(is_node() || !common::is_page(), "a page has frames");
        assert!(watched.event_loop.snapshot().unwrap().frame_delay.is_none());
        return;
    }
    let frames = || watched.event_loop.snapshot().unwrap().frame_delay.unwrap();
    until("frames are drawn", || frames().count() >= 3).await;
    watched.block(200.0);
    until("the late frame is drawn", || frames().max() >= Some(190_000_000)).await;
}

#[wasm_bindgen_test]
async fn no_frame_is_drawn_for_a_dropped_watch() {
    let watched = Watched::new();
    if !watched.event_loop.watch_frames() {
        return;
    }
    let errors: Rc<RefCell<Vec<String>>> = Rc::default();
    let thrown = Rc::clone(&errors);
    let listener = Closure::<dyn FnMut(ErrorEvent)>::new(move |error: ErrorEvent| {
        thrown.borrow_mut().push(error.message());
    });
    add_event_listener("error", listener.as_ref());
    drop(watched);
    // The host draws frames in the order of their requests.
    JsFuture::from(Promise::new(&mut |resolve, _| request_animation_frame(&resolve)))
        .await
        .expect("a frame");
    remove_event_listener("error", listener.as_ref());
    assert!(errors.borrow().is_empty(), "{errors:?}");
}

#[wasm_bindgen_test]
fn a_monitor_without_a_clock_cannot_be_watched() {
    let monitor = Monitor::builder()
        .clock(PerformanceClock::UNAVAILABLE)
        .build()
        .expect("the defaults are valid");
    assert_eq!(EventLoop::watch(&monitor).map(drop), Err(WatchError::NoClock));
}
