//! The watch of an event loop: a repeating timer, and the browser's long tasks and long animation frames.

use super::bindings::{self, Entry, EntryList, PerformanceObserver};
use super::frames::Frames;
use super::lateness::{Delays, Lateness};
use super::listeners::{Listener, Listeners};
use super::scripts::Unnamed;
use super::snapshot::{
    EventLoopSnapshot, FRAME_LAYOUT, Histogram, LAG_LAYOUT, LONG_TASK_LAYOUT, histogram, layout,
};
use super::stall::{Detector, Polls, Span, Stall, StallSource};
use crate::clock::{self, PerformanceClock};
use crate::host::{self, Timer};
use crate::lifecycle::{self, Lifecycle};
use crate::recorder::Recorder;
use core::cell::{Cell, RefCell};
use core::error::Error;
use core::fmt;
use core::time::Duration;
use metrics_core::{LagKind, StallKind, TimeSource};
use std::rc::{Rc, Weak};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::JsValue;

/// The error of [`EventLoop::watch`](super::EventLoop::watch).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchError {
    /// The monitor has no clock.
    NoClock,
    /// The host has no `setTimeout`. A worklet is such a host.
    NoTimers,
}

impl fmt::Display for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoClock => {
                "the monitor has no clock: watch the event loop from a global object that has performance.now()"
            }
            Self::NoTimers => {
                "this global object has no setTimeout(): watch the event loop from a window, a worker or Node"
            }
        })
    }
}

impl Error for WatchError {}

pub(super) struct Watch {
    recorder: Rc<Recorder>,
    clock: PerformanceClock,
    pub(super) period: Duration,
    /// The time at which the timer is due, in nanoseconds of the clock.
    due: Cell<u64>,
    /// Whether the page was hidden or did not run since the timer was set.
    interrupted: Cell<bool>,
    lateness: RefCell<Lateness>,
    /// `None` if the browser does not report long tasks.
    long_tasks: Option<RefCell<Histogram>>,
    /// `None` if the browser does not report the scripts of long animation frames.
    unnamed: Option<RefCell<Unnamed>>,
    /// `None` unless frames are watched.
    frames: RefCell<Option<Rc<Frames>>>,
    active_at_start: Option<f64>,
    detector: RefCell<Detector>,
    listeners: Listeners,
    /// Whether this watch counts stalls in the registry.
    counts_stalls: Cell<bool>,
    timer: RefCell<Option<Timer>>,
    tick: Closure<dyn FnMut()>,
    lifecycle: RefCell<Option<Lifecycle>>,
    observer: RefCell<Option<(PerformanceObserver, Entries)>>,
}

/// The types of the entries that the browser reports.
const LONG_TASK: &str = "longtask";
const LONG_FRAME: &str = "long-animation-frame";

/// Returns when the work of an entry ran.
fn span(entry: &Entry) -> Span {
    let start = PerformanceClock::origin().saturating_add(clock::nanos(entry.start_time()));
    Span {
        start,
        end: start.saturating_add(clock::nanos(entry.duration())),
    }
}

/// The callback for new performance entries.
type Entries = Closure<dyn FnMut(EntryList)>;

impl Watch {
    pub(super) fn start(recorder: &Rc<Recorder>, period: Duration) -> Result<Rc<Self>, WatchError> {
        let clock = *recorder.registry.clock();
        if !clock.available() {
            return Err(WatchError::NoClock);
        }
        let lag = layout(LAG_LAYOUT, &clock).ok_or(WatchError::NoClock)?;
        recorder.registry.shared().measure_lag(LagKind::Loop, lag);
        let types = PerformanceObserver::supported_entry_types().unwrap_or_default();
        let observes = |wanted| types.iter().any(|entry_type| entry_type == wanted);
        let names_scripts = observes(LONG_FRAME);
        let long_tasks = observes(LONG_TASK)
            .then(|| histogram(LONG_TASK_LAYOUT, &clock))
            .flatten()
            .map(RefCell::new);
        let delays = if lifecycle::is_page() {
            Delays::Throttled
        } else if lifecycle::is_dedicated_worker() {
            Delays::Frozen
        } else {
            Delays::None
        };
        let watch = Rc::new_cyclic(|watch: &Weak<Self>| {
            let watch = watch.clone();
            Self {
                recorder: Rc::clone(recorder),
                clock,
                period,
                due: Cell::new(0),
                interrupted: Cell::new(lifecycle::is_hidden()),
                lateness: RefCell::new(Lateness::new(delays)),
                long_tasks,
                unnamed: names_scripts.then(RefCell::default),
                frames: RefCell::default(),
                active_at_start: bindings::active_millis(),
                detector: RefCell::new(Detector::new()),
                listeners: Listeners::default(),
                counts_stalls: Cell::new(false),
                timer: RefCell::default(),
                tick: Closure::new(move || {
                    if let Some(watch) = watch.upgrade() {
                        watch.tick();
                    }
                }),
                lifecycle: RefCell::default(),
                observer: RefCell::default(),
            }
        });
        watch.set_timer()?;
        let interrupted = Rc::downgrade(&watch);
        watch.lifecycle.replace(Lifecycle::on_change(move || {
            if let Some(watch) = interrupted.upgrade() {
                watch.interrupt();
            }
        }));
        watch.observe();
        Ok(watch)
    }

