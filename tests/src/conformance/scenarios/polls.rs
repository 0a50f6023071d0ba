//! Polls: their number, duration and latency, and polls that do not count.

use core::future::{pending, poll_fn};
use core::task::{Poll, Waker};
use core::time::Duration;
use std::sync::{Arc, Mutex};

use super::Scenario;
use crate::conformance::subject::{Setup, Unsupported};
use crate::conformance::trial::{Trial, boxed};
use crate::yield_now;
use metrics_std::Sampling;

pub(super) static SCENARIOS: &[Scenario] = &[
    ("three yields are four polls", yields),
    (
        "a task polled from the LIFO slot is polled like any other",
        lifo_slot,
    ),
    ("a cancelled task is dropped without a poll", cancelled),
    ("each poll's time is a sample", poll_times),
    ("a histogram that is switched off is frozen", switched_off),
    ("a task waits from its first wake to its poll", latency),
    ("a root future is not a task", root),
    ("a measured future inside a task is not a task", nested),
    ("a budget that was refused is a forced yield", forced_yield),
    ("a budget that was spent to the last unit is none", spent_budget),
];

const US: Duration = Duration::from_micros(1);

fn yields(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    let before = rig.read();
    rig.run(async {
        for _ in 0..3 {
            yield_now().await;
        }
    });
    let after = rig.read();
    trial.moves("poll_count", &before, &after, 4);
    trial.moves("poll_time", &before, &after, 4);
    trial.moves("schedule_latency", &before, &after, 4);
    trial.all_stay(
        &["nested_polls", "budget_forced_yield_count", "steal_count"],
        &before,
        &after,
    );
    trial.all_stay(
        &["steal_operations", "overflow_count", "overflow_tasks"],
        &before,
        &after,
    );
    Ok(())
}

fn lifo_slot(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    let before = rig.read();
    rig.run_with(|rig| async move {
        // With a LIFO slot, the last spawned task is polled right after this poll.
        for _ in 0..3 {
            drop(rig.runtime.spawn(boxed(async {})));
        }
    });
    let after = rig.read();
    trial.moves("poll_count", &before, &after, 4);
    trial.moves("poll_time", &before, &after, 4);
    Ok(())
}

fn cancelled(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    let cancel = rig.runtime.spawn(boxed(pending()));
    let before = rig.read_at_rest();
    cancel();
    let after = rig.read_at_rest();
    trial.all_stay(
        &["poll_count", "poll_time", "schedule_latency", "mean_poll_time"],
        &before,
        &after,
    );
    Ok(())
}

fn poll_times(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    let before = rig.read();
    for time in [10 * US, 20 * US] {
        rig.in_a_poll(move |rig| rig.clock.advance(time));
    }
    let after = rig.read();
    let sum = after
        .sum("poll_time")
        .map(|sum| sum - before.sum("poll_time").unwrap_or(0));
    trial.moved("poll_time", sum, 30_000);
    // 10 us, then a tenth of the way to 20 us.
    trial.moved("mean_poll_time", after.value("mean_poll_time"), 11_000);
    Ok(())
}

fn switched_off(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    let options = rig.options()?;
    rig.in_a_poll(|rig| rig.clock.advance(3 * US));
    options.set_poll_time(Sampling::Off);
    options.set_schedule_latency(Sampling::Off);
    // The switches take effect when a batch is submitted, so one more poll may be measured.
    rig.run(async {});
    let before = rig.read_at_rest();
    rig.in_a_poll(|rig| rig.clock.advance(5 * US));
    let after = rig.read();
    trial.moves("poll_count", &before, &after, 1);
    trial.all_stay(&["poll_time", "schedule_latency"], &before, &after);
    trial.check(
        before.sum("poll_time") == after.sum("poll_time"),
        "the sum is frozen",
    );
    Ok(())
}

fn latency(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    let waker: Arc<Mutex<Option<Waker>>> = Arc::default();
    let wakers = Arc::clone(&waker);
    let mut polls = 0;
    drop(rig.runtime.spawn(boxed(poll_fn(move |cx| {
        *wakers.lock().unwrap() = Some(cx.waker().clone());
        polls += 1;
        if polls == 2 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }))));
    let before = rig.read_at_rest();
    rig.in_a_poll(move |rig| {
        let waker = waker.lock().unwrap().take().expect("the task was polled");
        waker.wake_by_ref();
        rig.clock.advance(4 * US);
        // A repeated wake does not restart it.
        waker.wake();
        rig.clock.advance(2 * US);
    });
    let after = rig.read_at_rest();
    // The poll that wakes was scheduled on an idle worker and did not wait.
    trial.moves("schedule_latency", &before, &after, 2);
    let waited = after
        .sum("schedule_latency")
        .map(|sum| sum - before.sum("schedule_latency").unwrap_or(0));
    trial.moved("schedule_latency", waited, 6_000);
    Ok(())
}

fn root(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    let before = rig.read();
    rig.runtime.block_on(boxed(async {
        yield_now().await;
        yield_now().await;
    }))?;
    let after = rig.read();
    trial.moves("root_polls", &before, &after, 3);
    trial.all_stay(
        &[
            "poll_count",
            "poll_time",
            "nested_polls",
            "spawned_tasks_count",
            "num_alive_tasks",
        ],
        &before,
        &after,
    );
    trial.all_stay(
        &["covered_tasks", "completed_tasks_count", "local_schedule_count"],
        &before,
        &after,
    );
    Ok(())
}

fn nested(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    let inner = rig.runtime.measured(boxed(yield_now()))?;
    let before = rig.read();
    rig.run(inner);
    let after = rig.read();
    trial.moves("nested_polls", &before, &after, 2);
    trial.moves("poll_count", &before, &after, 2);
    trial.moves("poll_time", &before, &after, 2);
    Ok(())
}

fn forced_yield(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    spend(trial, 1, |trial, before, after| {
        trial.moves("budget_forced_yield_count", before, after, 1);
        trial.moves("poll_count", before, after, 2);
    })
}

fn spent_budget(trial: &mut Trial<'_>) -> Result<(), Unsupported> {
    spend(trial, 0, |trial, before, after| {
        trial.stays("budget_forced_yield_count", before, after);
        trial.moves("poll_count", before, after, 1);
    })
}

/// A task that spends its whole budget and `beyond`.
fn spend(
    trial: &mut Trial<'_>,
    beyond: usize,
    judge: impl FnOnce(&mut Trial<'_>, &super::super::reading::Reading, &super::super::reading::Reading),
) -> Result<(), Unsupported> {
    let rig = trial.start(&Setup::default())?;
    drop(rig.runtime.consume_budget()?);
    let units = rig.runtime.budget() + beyond;
    let before = rig.read();
    rig.run_with(|rig| async move {
        for _ in 0..units {
            let Ok(unit) = rig.runtime.consume_budget() else {
                return;
            };
            unit.await;
        }
    });
    let after = rig.read();
    judge(trial, &before, &after);
    Ok(())
}
