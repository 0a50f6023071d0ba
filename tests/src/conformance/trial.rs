//! The checks of a scenario on one runtime, and the ledger of their results.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::clock::{ManualClock, manual_clock};
use super::reading::Reading;
use super::subject::{DEVIATIONS, Runtime, Setup, Subject, Task, Unsupported};
use metrics_std::{RuntimeMetrics, Switches};

/// The results of all scenarios for one metric on one runtime.
#[derive(Clone, Copy, Debug, Default)]
pub struct Finding {
    /// It changed by the known amount.
    pub moved: bool,
    /// It did not change when something else happened.
    pub stayed: bool,
    /// It was `None` when it should have changed.
    pub absent: bool,
}

/// All results and failures.
#[derive(Debug, Default)]
pub struct Ledger {
    /// By runtime and metric.
    pub findings: BTreeMap<(&'static str, &'static str), Finding>,
    /// One line per expectation that was not met.
    pub failures: Vec<String>,
}

impl Ledger {
    /// Returns the results for a metric on a runtime.
    pub fn finding(&self, subject: &'static str, metric: &'static str) -> Finding {
        self.findings.get(&(subject, metric)).copied().unwrap_or_default()
    }
}

/// One scenario on one kind of runtime.
pub struct Trial<'a> {
    pub(super) subject: &'a dyn Subject,
    pub(super) scenario: &'static str,
    pub(super) ledger: &'a mut Ledger,
}

impl Trial<'_> {
    /// Starts a runtime and waits until it is idle.
    ///
    /// # Errors
    /// Returns an error if this kind of runtime does not support the configuration.
    pub fn start(&self, setup: &Setup) -> Result<Rig, Unsupported> {
        let clock = manual_clock();
        let runtime = self.subject.start(setup, &clock)?;
        runtime.wait_until_idle();
        Ok(Rig { runtime, clock })
    }

    /// Checks that the metric increased by exactly `by` from one reading to the next.
    pub fn moves(&mut self, metric: &'static str, before: &Reading, after: &Reading, by: u64) {
        let got = grown(metric, before, after);
        self.moved(metric, got, by);
    }

    /// Checks that the metric did not change from one reading to the next.
    pub fn stays(&mut self, metric: &'static str, before: &Reading, after: &Reading) {
        let got = grown(metric, before, after);
        self.stayed(metric, got, 0);
    }

    /// Checks that several metrics did not change.
    pub fn all_stay(&mut self, metrics: &[&'static str], before: &Reading, after: &Reading) {
        for metric in metrics {
            self.stays(metric, before, after);
        }
    }

    /// Checks that a metric that should have changed is exactly `expected`.
    pub fn moved(&mut self, metric: &'static str, got: Option<u64>, expected: u64) {
        if self.deviates(metric) {
            return;
        }
        self.expect(metric, got, expected);
        let finding = self.finding(metric);
        match got {
            Some(got) => finding.moved |= got == expected,
            None => finding.absent = true,
        }
    }

    /// Checks that a metric that should not have changed is exactly `expected`.
    pub fn stayed(&mut self, metric: &'static str, got: Option<u64>, expected: u64) {
        if self.deviates(metric) {
            return;
        }
        self.expect(metric, got, expected);
        self.finding(metric).stayed |= got == Some(expected);
    }

    /// Checks a condition that is not a single number.
    pub fn check(&mut self, holds: bool, what: &str) {
        if !holds {
            self.ledger
                .failures
                .push(format!("{}: {}: {what}", self.subject.name(), self.scenario));
        }
    }

    fn expect(&mut self, metric: &'static str, got: Option<u64>, expected: u64) {
        if let Some(got) = got.filter(|&got| got != expected) {
            let (subject, scenario) = (self.subject.name(), self.scenario);
            self.ledger.failures.push(format!(
                "{subject}: {scenario}: {metric} is {got}, should be {expected}"
            ));
        }
    }

    /// Returns whether the metric is known to have another meaning on this runtime.
    fn deviates(&self, metric: &str) -> bool {
        DEVIATIONS.iter().any(|deviation| {
            deviation.scenario == self.scenario
                && deviation.runtimes.contains(&self.subject.name())
                && deviation.metrics.contains(&metric)
        })
    }

    fn finding(&mut self, metric: &'static str) -> &mut Finding {
        self.ledger
            .findings
            .entry((self.subject.name(), metric))
            .or_default()
    }
}

fn grown(metric: &str, before: &Reading, after: &Reading) -> Option<u64> {
    // A gauge may be absent before the first event.
    Some(
        after
            .value(metric)?
            .wrapping_sub(before.value(metric).unwrap_or(0)),
    )
}

/// A started runtime and its clock.
#[derive(Clone)]
pub struct Rig {
    /// Returns the runtime.
    pub runtime: Arc<dyn Runtime>,
    /// Returns its clock, which the scenario advances.
    pub clock: ManualClock,
}

impl Rig {
    /// Reads a snapshot now.
    pub fn read(&self) -> Reading {
        match self.runtime.metrics().map(RuntimeMetrics::snapshot) {
            Some(snapshot) => Reading::of(snapshot),
            None => Reading(None),
        }
    }

    /// Returns the switches.
    ///
    /// # Errors
    /// Returns an error if there is nothing to switch.
    pub fn options(&self) -> Result<&Switches, Unsupported> {
        let metrics = self.runtime.metrics().ok_or(Unsupported)?;
        Ok(metrics.registry().switches())
    }

    /// Waits until the runtime is idle and reads a snapshot.
    pub fn read_at_rest(&self) -> Reading {
        self.runtime.wait_until_idle();
        self.read()
    }

    /// Spawns a task from outside and waits until the runtime is idle.
    pub fn run(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.runtime.spawn(boxed(task)));
        self.runtime.wait_until_idle();
    }

    /// Runs a task that may use the rig: to spawn, to read during a poll, or to advance the clock.
    pub fn run_with<F>(&self, task: impl FnOnce(Rig) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.run(task(self.clone()));
    }

    /// Runs a task of one poll, and returns the result of `f`, which it calls.
    ///
    /// # Panics
    /// Panics if the runtime never polls the task.
    pub fn in_a_poll<T: Send + 'static>(&self, f: impl FnOnce(&Rig) -> T + Send + 'static) -> T {
        let answer = Arc::new(Mutex::new(None));
        let rig = self.clone();
        let slot = Arc::clone(&answer);
        self.run(async move {
            let said = f(&rig);
            *slot.lock().unwrap() = Some(said);
        });
        let said = answer.lock().unwrap().take();
        said.expect("the task was polled")
    }
}

/// A task's future.
pub fn boxed(task: impl Future<Output = ()> + Send + 'static) -> Task {
    Box::pin(task)
}