    /// Reports the stalls whose scripts are not known yet, and ends the watch. Its listeners are not called any more.
    pub(super) fn stop(&self) {
        if let Some(unnamed) = &self.unnamed {
            let stalls = unnamed.borrow_mut().take();
            self.report(&stalls);
        }
        if let Some(timer) = self.timer.take() {
            // If this fails, the callback finds the watch dropped.
            let _ = bindings::clear_timeout(&timer);
        }
        if let Some((observer, _)) = &*self.observer.borrow() {
            let _ = observer.disconnect();
        }
        self.lifecycle.take();
        self.frames.take();
        self.listeners.clear();
        self.update_threshold();
    }

    pub(super) fn add_listener(&self, listener: &Rc<Listener>) {
        self.listeners.add(listener);
        self.update_threshold();
    }

    pub(super) fn remove_listener(&self, listener: &Rc<Listener>) {
        self.listeners.remove(listener);
        self.update_threshold();
    }

    /// Starts to watch frames. Returns whether the host has frames.
    pub(super) fn watch_frames(&self) -> bool {
        let mut frames = self.frames.borrow_mut();
        if frames.is_none() {
            *frames = histogram(FRAME_LAYOUT, &self.clock).and_then(|delay| Frames::start(self.clock, delay));
        }
        frames.is_some()
    }

    pub(super) fn snapshot(&self) -> EventLoopSnapshot {
        let active = self.active_at_start.zip(bindings::active_millis());
        EventLoopSnapshot {
            long_task_time: self
                .long_tasks
                .as_ref()
                .map(|long_tasks| long_tasks.borrow().clone()),
            frame_delay: self.frames.borrow().as_ref().map(|frames| frames.delay()),
            loop_busy_duration_total: active
                .map(|(start, now)| Duration::from_nanos(clock::nanos(now - start))),
        }
    }

    fn now(&self) -> u64 {
        self.clock.now().ticks()
    }

    fn set_timer(&self) -> Result<(), WatchError> {
        let millis = self.period.as_secs_f64() * 1e3;
        let timer = host::set_timeout(self.tick.as_ref(), millis).map_err(|_| WatchError::NoTimers)?;
        bindings::unref(&timer);
        let period = u64::try_from(self.period.as_nanos()).unwrap_or(u64::MAX);
        self.due.set(self.now().saturating_add(period));
        self.timer.replace(Some(timer));
        Ok(())
    }

    /// Discards the measurements in progress: the page is about to stop running, or it runs again.
    fn interrupt(&self) {
        self.interrupted.set(true);
        self.lateness.borrow_mut().interrupt();
        if let Some(frames) = &*self.frames.borrow() {
            frames.interrupt();
        }
    }

    fn tick(&self) {
        let late = Span {
            start: self.due.get(),
            end: self.now(),
        };
        let mut stalls = self.long_polls();
        if let Some(unnamed) = &self.unnamed {
            stalls.extend(unnamed.borrow_mut().timer_fired());
        }
        let hidden = lifecycle::is_hidden();
        if !self.interrupted.replace(hidden) && !hidden {
            let explained = self.detector.borrow().is_explained(late);
            let samples = self.lateness.borrow_mut().sample(late, explained);
            for sample in samples.into_iter().flatten() {
                let lag = Duration::from_nanos(sample.nanos());
                self.recorder.registry.shared().record_lag(LagKind::Loop, lag);
                // The browser's report of a sample that was held has arrived.
                let wait = self.long_tasks.is_some() && sample == late;
                let found = self.detector.borrow_mut().late(sample, wait);
                stalls.extend(found.into_iter().flatten());
            }
        }
        // The host has set this timer before, so it can set it again.
        let _ = self.set_timer();
        self.report(&stalls);
    }

