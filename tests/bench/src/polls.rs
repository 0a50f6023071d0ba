//! The cost that the hooks add to a poll on the testbed runtime, with 100 yielding tasks on one thread.

use crate::harness::{Build, Measured, Named, Side, side, timed};
use crate::ours::{LAYOUT, StepClock, one_in_8};
use crate::testbed;
use crate::yielding::{TASKS, Yields};
use metrics_std::{Clock, RECORDING, Sampling};

type Metrics = metrics_std::Builder<'static>;

/// Every side of a build with recording, or of one without.
pub(crate) const SIDES: &[Named] = if RECORDING {
    &[
        side("testbed/poll-time", POLL_TIME),
        side("testbed/both", BOTH),
        side("testbed/locations", LOCATIONS),
        side("testbed/recorder", RECORDER),
        side("testbed/locations-and-recorder", LOCATIONS_AND_RECORDER),
        side("testbed/one-in-8", ONE_IN_8),
        side("testbed/one-in-8-instant", ONE_IN_8_INSTANT),
        side("testbed/off", OFF),
        side("testbed/poll-time-stepped", POLL_TIME_STEPPED),
        side("testbed/both-stepped", BOTH_STEPPED),
        side("testbed/locations-stepped", LOCATIONS_STEPPED),
        side("testbed/recorder-stepped", RECORDER_STEPPED),
        side("testbed/one-in-8-stepped", ONE_IN_8_STEPPED),
    ]
} else {
    &[side("testbed/bare", BARE)]
};

macro_rules! yielding {
    ($runtime:expr) => {{
        let runtime = $runtime.expect("a current-thread runtime");
        let side: Box<dyn Side> = Box::new(move |ops: u64| -> Measured {
            let polls = ops.div_ceil(TASKS).max(2);
            timed(polls * TASKS, || {
                runtime.block_on(async {
                    let tasks: Vec<_> = (0..TASKS).map(|_| runtime.spawn(Yields(polls - 1))).collect();
                    for task in tasks {
                        task.await;
                    }
                });
            })
        });
        side
    }};
}

fn metered(clock: Clock, configure: impl FnOnce(Metrics) -> Metrics) -> Box<dyn Side> {
    yielding!(
        testbed::testbed::Builder::current_thread()
            .metrics(configure)
            .build(clock)
    )
}

fn poll_time(metrics: Metrics) -> Metrics {
    metrics.poll_time(LAYOUT)
}

fn both(metrics: Metrics) -> Metrics {
    poll_time(metrics).schedule_latency(LAYOUT)
}

fn locations(metrics: Metrics) -> Metrics {
    both(metrics).locations(64)
}

fn recorder(metrics: Metrics) -> Metrics {
    both(metrics).flight_recorder(4_095)
}

fn locations_and_recorder(metrics: Metrics) -> Metrics {
    locations(metrics).flight_recorder(4_095)
}

fn sampled(metrics: Metrics) -> Metrics {
    one_in_8(both(metrics))
}

fn off(metrics: Metrics) -> Metrics {
    both(metrics)
        .poll_time_sampling(Sampling::Off)
        .schedule_latency_sampling(Sampling::Off)
}

fn stepping() -> Clock {
    Clock::custom(StepClock::default())
}

const BARE: Build = || metered(Clock::new(), |metrics| metrics);
const POLL_TIME: Build = || metered(Clock::new(), poll_time);
const BOTH: Build = || metered(Clock::new(), both);
const LOCATIONS: Build = || metered(Clock::new(), locations);
const RECORDER: Build = || metered(Clock::new(), recorder);
const LOCATIONS_AND_RECORDER: Build = || metered(Clock::new(), locations_and_recorder);
const ONE_IN_8: Build = || metered(Clock::new(), sampled);
/// On the clock of the operating system.
const ONE_IN_8_INSTANT: Build = || metered(Clock::instant(), sampled);
const OFF: Build = || metered(Clock::new(), off);
const POLL_TIME_STEPPED: Build = || metered(stepping(), poll_time);
const BOTH_STEPPED: Build = || metered(stepping(), both);
const RECORDER_STEPPED: Build = || metered(stepping(), recorder);
const ONE_IN_8_STEPPED: Build = || metered(stepping(), sampled);
const LOCATIONS_STEPPED: Build = || metered(stepping(), locations);
