//! The watchdog's threads, and the guard that ends them.

use core::convert::Infallible;
use core::fmt;
use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::io::{self, Write as _};
use std::panic::catch_unwind;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;

use metrics_core::{HeapStorage, Probe, RECORDING, RegistryRef, RuntimeMetrics};

use super::{Stall, StallScanner};
use crate::background::{Background, DROP_TIMEOUT, ShutdownTimeout, Threads};

/// Maximum number of reports that wait for the callback. Further reports are not delivered.
const QUEUE: usize = 64;

/// Watches for stalls until it is dropped. Returned by [`watch_stalls`].
///
/// ```
/// use core::time::Duration;
/// use metrics_std::watchdog::watch_stalls;
/// use metrics_std::{Builder, Clock, build_wrapped};
///
/// let metrics = build_wrapped(Builder::new(), Clock::new())?;
/// let watchdog = watch_stalls(&metrics, Duration::from_millis(20), |stall| eprintln!("{stall}"))?;
/// watchdog.shutdown(Duration::from_secs(10))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Dropping it stops the watchdog and waits up to 100 ms for a running callback. [`shutdown`](Self::shutdown) waits for a timeout of
/// your choice. The callback may drop its own watchdog. In a forked child, which does not have its parent's threads, both do nothing.
#[must_use = "dropping it stops the watchdog"]
pub struct Watchdog(
    /// The scanning thread ends when the sender is dropped, and the callback thread follows.
    Background<Sender<Infallible>>,
);

/// Calls `callback` for every poll of at least `threshold`: once during the poll and once when it is over.
///
/// ```
/// use core::time::Duration;
/// use metrics_std::watchdog::watch_stalls;
/// use metrics_std::{Builder, Clock, build_wrapped};
///
/// let metrics = build_wrapped(Builder::new(), Clock::new())?;
/// let _watchdog = watch_stalls(&metrics, Duration::from_millis(20), |stall| eprintln!("{stall}"))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// With a flight recorder ([`Builder::flight_recorder`](crate::Builder::flight_recorder)), the callback can keep what happened before the
/// stall. The copy contains the poll in progress:
///
/// ```
/// use core::time::Duration;
/// use metrics_std::watchdog::{StallPhase, watch_stalls};
/// use metrics_std::{Builder, Clock, build_wrapped};
///
/// let metrics = build_wrapped(Builder::new().flight_recorder(4_095), Clock::new())?;
/// let recorder = metrics.clone();
/// let _watchdog = watch_stalls(&metrics, Duration::from_millis(20), move |stall| {
///     if let (StallPhase::Ongoing, Some(recording)) = (stall.phase, recorder.flight_recording()) {
///         let mut trace = String::new();
///         if recording.write_chrome_trace(&mut trace).is_ok() {
///             let _ = std::fs::write("stall.json", trace);
///         }
///     }
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A thread named `stall-watchdog` scans the workers four times per threshold, with a period between 1 and 100 ms. It does not keep the
/// runtime or its workers alive. With a threshold of zero, every poll that a scan finds is reported.
///
/// The callback runs on a second thread, `stall-callback`. A callback that blocks delays only later reports: up to 64 reports are queued,
/// and further reports are not delivered. If the callback panics, the panic hook reports the panic, and the callback is called again for
/// the next report.
///
/// # Errors
/// Returns an error if the operating system can't create a thread.
pub fn watch_stalls<R, P>(
    metrics: &RuntimeMetrics<R, P>,
    threshold: Duration,
    callback: impl FnMut(&Stall) + Send + 'static,
) -> io::Result<Watchdog>
where
    R: RegistryRef<Storage = HeapStorage> + Send + 'static,
    P: Probe + Clone + Send + 'static,
{
    if !RECORDING {
        // Live records stay empty, so there is nothing to watch.
        return Ok(Watchdog(Background::NONE));
    }
    let scanner = StallScanner::new(metrics, threshold);
    let period = (threshold / 4).clamp(Duration::from_millis(1), Duration::from_millis(100));
    let (stop, stopped) = mpsc::channel::<Infallible>();
    let (mut threads, running) = Threads::new();
    let (reports, reported) = mpsc::sync_channel::<Stall>(QUEUE);
    let scanning = running.clone();
    let deliver = move || {
        // Locals are dropped in reverse order: the callback is dropped before the guard sees the end.
        let _running = running;
        let mut callback = callback;
        for stall in reported {
            // The panic hook has already reported the panic.
            let _ = catch_unwind(AssertUnwindSafe(|| callback(&stall)));
        }
    };
    let scan = move || {
        let _running = scanning;
        let (mut scanner, reports) = (scanner, reports);
        while stopped.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
            scanner.scan(|stall| {
                let _ = reports.try_send(stall.clone());
            });
        }
    };
    let spawn = |name: &str| thread::Builder::new().name(name.into());
    threads.set_callback(spawn("stall-callback").spawn(deliver)?.thread().id());
    // If this fails, `reports` is dropped with the closure, which ends the other thread.
    spawn("stall-watchdog").spawn(scan)?;
    Ok(Watchdog(Background::new(stop, threads)))
}

/// Prints a line to standard error for every poll of at least `threshold`, as [`watch_stalls`] calls a callback.
///
/// ```
/// use core::time::Duration;
/// use metrics_std::watchdog::log_stalls;
/// use metrics_std::{Builder, Clock, build_wrapped};
///
/// let metrics = build_wrapped(Builder::new(), Clock::new())?;
/// let _watchdog = log_stalls(&metrics, Duration::from_millis(20))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Returns an error if the operating system can't create a thread.
pub fn log_stalls<R, P>(metrics: &RuntimeMetrics<R, P>, threshold: Duration) -> io::Result<Watchdog>
where
    R: RegistryRef<Storage = HeapStorage> + Send + 'static,
    P: Probe + Clone + Send + 'static,
{
    watch_stalls(metrics, threshold, |stall| {
        // Nothing can be done if standard error is closed.
        let _ = writeln!(io::stderr(), "{stall}");
    })
}

impl Watchdog {
    /// Stops the watchdog and waits up to `timeout` for the callback to return.
    ///
    /// # Errors
    /// Returns [`ShutdownTimeout`] if the callback does not return in time. Reports in the queue may then still be delivered.
    pub fn shutdown(mut self, timeout: Duration) -> Result<(), ShutdownTimeout> {
        self.0.end(timeout)
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        let _ = self.0.end(DROP_TIMEOUT);
    }
}

impl fmt::Debug for Watchdog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watchdog").finish_non_exhaustive()
    }
}
