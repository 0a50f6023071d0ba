//! The event loop itself: how late it turns, what holds it, how busy it is.

mod bindings;
mod stall;

use crate::recorder::Recorder;
use crate::{Monitor, PerformanceClock, no_finer_than};
use bindings::{EntryList, PerformanceObserver, Timer};
use core::cell::{Cell, RefCell};
use core::error::Error;
use core::fmt;
use core::time::Duration;
use metrics_core::{HistogramConfig, HistogramSnapshot, IfRecording, TimeSource};
use stall::{Detector, Span};
use std::rc::{Rc, Weak};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::JsValue;

pub use stall::{Stall, StallSource};

/// A histogram of nanoseconds.
pub type Histogram = HistogramSnapshot<Vec<u64>>;

/// Time between two probes by default.
pub const DEFAULT_PERIOD: Duration = Duration::from_millis(50);

/// A timer that is this late came late because the thread was busy; hosts fire an idle thread's up to a millisecond late.
const BUSY_LAG: u64 = 2_000_000;

const LAG_LAYOUT: (u64, u64, u32) = (100_000, 60_000_000_000, 2);
/// By the definition of the Long Tasks API none is shorter than 50 ms.
const LONG_TASK_LAYOUT: (u64, u64, u32) = (50_000_000, 60_000_000_000, 3);

/// Watches the event loop of its thread until it is dropped.
///
/// - **Loop lag**: a timer is set again and again, and how late it comes is how long whatever was ready to run had to wait. A page
///   that can't be seen has its timers throttled, so it is not measured then.
/// - **Long tasks**, those over 50 ms, where the browser reports them (windows of Chromium's family).
/// - **Busy time**: Node's own account where there is one. Elsewhere an estimate: a timer due while the thread was busy stands for the
///   whole period before it. It is as good as there are periods in the interval one looks at, and only right for work that does not
///   keep step with the timer.
/// - **Stalls**, for those who [ask](Self::on_stall).
pub struct EventLoop(IfRecording<Rc<State>>);

impl fmt::Debug for EventLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut event_loop = f.debug_struct("EventLoop");
        if let Some(state) = self.0.get() {
            event_loop.field("period", &state.period);
        }
        event_loop.finish_non_exhaustive()
    }
}

/// Why the event loop can't be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchError {
    /// The monitor has no clock.
    NoClock,
    /// The host has no `setTimeout`: a worklet, say.
    NoTimers,
}

impl fmt::Display for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoClock => {
                "the event loop can't be watched without a clock: this global has no performance.now()"
            }
            Self::NoTimers => {
                "the event loop can't be watched without timers: this global has no setTimeout()"
            }
        })
    }
}

impl Error for WatchError {}

/// What an event loop was seen to do. `None` where the host does not tell.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EventLoopSnapshot {
    /// How late its timers came.
    pub loop_lag: Histogram,
    /// How long its long tasks took.
    pub long_task_time: Option<Histogram>,
    /// How long it was busy since it was first watched.
    pub loop_busy_duration_total: Duration,
}

struct State {
    recorder: Rc<Recorder>,
    clock: PerformanceClock,
    period: Duration,
    /// When the timer is due, in nanoseconds of the clock.
    due: Cell<u64>,
    was_hidden: Cell<bool>,
    lag: RefCell<Histogram>,
    /// There where the browser reports long tasks.
    long_tasks: Option<RefCell<Histogram>>,
    /// Nanoseconds, where the host keeps no account of its own.
    busy: Cell<u64>,
    active_at_start: Option<f64>,
    detector: RefCell<Detector>,
    listeners: RefCell<Vec<Weak<Listener>>>,
    timer: RefCell<Option<Timer>>,
    tick: Closure<dyn FnMut()>,
    observer: RefCell<Option<(PerformanceObserver, Entries)>>,
}

/// Called with new entries.
type Entries = Closure<dyn FnMut(EntryList)>;
type Callback = Box<dyn FnMut(&Stall)>;

struct Listener {
    threshold: u64,
    callback: RefCell<Callback>,
}

/// Calls back until it is dropped.
#[must_use = "dropping it ends the calls"]
pub struct StallListener {
    listener: Rc<Listener>,
    state: Weak<State>,
}

impl fmt::Debug for StallListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StallListener")
            .field("threshold", &self.listener.threshold)
            .finish_non_exhaustive()
    }
}

impl EventLoop {
    /// Watches the loop on which `monitor`'s tasks run, probing every [`DEFAULT_PERIOD`].
    ///
    /// # Errors
    /// [`WatchError`] where the host lacks what this needs.
    pub fn watch(monitor: &Monitor) -> Result<Self, WatchError> {
        Self::watch_every(monitor, DEFAULT_PERIOD)
    }

