//! 100 tasks that yield, and one task that calls `yield_now`, on Tokio's current-thread runtime.

use crate::harness::{Build, Measured, Named, Side, side, timed};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::{Builder, Runtime};

/// Every side on Tokio.
pub(crate) const SIDES: &[Named] = &[
    side("tokio/poll-bare", TOKIO_BARE),
    side("tokio/yield-bare", YIELD_BARE),
    side("tokio/poll-tokio-metrics", TOKIO_METRICS),
    #[cfg(feature = "hotpath")]
    side("tokio/poll-hotpath", HOTPATH),
    #[cfg(tokio_unstable)]
    side("tokio/poll-time", unstable::POLL_TIME),
    #[cfg(tokio_unstable)]
    side("tokio/both", unstable::BOTH),
    #[cfg(tokio_unstable)]
    side("tokio/yield-poll-time", unstable::YIELD_POLL_TIME),
];

/// The number of tasks on the runtime.
pub(crate) const TASKS: u64 = 100;

/// Wakes itself and yields; the field is the number of remaining yields.
pub(crate) struct Yields(pub(crate) u64);

impl Future for Yields {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Runs [`TASKS`] tasks made by `wrap` until each has been polled its share of `ops` times.
pub(crate) fn yielding<F>(runtime: Runtime, wrap: impl Fn(Yields) -> F + 'static) -> Box<dyn Side>
where
    F: Future<Output = ()> + Send + 'static,
{
    Box::new(move |ops: u64| -> Measured {
        let polls = ops.div_ceil(TASKS).max(2);
        let mut tasks = Vec::with_capacity(TASKS as usize);
        timed(polls * TASKS, || {
            runtime.block_on(async {
                for _ in 0..TASKS {
                    tasks.push(tokio::spawn(wrap(Yields(polls - 1))));
                }
                for task in tasks.drain(..) {
                    let _ = task.await;
                }
            });
        })
    })
}

/// One task, `tokio::task::yield_now` in a loop.
pub(crate) fn yield_now(runtime: Runtime) -> Box<dyn Side> {
    Box::new(move |ops: u64| -> Measured {
        timed(ops, || {
            let task = runtime.spawn(yield_loop(ops));
            let _ = runtime.block_on(task);
        })
    })
}

/// The body of that task.
pub(crate) async fn yield_loop(times: u64) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}

/// Builds a runtime, which `configure` may change. It has no I/O driver, because no task does I/O.
pub(crate) fn current_thread(configure: impl FnOnce(&mut Builder)) -> Runtime {
    let mut builder = Builder::new_current_thread();
    configure(&mut builder);
    builder.build().expect("a current-thread runtime")
}

const TOKIO_BARE: Build = || yielding(current_thread(|_| {}), |task| task);
const YIELD_BARE: Build = || yield_now(current_thread(|_| {}));

/// As in its documentation: one monitor instruments every task.
const TOKIO_METRICS: Build = || {
    let monitor = tokio_metrics::TaskMonitor::new();
    yielding(current_thread(|_| {}), move |task| monitor.instrument(task))
};

/// As in its documentation: a future of each task. A thread of its own sums the polls.
#[cfg(feature = "hotpath")]
const HOTPATH: Build = || yielding(current_thread(|_| {}), |task| hotpath::future!(task));

#[cfg(tokio_unstable)]
mod unstable {
    use super::{Build, Builder, current_thread, yield_now, yielding};
    use tokio::runtime::{HistogramConfiguration, LogHistogram};

    /// Tokio's own default H2 layout, the same 119 buckets as ours.
    fn layout() -> HistogramConfiguration {
        HistogramConfiguration::log(LogHistogram::default())
    }

    fn poll_time(builder: &mut Builder) {
        builder
            .enable_metrics_poll_time_histogram()
            .metrics_poll_time_histogram_configuration(layout());
    }

    fn both(builder: &mut Builder) {
        poll_time(builder);
        builder
            .enable_metrics_schedule_latency_histogram()
            .metrics_schedule_latency_histogram_configuration(layout());
    }

    pub(super) const POLL_TIME: Build = || yielding(current_thread(poll_time), |task| task);
    pub(super) const BOTH: Build = || yielding(current_thread(both), |task| task);
    pub(super) const YIELD_POLL_TIME: Build = || yield_now(current_thread(poll_time));
}
