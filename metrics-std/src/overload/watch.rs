//! The thread that scans, and the signal that it sets.

use core::convert::Infallible;
use core::fmt;
use core::time::Duration;
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
#[cfg(feature = "tracing")]
use std::time::SystemTime;

use metrics_core::{HeapStorage, LoadState, Probe, RECORDING, RegistryRef, RuntimeMetrics};

use super::{OverloadRule, OverloadScanner};
use crate::background::{Background, DROP_TIMEOUT, ShutdownTimeout, Threads};

/// Watches for overload until it is dropped. Returned by [`watch_overload`].
///
/// Dropping it waits up to 100 ms for the scan in progress. The signal then reports no overload.
#[must_use = "dropping it stops the watch"]
pub struct OverloadWatch<R> {
    signal: OverloadSignal<R>,
    thread: Background<Sender<Infallible>>,
}

/// Reports whether a runtime sheds load. It is cheap to clone, and each query is one atomic read.
#[derive(Clone)]
pub struct OverloadSignal<R>(R);

impl<R: RegistryRef<Storage = HeapStorage>> OverloadSignal<R> {
    /// Creates the signal of a runtime. Without an [`OverloadScanner`] of that runtime, it reports no overload.
    pub fn new<P: Probe>(metrics: &RuntimeMetrics<R, P>) -> Self {
        Self(metrics.registry().clone())
    }

    /// Returns `true` if new requests are to be rejected.
    #[inline]
    pub fn is_shedding(&self) -> bool {
        self.0.shared().load_state() == Some(LoadState::Shedding)
    }
}

/// Scans a runtime for overload on a thread named `overload-watch`, twice per `target` and at least four times per `interval`, with a
/// period between 1 ms and 1 s.
///
/// `target` and `interval` are those of [`OverloadRule::new`]. The [module documentation](super) has an example.
///
/// If the runtime is already watched, that watch sets the signal. This one takes over when the other is dropped.
///
/// With the feature `tracing`, the thread emits an event of the target `metrics_std::overload` when an overload begins (`WARN`, with the
/// fields `runtime` and `suppressed`) and when it is over (`INFO`, with `runtime` and `seconds`). At most ten overloads in ten seconds have
/// events; `suppressed` is the number of those that were left out since the last event.
///
/// # Errors
/// Returns an error if the operating system can't create a thread.
pub fn watch_overload<R, P>(
    metrics: &RuntimeMetrics<R, P>,
    target: Duration,
    interval: Duration,
) -> io::Result<OverloadWatch<R>>
where
    R: RegistryRef<Storage = HeapStorage> + Send + 'static,
    P: Probe + Clone + Send + 'static,
{
    let signal = OverloadSignal::new(metrics);
    if !RECORDING {
        return Ok(OverloadWatch {
            signal,
            thread: Background::NONE,
        });
    }
    let mut scanner = OverloadScanner::new(metrics, OverloadRule::new(target, interval));
    let period = (target / 2)
        .min(interval / 4)
        .clamp(Duration::from_millis(1), Duration::from_secs(1));
    let (stop, stopped) = mpsc::channel::<Infallible>();
    let (threads, running) = Threads::new();
    #[cfg(feature = "tracing")]
    let mut events = super::events::OverloadEvents::new(metrics.registry().name());
    let scan = move || {
        let _running = running;
        while stopped.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
            #[cfg(not(feature = "tracing"))]
            scanner.scan();
            #[cfg(feature = "tracing")]
            events.update(scanner.scan(), scanner.is_watching(), SystemTime::now());
        }
    };
    thread::Builder::new().name("overload-watch".into()).spawn(scan)?;
    Ok(OverloadWatch {
        signal,
        thread: Background::new(stop, threads),
    })
}

impl<R: Clone> OverloadWatch<R> {
    /// Returns the signal, for [`ShedLayer`](super::ShedLayer) or a check of your own.
    pub fn signal(&self) -> OverloadSignal<R> {
        self.signal.clone()
    }
}

impl<R> OverloadWatch<R> {
    /// Stops the watch and waits up to `timeout` for the scan in progress.
    ///
    /// # Errors
    /// Returns [`ShutdownTimeout`] if the scan does not end in time.
    pub fn shutdown(mut self, timeout: Duration) -> Result<(), ShutdownTimeout> {
        self.thread.end(timeout)
    }
}

impl<R> Drop for OverloadWatch<R> {
    fn drop(&mut self) {
        let _ = self.thread.end(DROP_TIMEOUT);
    }
}

impl<R> fmt::Debug for OverloadWatch<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OverloadWatch").finish_non_exhaustive()
    }
}

impl<R> fmt::Debug for OverloadSignal<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OverloadSignal").finish_non_exhaustive()
    }
}
