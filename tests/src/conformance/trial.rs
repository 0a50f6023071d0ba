//! A scenario's dealings with one runtime, and the ledger of what came out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::clock::{ManualClock, manual_clock};
use super::reading::Reading;
use super::subject::{DEVIATIONS, Runtime, Setup, Subject, Task, Unsupported};
use metrics_std::{RuntimeMetrics, Switches};

/// What the scenarios found out about one metric on one runtime.
#[derive(Clone, Copy, Debug, Default)]
pub struct Finding {
    /// It was seen to move by the known amount.
    pub moved: bool,
    /// It was seen to stay where something else happened.
    pub stayed: bool,
    /// It read `None` where it should have moved.
    pub absent: bool,
}

/// All findings, and all that was wrong.
#[derive(Debug, Default)]
pub struct Ledger {
    /// By runtime and metric.
    pub findings: BTreeMap<(&'static str, &'static str), Finding>,
    /// A line for each expectation that was not met.
    pub failures: Vec<String>,
}

impl Ledger {
    /// What was found out about a metric on a runtime.
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
    /// Starts a runtime and lets it come to rest.
    ///
    /// # Errors
    /// If this kind of runtime can't be set up so.
    pub fn start(&self, setup: &Setup) -> Result<Rig, Unsupported> {
        let clock = manual_clock();
        let runtime = self.subject.start(setup, &clock)?;
        runtime.settle();
        Ok(Rig { runtime, clock })
    }

    /// The metric grew by exactly `by` from one reading to the next.
    pub fn moves(&mut self, metric: &'static str, before: &Reading, after: &Reading, by: u64) {
        let got = grown(metric, before, after);
        self.moved(metric, got, by);
    }

    /// The metric did not change from one reading to the next.
    pub fn stays(&mut self, metric: &'static str, before: &Reading, after: &Reading) {
        let got = grown(metric, before, after);
        self.stayed(metric, got, 0);
    }

    /// Several metrics did not change.
    pub fn all_stay(&mut self, metrics: &[&'static str], before: &Reading, after: &Reading) {
        for metric in metrics {
            self.stays(metric, before, after);
        }
    }

    /// What should have moved reads exactly `expected`.
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

    /// What should not have moved reads exactly `expected`.
    pub fn stayed(&mut self, metric: &'static str, got: Option<u64>, expected: u64) {
        if self.deviates(metric) {
            return;
        }
        self.expect(metric, got, expected);
        self.finding(metric).stayed |= got == Some(expected);
    }

    /// A condition that is no single number.
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

    /// Is the metric known to mean something else here?
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
    /// The runtime.
    pub runtime: Arc<dyn Runtime>,
    /// Its clock, for durations that the scenario decides.
    pub clock: ManualClock,
}

impl Rig {
    /// What the reader says at this moment.
    pub fn read(&self) -> Reading {
        match self.runtime.metrics().map(RuntimeMetrics::snapshot) {
            Some(snapshot) => Reading::of(snapshot),
            None => Reading(None),
        }
    }

    /// The switches.
    ///
    /// # Errors
    /// If there is nothing to switch.
    pub fn options(&self) -> Result<&Switches, Unsupported> {
        let metrics = self.runtime.metrics().ok_or(Unsupported)?;
        Ok(metrics.registry().switches())
    }

    /// What the reader says once everything is at rest.
    pub fn read_at_rest(&self) -> Reading {
        self.runtime.settle();
        self.read()
    }

    /// Spawns a task from outside and lets everything come to rest.
    pub fn run(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.runtime.spawn(boxed(task)));
        self.runtime.settle();
    }

    /// Runs a task that may use the rig: to spawn, to read in mid-poll, to advance the clock.
    pub fn run_with<F>(&self, task: impl FnOnce(Rig) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.run(task(self.clone()));
    }

    /// Runs a task of one poll, and returns what `f` says in it.
    ///
    /// # Panics
    /// If the runtime never polls the task.
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