    /// The same with a period of one's own. Browsers don't set timers that nest deeper than four closer than 4 ms.
    ///
    /// # Errors
    /// [`WatchError`] where the host lacks what this needs.
    pub fn watch_every(monitor: &Monitor, period: Duration) -> Result<Self, WatchError> {
        let state = monitor.recorder().map(|recorder| State::watch(recorder, period));
        Ok(Self(state.transpose()?))
    }

    /// What was seen so far. `None` without the feature `record`, as nothing is watched then.
    pub fn snapshot(&self) -> Option<EventLoopSnapshot> {
        self.0.get().map(|state| state.snapshot())
    }

    /// Calls back for each stall of at least `threshold`, at the first turn of the loop after it. A stall outside any measured
    /// poll is told one period later where the browser reports long tasks, because that report is the better one.
    ///
    /// While anybody listens, each poll of the monitor takes two more readings of the clock.
    pub fn on_stall(&self, threshold: Duration, callback: impl FnMut(&Stall) + 'static) -> StallListener {
        let threshold = u64::try_from(threshold.as_nanos()).unwrap_or(u64::MAX - 1).max(1);
        let listener = Rc::new(Listener {
            threshold,
            callback: RefCell::new(Box::new(callback)),
        });
        if let Some(state) = self.0.get() {
            state.listeners.borrow_mut().push(Rc::downgrade(&listener));
            state.set_threshold();
        }
        StallListener {
            listener,
            state: self.0.get().map(Rc::downgrade).unwrap_or_default(),
        }
    }
}

impl Drop for EventLoop {
    fn drop(&mut self) {
        let Some(state) = self.0.get() else { return };
        if let Some(timer) = state.timer.take() {
            // A timer that can't be cleared finds the state gone.
            let _ = bindings::clear_timeout(&timer);
        }
        if let Some((observer, _)) = &*state.observer.borrow() {
            let _ = observer.disconnect();
        }
        state.listeners.borrow_mut().clear();
        state.set_threshold();
    }
}

impl Drop for StallListener {
    fn drop(&mut self) {
        if let Some(state) = self.state.upgrade() {
            let this = Rc::as_ptr(&self.listener);
            state
                .listeners
                .borrow_mut()
                .retain(|listener| !core::ptr::eq(listener.as_ptr(), this));
            state.set_threshold();
        }
    }
}

impl State {
    fn watch(recorder: &Rc<Recorder>, period: Duration) -> Result<Rc<Self>, WatchError> {
        let clock = *recorder.registry.clock();
        if !clock.available() {
            return Err(WatchError::NoClock);
        }
        let lag = histogram(LAG_LAYOUT, &clock).ok_or(WatchError::NoClock)?;
        let observes = PerformanceObserver::supported_entry_types()
            .is_ok_and(|types| types.iter().any(|entry_type| entry_type == "longtask"));
        let long_tasks = observes
            .then(|| histogram(LONG_TASK_LAYOUT, &clock))
            .flatten()
            .map(RefCell::new);
        let state = Rc::new_cyclic(|state: &Weak<Self>| {
            let state = state.clone();
            Self {
                recorder: Rc::clone(recorder),
                clock,
                period,
                due: Cell::new(0),
                was_hidden: Cell::new(bindings::is_hidden()),
                lag: RefCell::new(lag),
                long_tasks,
                busy: Cell::new(0),
                active_at_start: bindings::active_millis(),
                detector: RefCell::new(Detector::new()),
                listeners: RefCell::default(),
                timer: RefCell::default(),
                tick: Closure::new(move || {
                    if let Some(state) = state.upgrade() {
                        state.tick();
                    }
                }),
                observer: RefCell::default(),
            }
        });
        state.set_timer()?;
        state.observe();
        Ok(state)
    }

    fn snapshot(&self) -> EventLoopSnapshot {
        let busy = match (self.active_at_start, bindings::active_millis()) {
            (Some(start), Some(now)) => Duration::from_nanos(crate::clock::nanos(now - start)),
            _ => Duration::from_nanos(self.busy.get()),
        };
        EventLoopSnapshot {
            loop_lag: self.lag.borrow().clone(),
            long_task_time: self
                .long_tasks
                .as_ref()
                .map(|long_tasks| long_tasks.borrow().clone()),
            loop_busy_duration_total: busy,
        }
    }

    fn now(&self) -> u64 {
        self.clock.now().ticks()
    }