    /// Returns the stalls from the polls and turns that ended since the last call.
    fn long_polls(&self) -> Vec<Stall> {
        let mut detector = self.detector.borrow_mut();
        let found = self.recorder.long_polls.take();
        found
            .into_iter()
            .filter_map(|found| {
                let span = Span {
                    start: found.start.ticks(),
                    end: found.end.ticks(),
                };
                let polls = Polls {
                    measured: found.measured,
                    spawn_location: found.spawn_location,
                };
                if found.is_turn {
                    detector.turn(span, polls)
                } else {
                    detector.poll(span, polls)
                }
            })
            .collect()
    }

    /// Subscribes to the browser's long tasks and long animation frames, and to those since the page was loaded.
    fn observe(self: &Rc<Self>) {
        if self.long_tasks.is_none() {
            return;
        }
        let watch = Rc::downgrade(self);
        let callback = Closure::new(move |entries: EntryList| {
            if let Some(watch) = watch.upgrade() {
                watch.reported(&entries);
            }
        });
        let Ok(observer) = PerformanceObserver::new(&callback) else {
            return;
        };
        let mut any_type = false;
        for entry_type in [LONG_TASK, LONG_FRAME] {
            let options = js_sys::Object::new();
            for (name, value) in [
                ("type", JsValue::from_str(entry_type)),
                ("buffered", JsValue::TRUE),
            ] {
                // A fresh plain object takes any property.
                let _ = js_sys::Reflect::set(&options, &JsValue::from_str(name), &value);
            }
            // Browsers ignore a type that they don't support.
            any_type |= observer.observe(&options).is_ok();
        }
        if any_type {
            self.observer.replace(Some((observer, callback)));
        }
    }

    /// Adds the long tasks that the browser reports, and then the frames, which name the scripts of these or of earlier tasks.
    fn reported(&self, entries: &EntryList) {
        let mut stalls = self.long_polls();
        let mut frames = Vec::new();
        for entry in entries.entries() {
            let span = span(&entry);
            if let Some(scripts) = entry.scripts() {
                frames.push((span, scripts));
                continue;
            }
            if let Some(long_tasks) = &self.long_tasks {
                long_tasks.borrow_mut().record(span.nanos());
            }
            let stall = self.detector.borrow_mut().long_task(span);
            match &self.unnamed {
                Some(unnamed) => stall
                    .into_iter()
                    .for_each(|stall| unnamed.borrow_mut().add(stall)),
                None => stalls.extend(stall),
            }
        }
        if let Some(unnamed) = &self.unnamed {
            let mut unnamed = unnamed.borrow_mut();
            for (frame, scripts) in &frames {
                stalls.extend(unnamed.named(*frame, scripts, |script| span(script)));
            }
        }
        self.report(&stalls);
    }

    fn report(&self, stalls: &[Stall]) {
        if self.counts_stalls.get() {
            let registry = self.recorder.registry.shared();
            for stall in stalls.iter().filter(|stall| stall.source == StallSource::Poll) {
                registry.stalled(StallKind::Poll);
                registry.stall_ended(StallKind::Poll, stall.duration);
            }
        }
        self.listeners.report(stalls);
    }

    /// Detects stalls from the lowest threshold of all listeners on, or none without listeners.
    fn update_threshold(&self) {
        let lowest = self.listeners.lowest_threshold();
        let registry = self.recorder.registry.shared();
        if lowest.is_none() && self.counts_stalls.replace(false) {
            registry.end_stall_watch();
        } else if lowest.is_some() && !self.counts_stalls.get() {
            self.counts_stalls
                .set(registry.begin_stall_watch(&[StallKind::Poll]));
        }
        let threshold = lowest.unwrap_or(u64::MAX);
        self.detector.borrow_mut().threshold = threshold;
        self.recorder.long_polls.watch(threshold);
    }
}
