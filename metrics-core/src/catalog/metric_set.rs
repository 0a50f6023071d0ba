//! The set of metrics that a runtime measures.

use super::{RuntimeNumber, WorkerNumber};

/// A set of [`WorkerNumber`]s and [`RuntimeNumber`]s. A registry and a probe use it to declare which metrics they
/// measure; all others are `None`.
///
/// ```
/// use metrics_core::{MetricSet, WorkerNumber};
///
/// const POLLS: MetricSet = MetricSet::worker(&[WorkerNumber::PollCount]);
/// let measured = POLLS.union(MetricSet::TASKS);
/// assert!(measured.has_worker(WorkerNumber::PollCount));
/// assert!(!measured.has_worker(WorkerNumber::ParkCount));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct MetricSet {
    /// One bit per number.
    worker: u32,
    runtime: u32,
}

const _: () = assert!(WorkerNumber::ALL.len() < u32::BITS as usize);
const _: () = assert!(RuntimeNumber::ALL.len() < u32::BITS as usize);

impl MetricSet {
    /// The empty set.
    pub const NONE: Self = Self {
        worker: 0,
        runtime: 0,
    };

    /// All metrics, for a runtime that calls every hook.
    pub const ALL: Self = Self {
        worker: (1 << WorkerNumber::ALL.len()) - 1,
        runtime: (1 << RuntimeNumber::ALL.len()) - 1,
    };

    /// The counts of tasks, for a runtime that calls `task_spawned` and `task_ended`.
    pub const TASKS: Self = Self::runtime(&[
        RuntimeNumber::SpawnedTasksCount,
        RuntimeNumber::CoveredTasks,
        RuntimeNumber::NumAliveTasks,
        RuntimeNumber::CompletedTasksCount,
        RuntimeNumber::CancelledTasksCount,
        RuntimeNumber::PanickedTasksCount,
    ]);

    /// The events of an I/O driver, for a runtime that calls `io_registered`, `io_deregistered` and `io_ready`.
    pub const IO_DRIVER: Self = Self::runtime(&[
        RuntimeNumber::IoDriverFdRegisteredCount,
        RuntimeNumber::IoDriverFdDeregisteredCount,
        RuntimeNumber::IoDriverReadyCount,
    ]);

    /// Creates the set of these per-worker metrics.
    pub const fn worker(numbers: &[WorkerNumber]) -> Self {
        let mut worker = 0;
        let mut i = 0;
        while i < numbers.len() {
            worker |= 1 << numbers[i] as u8;
            i += 1;
        }
        Self { worker, runtime: 0 }
    }

    /// Creates the set of these metrics of the whole runtime.
    pub const fn runtime(numbers: &[RuntimeNumber]) -> Self {
        let mut runtime = 0;
        let mut i = 0;
        while i < numbers.len() {
            runtime |= 1 << numbers[i] as u8;
            i += 1;
        }
        Self { worker: 0, runtime }
    }

    /// Returns `true` if the set contains this per-worker metric.
    pub const fn has_worker(self, number: WorkerNumber) -> bool {
        self.worker & (1 << number as u8) != 0
    }

    /// Returns `true` if the set contains this metric of the whole runtime.
    pub const fn has_runtime(self, number: RuntimeNumber) -> bool {
        self.runtime & (1 << number as u8) != 0
    }

    /// Returns `true` if the set contains no per-worker metric.
    pub const fn has_no_worker(self) -> bool {
        self.worker == 0
    }

    /// Returns the metrics that are in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self {
            worker: self.worker | other.worker,
            runtime: self.runtime | other.runtime,
        }
    }

    /// Returns the metrics that are in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self {
            worker: self.worker & other.worker,
            runtime: self.runtime & other.runtime,
        }
    }

    /// Returns the metrics that are in this set but not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self {
            worker: self.worker & !other.worker,
            runtime: self.runtime & !other.runtime,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_set_contains_the_numbers_it_was_made_of() {
        let worker = [WorkerNumber::PollCount, WorkerNumber::LocalQueueDepth];
        let runtime = [
            RuntimeNumber::SpawnedTasksCount,
            RuntimeNumber::IoDriverReadyCount,
        ];
        let set = MetricSet::worker(&worker).union(MetricSet::runtime(&runtime));
        for number in WorkerNumber::ALL {
            assert_eq!(set.has_worker(*number), worker.contains(number));
            assert!(MetricSet::ALL.has_worker(*number));
            assert!(!MetricSet::NONE.has_worker(*number));
        }
        for number in RuntimeNumber::ALL {
            assert_eq!(set.has_runtime(*number), runtime.contains(number));
            assert!(MetricSet::ALL.has_runtime(*number));
            assert!(!MetricSet::NONE.has_runtime(*number));
        }
        assert_eq!(set.union(MetricSet::worker(&worker)), set);
        assert_eq!(set.union(MetricSet::runtime(&runtime)), set);
        assert_eq!(set.intersection(MetricSet::ALL), set);
        assert_eq!(
            set.intersection(MetricSet::worker(&worker)),
            MetricSet::worker(&worker)
        );
        assert_eq!(
            set.intersection(MetricSet::runtime(&runtime[..1])),
            MetricSet::runtime(&runtime[..1])
        );
        assert_eq!(
            set.without(MetricSet::worker(&worker)),
            MetricSet::runtime(&runtime)
        );
    }
}
