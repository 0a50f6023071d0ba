//! Probes that measure the lag of a runtime: how late its timers fire, and how long a woken task waits.

use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use metrics_core::{HistogramConfig, LagKind, RECORDING};
use tokio::time::sleep_until;

use super::lag_signal::{Signal, Stop};
use super::lag_timer::TimerClaim;
use super::leases::TokioLeases;
use super::own_tasks;
use super::spawner::Spawner;
use crate::background::{Background, RunningThread, ShutdownTimeout, Threads};
use crate::record::target::RecordingTarget;

/// The period for [`watch_loop_lag`] and [`watch_wake_latency`] that suits most services: 10 times per second.
pub const DEFAULT_LAG_PERIOD: Duration = Duration::from_millis(100);

/// The shortest and the longest period. Timers of Tokio have a resolution of 1 ms.
const PERIODS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(3_600));

/// A timer fires up to a millisecond late on an idle runtime, so finer buckets would show nothing.
const LOOP_LAYOUT: HistogramConfig = match HistogramConfig::h2(100_000, 60_000_000_000, 2) {
    Ok(layout) => layout,
    Err(_) => panic!("the minimum is below the maximum"),
};

/// Measures how late a timer of the runtime fires, once per `period`, in the histogram `loop_lag`.
///
/// This sees delays whose cause is not measured: a blocked worker that should have fired the timers, and tasks that no wrapper sees.
///
/// ```
/// use metrics_std::tokio::{DEFAULT_LAG_PERIOD, MeasuredRuntime, attach_current, watch_loop_lag};
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let MeasuredRuntime { metrics, spawner, .. } = attach_current()?;
///     let _lag = watch_loop_lag(&spawner, DEFAULT_LAG_PERIOD);
///     # let start = std::time::Instant::now();
///     # while metrics.snapshot().loop_lag().is_none_or(|lag| lag.count() == 0) {
///     tokio::time::sleep(3 * DEFAULT_LAG_PERIOD).await;
///     # assert!(start.elapsed().as_secs() < 20);
///     # }
///     # #[cfg(feature = "record")] {
///     let snapshot = metrics.snapshot();
///     let lag = snapshot.loop_lag().expect("the probe runs");
///     println!("the timer fired up to {:?} ns late", lag.max());
///     # }
///     Ok(())
/// }
/// ```
///
/// Tokio's timers have a resolution of 1 ms and fire late rather than early: a lag below 2 ms is that of an idle runtime. A delay gives
/// one sample, however long it is, because the next period begins when the timer has fired. The lag is measured with Tokio's clock.
///
/// With a watchdog ([`watch_stalls`](crate::watchdog::watch_stalls)), the probe also shows stalls in which workers run short polls and none
/// turns the driver of the timers ([`StallKind::Queue`](crate::watchdog::StallKind::Queue)). The watchdog uses the system's clock: in a test
/// that pauses Tokio's clock, the timer seems overdue, so don't run both there.
///
/// The task of the probe is not counted: not as an alive task, and not in polls and histograms. It wakes a worker in each period, which
/// counts in parks and busy time: the [module documentation](super#lag-probes) has the figures.
///
/// The probe ends when the [`LagProbe`] is dropped and when the runtime shuts down. It does not keep the runtime alive. The period is
/// at least 1 ms and at most one hour.
///
/// # Panics
/// Panics if the runtime has no timers, as Tokio's `sleep` does.
#[track_caller]
pub fn watch_loop_lag(runtime: &Spawner, period: Duration) -> LagProbe {
    if !RECORDING {
        return LagProbe(Background::NONE);
    }
    {
        // Panics here if there are no timers, and not in the task.
        let _entered = runtime.handle().enter();
        drop(sleep_until(Instant::now().into()));
    }
    let period = period.clamp(PERIODS.0, PERIODS.1);
    let (threads, running) = Threads::new();
    let (signal, stop) = Signal::new();
    let task = ProbeTask::new(runtime, signal, running);
    own_tasks::spawn(runtime.handle(), async move {
        task.measure(LagKind::Loop, LOOP_LAYOUT);
        // Watchdogs see the timer of the probe that has the claim.
        let mut claim = None;
        loop {
            claim = claim.or_else(|| TimerClaim::new(&task.target));
            let due = tokio::time::Instant::now() + period;
            let mut timer = pin!(sleep_until(due));
            if let Some(claim) = &claim {
                claim.set(period);
            }
            let fired = poll_fn(|cx| {
                task.poll_unless_stopped(cx, |cx| match &claim {
                    Some(claim) => {
                        let waker = claim.waker(cx.waker());
                        timer.as_mut().poll(&mut Context::from_waker(&waker))
                    }
                    None => timer.as_mut().poll(cx),
                })
            });
            if fired.await.is_none() {
                return;
            }
            task.record(LagKind::Loop, tokio::time::Instant::now().duration_since(due));
        }
    });
    LagProbe(Background::new(stop, threads))
}

