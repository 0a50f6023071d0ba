//! The event loop itself: how late it runs timers, how busy it is, and what stalls it.

mod bindings;
mod frames;
mod lateness;
mod listeners;
mod scripts;
mod snapshot;
mod stall;
mod user_timing;
mod watch;

use crate::monitor::Monitor;
use core::cell::RefCell;
use core::fmt;
use core::time::Duration;
use listeners::Listener;
use metrics_core::IfRecording;
use std::rc::{Rc, Weak};
use watch::Watch;

pub use snapshot::{EventLoopSnapshot, Histogram};
pub use stall::{Script, Stall, StallSource};
pub use watch::WatchError;

/// The period of the timer that [`EventLoop::watch`] sets.
pub const DEFAULT_PERIOD: Duration = Duration::from_millis(50);

/// Watches the event loop of its thread until it is dropped.
///
/// - **Loop lag**: how late a repeating timer fires. Everything else that is ready to run waits about as long. Time in which the thread
///   could not run is no lag: a hidden, frozen or cached page, an iframe whose timers the browser throttles, and a gap of 5 s or more,
///   as after the computer slept, a debugger paused the thread or a worker was frozen with its page. A worker gets no event about its
///   page, so a shorter freeze counts as lag there.
/// - **Long tasks** of 50 ms and more, if the browser reports them. Windows of Chromium-based browsers do, from the start of the page on.
/// - **Busy time**, in Node. Browsers don't measure it, and it can't be derived from the lag of a timer: such an estimate was wrong by
///   a factor of four.
/// - **Frame delay**: see [`watch_frames`](Self::watch_frames).
/// - **Stalls**: see [`on_stall`](Self::on_stall).
///
/// ```no_run
/// use core::time::Duration;
/// use metrics_wasm::{EventLoop, Monitor};
///
/// let event_loop = EventLoop::watch(&Monitor::current()?)?;
/// let listener = event_loop.on_stall(Duration::from_millis(100), |stall| {
///     println!("stalled for {:?}", stall.duration);
/// });
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub struct EventLoop(IfRecording<Rc<Watch>>);

impl fmt::Debug for EventLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut event_loop = f.debug_struct("EventLoop");
        if let Some(watch) = self.0.get() {
            event_loop.field("period", &watch.period);
        }
        event_loop.finish_non_exhaustive()
    }
}

/// Keeps the callback of [`EventLoop::on_stall`] registered until it is dropped.
#[must_use = "dropping it removes the callback"]
pub struct StallListener {
    listener: Rc<Listener>,
    watch: Weak<Watch>,
}

impl fmt::Debug for StallListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StallListener")
            .field("threshold", &Duration::from_nanos(self.listener.threshold))
            .finish_non_exhaustive()
    }
}

impl EventLoop {
    /// Watches the event loop that runs the tasks of `monitor`, with a timer every [`DEFAULT_PERIOD`].
    ///
    /// # Errors
    /// Returns [`WatchError`] if the monitor has no clock or the host has no timers.
    pub fn watch(monitor: &Monitor) -> Result<Self, WatchError> {
        Self::watch_every(monitor, DEFAULT_PERIOD)
    }

    /// Watches the event loop as [`watch`](Self::watch) does, with a timer every `period`. Browsers delay nested timers to at least 4 ms.
    ///
    /// # Errors
    /// Returns [`WatchError`] if the monitor has no clock or the host has no timers.
    pub fn watch_every(monitor: &Monitor, period: Duration) -> Result<Self, WatchError> {
        let watch = monitor.recorder().map(|recorder| Watch::start(recorder, period));
        Ok(Self(watch.transpose()?))
    }

    /// Returns the metrics since the watch began. `None` without the feature `record`.
    pub fn snapshot(&self) -> Option<EventLoopSnapshot> {
        self.0.get().map(|watch| watch.snapshot())
    }

    /// Starts to measure the time from the request of an animation frame to the frame. A page that keeps up gets a frame per refresh of the
    /// display. Returns `false` if the host has no frames, such as Node, and without the feature `record`.
    ///
    /// The page then draws every frame even if nothing changes, which costs power.
    pub fn watch_frames(&self) -> bool {
        self.0.get().is_some_and(|watch| watch.watch_frames())
    }

    /// Shows each stall of at least `threshold` in the Performance panel of the browser's developer tools, on a track of its own. A
    /// recording contains them; the page's performance timeline does not keep them.
    pub fn show_in_devtools(&self, threshold: Duration) -> StallListener {
        self.on_stall(threshold, user_timing::measure)
    }

    /// Calls `callback` once for each stall of at least `threshold`, in the first turn of the event loop after the stall. In a window
    /// and in a dedicated worker, a stall outside any measured poll is reported up to two periods later, because the browser's report of
    /// a long task is more precise, the frame after it names the script, and a late timer may turn out to have been throttled, or frozen
    /// with its page.
    ///
    /// While there is a listener, each measured poll takes two more clock readings, and `poll_stall_count` counts the polls that are
    /// stalls.
    pub fn on_stall(&self, threshold: Duration, callback: impl FnMut(&Stall) + 'static) -> StallListener {
        let threshold = u64::try_from(threshold.as_nanos()).unwrap_or(u64::MAX - 1).max(1);
        let listener = Rc::new(Listener {
            threshold,
            callback: RefCell::new(Box::new(callback)),
        });
        if let Some(watch) = self.0.get() {
            watch.add_listener(&listener);
        }
        StallListener {
            listener,
            watch: self.0.get().map(Rc::downgrade).unwrap_or_default(),
        }
    }
}

impl Drop for EventLoop {
    fn drop(&mut self) {
        if let Some(watch) = self.0.get() {
            watch.stop();
        }
    }
}

impl Drop for StallListener {
    fn drop(&mut self) {
        if let Some(watch) = self.watch.upgrade() {
            watch.remove_listener(&self.listener);
        }
    }
}
