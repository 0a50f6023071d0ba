//! The watchdog's threads and the guard that ends them.

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

/// How long a drop waits for the threads to end.
const DROP_TIMEOUT: Duration = Duration::from_millis(100);

/// Reports that wait for the callback. One that finds the queue full is not delivered.
const QUEUE: usize = 64;

/// Watches for stalls until it is dropped. Made by [`watch_stalls`].
///
/// Dropping it ends the watch and waits up to 100 ms for a callback that is running; [`shutdown`](Self::shutdown) waits as long as
/// you say. The callback may drop its own watchdog. In a forked child, which has none of its parent's threads, both do
/// nothing.
#[must_use = "dropping it ends the watch"]
pub struct Watchdog(Option<Threads>);

/// What is needed to end the threads and to see that they have ended. They are detached: joining one could block for ever.
struct Threads {
    /// The scanning thread ends when this is dropped, and the callback thread follows.
    stop: Sender<Infallible>,
    /// Disconnected once both have ended.
    ended: Receiver<Infallible>,
    callback: ThreadId,
    /// The process that has the threads.
    process: u32,
}

/// The callback was still running when [`Watchdog::shutdown`] stopped waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownTimeout {
    /// How long it waited.
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

/// Reports every poll of at least `threshold`: once while it goes on, and once when it is over.
///
/// A thread named `stall-watchdog` scans the workers four times in every threshold, but at most every millisecond and at least every
/// 100 ms. It keeps neither the runtime nor its workers alive. A threshold of zero reports every poll that a scan finds.
///
/// The callback runs on a second thread, `stall-callback`, so that one that blocks delays only later reports: up to 64 are queued,
/// and further ones are not delivered. A panic in the callback is caught, after the panic hook has reported it, and the
/// callback is called again for the next report.
///
/// # Errors
/// If the operating system refuses a thread.
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
        // Locals are dropped in reverse order: the callback is gone before the guard sees the end.
        let _running = running;
        let mut callback = callback;
        for stall in reported {
            // The panic hook has reported a panic by then.
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
    // If this fails, the closure is dropped with `reports`, which ends the other thread.
    spawn("stall-watchdog").spawn(scan)?;
    Ok(Watchdog(Some(Threads {
        stop,
        ended,
        callback,
        process: std::process::id(),
    })))
}

impl Watchdog {
    /// Ends the watch and waits up to `timeout` for the callback to return.
    ///
    /// # Errors
    /// [`ShutdownTimeout`] if it did not. Reports that are already queued may still be delivered later.
    pub fn shutdown(mut self, timeout: Duration) -> Result<(), ShutdownTimeout> {
        self.end(timeout)
    }

    fn end(&mut self, timeout: Duration) -> Result<(), ShutdownTimeout> {
        let Some(threads) = self.0.take() else {
            return Ok(());
        };
        if threads.process != std::process::id() {
            // In a forked child the channels may have been locked by a thread that is not there.
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