/// Measures how long a task of the runtime waits for its poll after another thread has woken it, once per `period`, in the histogram
/// `wake_latency`.
///
/// ```
/// use metrics_std::tokio::{DEFAULT_LAG_PERIOD, TokioAdapter, watch_wake_latency};
/// use tokio::runtime::Builder;
///
/// let measured = TokioAdapter::builder().build(&mut Builder::new_multi_thread())?;
/// let probe = watch_wake_latency(&measured.spawner, DEFAULT_LAG_PERIOD)?;
/// // Serve requests here.
/// probe.shutdown(core::time::Duration::from_secs(10))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A thread named `wake-probe` wakes the task. Each wake also makes an idle worker look for expired timers. It thus hides delays that
/// [`watch_loop_lag`] would see, so a service that wants to know what its users feel runs the other probe alone. A period in which the
/// task has not been polled yet gives no further sample.
///
/// As with [`watch_loop_lag`], the task of the probe is not counted, and the probe ends when the [`LagProbe`] is dropped and when the
/// runtime shuts down. Under `--cfg tokio_unstable`, Tokio counts each wake as a remote schedule.
///
/// # Errors
/// Returns an error if the operating system can't create a thread.
pub fn watch_wake_latency(runtime: &Spawner, period: Duration) -> io::Result<LagProbe> {
    if !RECORDING {
        return Ok(LagProbe(Background::NONE));
    }
    let period = period.clamp(PERIODS.0, PERIODS.1);
    let (threads, running) = Threads::new();
    let (signal, stop) = Signal::new();
    let wakes = (Arc::clone(&signal), running.clone());
    thread::Builder::new().name("wake-probe".into()).spawn(move || {
        let (signal, _running) = wakes;
        while signal.wait(period) {
            signal.wake();
        }
    })?;
    let task = ProbeTask::new(runtime, signal, running);
    own_tasks::spawn(runtime.handle(), async move {
        task.measure(LagKind::Wake, HistogramConfig::DEFAULT);
        let woken_at = || poll_fn(|cx| task.poll_unless_stopped(cx, |_| task.signal.take_wake()));
        while let Some(woken_at) = woken_at().await {
            task.record(LagKind::Wake, woken_at.elapsed());
        }
    });
    Ok(LagProbe(Background::new(stop, threads)))
}

/// The part of a probe that its task holds.
struct ProbeTask {
    signal: Arc<Signal>,
    target: Arc<RecordingTarget>,
    /// Whether Tokio reports the number of alive tasks of this runtime to the same metrics.
    is_counted: bool,
    _running: RunningThread,
}

impl ProbeTask {
    fn new(runtime: &Spawner, signal: Arc<Signal>, running: RunningThread) -> Self {
        let target = Arc::clone(runtime.target());
        let leases = TokioLeases::of(&target).filter(|leases| leases.is_of(runtime.handle()));
        if let Some(leases) = leases {
            leases.probe_started();
        }
        Self {
            is_counted: leases.is_some(),
            signal,
            target,
            _running: running,
        }
    }

    /// Starts to measure. The task calls it, so that nothing is measured on a runtime that has shut down.
    fn measure(&self, kind: LagKind, layout: HistogramConfig) {
        self.target.registry.shared().measure_lag(kind, layout);
    }

    fn record(&self, kind: LagKind, lag: Duration) {
        self.target.registry.shared().record_lag(kind, lag);
    }

    /// Polls, or returns `None` if the probe is to end.
    fn poll_unless_stopped<T>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<Option<T>> {
        if self.signal.register(cx.waker()) {
            poll(cx).map(Some)
        } else {
            Poll::Ready(None)
        }
    }
}

impl Drop for ProbeTask {
    fn drop(&mut self) {
        self.signal.stop();
        if self.is_counted
            && let Some(leases) = TokioLeases::of(&self.target)
        {
            leases.probe_ended();
        }
    }
}

/// A lag probe, which runs until it is dropped. Returned by [`watch_loop_lag`] and [`watch_wake_latency`].
///
/// Dropping it does not wait. The histogram remains in the metrics.
#[must_use = "dropping it ends the probe"]
pub struct LagProbe(Background<Stop>);

impl LagProbe {
    /// Ends the probe and waits up to `timeout` until the runtime has dropped its task.
    ///
    /// Call it on a thread that does not drive the runtime: the runtime has to poll the task once more.
    ///
    /// # Errors
    /// Returns [`ShutdownTimeout`] if the runtime does not poll the task in time. The task ends at its next poll.
    pub fn shutdown(mut self, timeout: Duration) -> Result<(), ShutdownTimeout> {
        self.0.end(timeout)
    }
}

impl Drop for LagProbe {
    fn drop(&mut self) {
        let _ = self.0.end(Duration::ZERO);
    }
}

impl fmt::Debug for LagProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LagProbe").finish_non_exhaustive()
    }
}
