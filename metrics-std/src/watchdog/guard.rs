//! The watchdog's threads, and the guard that ends them.

use core::convert::Infallible;
use core::fmt;
use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::io;
use std::panic::catch_unwind;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, ThreadId};

use metrics_core::{Probe, RECORDING, RegistryRef, RuntimeMetrics};

use super::{Stall, StallScanner};

/// How long dropping a [`Watchdog`] waits for its threads to end.
const DROP_TIMEOUT: Duration = Duration::from_millis(100);

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
pub struct Watchdog(Option<Threads>);

/// Ends the threads and waits for them. The threads are detached, because joining one could block without end.
struct Threads {
    /// The scanning thread ends when this is dropped, and the callback thread follows.
    stop: Sender<Infallible>,
    /// Disconnected once both have ended.
    ended: Receiver<Infallible>,
    callback: ThreadId,
    /// The process in which the threads run.
    process: u32,
}

/// The error of [`Watchdog::shutdown`]: the callback was still running after the timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownTimeout {
    /// The timeout that was passed to [`Watchdog::shutdown`].
    pub timeout: Duration,
}

impl fmt::Display for ShutdownTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the stall callback was still running after {:?}: its thread ends when it returns; a callback must not wait for the thread that \
             shuts the watchdog down",
            self.timeout
        )
    }
}

impl core::error::Error for ShutdownTimeout {}

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
    R: RegistryRef + Send + 'static,
    P: Probe + Clone + Send + 'static,
{
    if !RECORDING {
        // Live records stay empty, so there is nothing to watch.
        return Ok(Watchdog(None));
    }
    let scanner = StallScanner::new(metrics, threshold);
    let period = (threshold / 4).clamp(Duration::from_millis(1), Duration::from_millis(100));
    let (stop, stopped) = mpsc::channel::<Infallible>();
    let (running, ended) = mpsc::channel::<Infallible>();
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
    let callback = spawn("stall-callback").spawn(deliver)?.thread().id();
    // If this fails, `reports` is dropped with the closure, which ends the other thread.
    spawn("stall-watchdog").spawn(scan)?;
    Ok(Watchdog(Some(Threads {
        stop,
        ended,
        callback,
        process: std::process::id(),
    })))
}

impl Watchdog {
    /// Stops the watchdog and waits up to `timeout` for the callback to return.
    ///
    /// # Errors
    /// Returns [`ShutdownTimeout`] if the callback does not return in time. Reports in the queue may then still be delivered.
    pub fn shutdown(mut self, timeout: Duration) -> Result<(), ShutdownTimeout> {
        self.end(timeout)
    }

    fn end(&mut self, timeout: Duration) -> Result<(), ShutdownTimeout> {
        let Some(threads) = self.0.take() else {
            return Ok(());
        };
        if threads.process != std::process::id() {
            // In a forked child, a thread that no longer exists may have locked the channels.
            core::mem::forget(threads);
            return Ok(());
        }
        drop(threads.stop);
        // The callback can't wait for its own return.
        if threads.callback == thread::current().id() {
            return Ok(());
        }
        match threads.ended.recv_timeout(timeout) {
            Err(RecvTimeoutError::Timeout) => Err(ShutdownTimeout { timeout }),
            _ => Ok(()),
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        let _ = self.end(DROP_TIMEOUT);
    }
}

impl fmt::Debug for Watchdog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watchdog").finish_non_exhaustive()
    }
}