    fn set_timer(&self) -> Result<(), WatchError> {
        let millis = self.period.as_secs_f64() * 1e3;
        let timer = bindings::set_timeout(&self.tick, millis).map_err(|_| WatchError::NoTimers)?;
        // Only Node's timers keep the process alive, and only those know the word.
        let _ = timer.unref();
        let period = u64::try_from(self.period.as_nanos()).unwrap_or(u64::MAX);
        self.due.set(self.now().saturating_add(period));
        self.timer.replace(Some(timer));
        Ok(())
    }

    fn tick(&self) {
        let late = Span {
            start: self.due.get(),
            end: self.now(),
        };
        // The time since the last probe is to be judged as a whole: it was seen if the page was visible at both ends.
        let hidden = bindings::is_hidden();
        let seen = !self.was_hidden.replace(hidden) && !hidden;
        let mut stalls = self.long_polls();
        if seen {
            self.lag.borrow_mut().record(late.nanos());
            if late.nanos() >= BUSY_LAG {
                let period = u64::try_from(self.period.as_nanos()).unwrap_or(u64::MAX);
                self.busy.set(
                    self.busy
                        .get()
                        .saturating_add(period)
                        .saturating_add(late.nanos()),
                );
            }
            let told = self.detector.borrow_mut().late(late, self.long_tasks.is_some());
            stalls.extend(told.into_iter().flatten());
        }
        // A host that set a timer once sets it again.
        let _ = self.set_timer();
        self.tell(&stalls);
    }

    /// Polls that took long since this was last asked.
    fn long_polls(&self) -> Vec<Stall> {
        let mut detector = self.detector.borrow_mut();
        let found = self.recorder.take_long_polls();
        found
            .into_iter()
            .filter_map(|(start, end, site)| {
                detector.poll(
                    Span {
                        start: start.ticks(),
                        end: end.ticks(),
                    },
                    site,
                )
            })
            .collect()
    }

    /// Asks the browser for long tasks.
    fn observe(self: &Rc<Self>) {
        if self.long_tasks.is_none() {
            return;
        }
        let state = Rc::downgrade(self);
        let callback = Closure::new(move |entries: EntryList| {
            if let Some(state) = state.upgrade() {
                state.saw_long_tasks(&entries);
            }
        });
        let Ok(observer) = PerformanceObserver::new(&callback) else {
            return;
        };
        let options = js_sys::Object::new();
        let _ = js_sys::Reflect::set(
            &options,
            &JsValue::from_str("type"),
            &JsValue::from_str("longtask"),
        );
        if observer.observe(&options).is_ok() {
            self.observer.replace(Some((observer, callback)));
        }
    }

    fn saw_long_tasks(&self, entries: &EntryList) {
        let mut stalls = self.long_polls();
        let origin = PerformanceClock::origin();
        for entry in entries.entries() {
            let start = origin.saturating_add(crate::clock::nanos(entry.start_time()));
            let span = Span {
                start,
                end: start.saturating_add(crate::clock::nanos(entry.duration())),
            };
            if let Some(long_tasks) = &self.long_tasks {
                long_tasks.borrow_mut().record(span.nanos());
            }
            stalls.extend(self.detector.borrow_mut().long_task(span));
        }
        self.tell(&stalls);
    }

    fn tell(&self, stalls: &[Stall]) {
        if stalls.is_empty() {
            return;
        }
        // A callback may add listeners, or drop its own.
        let listeners: Vec<_> = self.listeners.borrow().iter().filter_map(Weak::upgrade).collect();
        for stall in stalls {
            for listener in &listeners {
                let long_enough = stall.duration >= Duration::from_nanos(listener.threshold);
                // One that is called from within itself hears of the stall from the outer call.
                if let (true, Ok(mut callback)) = (long_enough, listener.callback.try_borrow_mut()) {
                    callback(stall);
                }
            }
        }
    }

    /// Takes over the shortest threshold of all listeners; without any, nothing is looked for.
    fn set_threshold(&self) {
        let listeners = self.listeners.borrow();
        let shortest = listeners
            .iter()
            .filter_map(Weak::upgrade)
            .map(|listener| listener.threshold)
            .min();
        let threshold = shortest.unwrap_or(u64::MAX);
        self.detector.borrow_mut().threshold = threshold;
        self.recorder.watch_long_polls(threshold);
    }
}

fn histogram((min, max, precision): (u64, u64, u32), clock: &PerformanceClock) -> Option<Histogram> {
    let config = HistogramConfig::h2(min, max, precision).ok()?;
    Histogram::new(no_finer_than(config, clock.resolution())).ok()
}
