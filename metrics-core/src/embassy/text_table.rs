//! A snapshot as a text table, without floating point.

use core::fmt;

use super::executor::ExecutorState;
use super::trace_snapshot::{ExecutorRow, TaskRow, TraceRows, TraceSnapshot};
use crate::storage::Rows;
use crate::table::{Nanos, Share, mark, permille};

/// Formats a [`TraceSnapshot`] as a table with task names, for [`core::fmt`].
///
/// ```text
/// executor 0     idle  71.9 %  poll  26.6 %  schedule   0.4 %  preempted   1.1 %      388 polls
///   task            active   waiting     wakes     polls     longest
///   hog             25.8 %     2.2 %         5         5     30.0 ms
///   0x20009e30       0.1 %     0.0 %        50        50     12.3 us
/// ```
///
/// Shares are relative to the time since the executor's first poll. A value that was not measured is `-`. A row marked
/// `~` was being written and shows the values of the previous snapshot. A longest poll marked `<=` is an upper bound.
#[derive(Debug)]
pub struct Table<'a, S: TraceRows> {
    snapshot: &'a TraceSnapshot<S>,
    names: &'a [(u32, &'a str)],
}

impl<S: TraceRows> TraceSnapshot<S> {
    /// Returns the table. `names` has more names of tasks, by their number (`SpawnToken::id`), than the snapshot. A task
    /// without a name shows its number: the low 32 bits of its address, which is in the program's symbol table. A name
    /// longer than 15 characters is cut off.
    pub fn table<'a>(&'a self, names: &'a [(u32, &'a str)]) -> Table<'a, S> {
        Table {
            snapshot: self,
            names,
        }
    }
}

impl<S: TraceRows> fmt::Display for TraceSnapshot<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table(&[]).fmt(f)
    }
}

#[cfg(feature = "defmt")]
impl<S: TraceRows> defmt::Format for TraceSnapshot<S> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "executors {} tasks {} without row {}",
            self.executors.as_slice(),
            self.tasks.as_slice(),
            self.overflow
        );
    }
}

impl<S: TraceRows> fmt::Display for Table<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, executor) in self.snapshot.executors.as_slice().iter().enumerate() {
            self.executor(f, index as u32, executor)?;
        }
        let total = self
            .snapshot
            .executors
            .as_slice()
            .iter()
            .map(ExecutorRow::total)
            .max()
            .unwrap_or(0);
        let row = &self.snapshot.overflow;
        if row.spawned != 0 {
            write!(f, "  {:<15}", "without row")?;
            let (active, longest) = (Share(permille(row.active, total)), Nanos(Some(row.longest)));
            writeln!(
                f,
                "{active:>7}  {:>8}  {:>8}  {:>8}   {longest:>9}",
                "-", row.wakes, row.polls
            )?;
        }
        if row.unmeasured_wakes != 0 {
            writeln!(
                f,
                "executors past the first {}: {} wakes, not measured",
                self.snapshot.executors.as_slice().len(),
                row.unmeasured_wakes
            )?;
        }
        let tasks = self.snapshot.tasks.as_slice().iter();
        for row in tasks.filter(|row| row.executor == TaskRow::INTERRUPT) {
            let (active, longest) = (Share(permille(row.active, total)), Nanos(Some(row.longest)));
            writeln!(
                f,
                "interrupt {mark}{name:<15.15} {active:>7}  {runs:>8} runs {bound:>2}{longest:>9}",
                bound = bound(row),
                mark = mark(row.stale),
                name = row.name.as_str(),
                runs = row.polls
            )?;
        }
        if let Some(load) = self.snapshot.core_load(0) {
            writeln!(f, "core 0 load {:>7}", Share(Some(load)))?;
        }
        Ok(())
    }
}

/// The mark of a longest poll that is an upper bound.
fn bound(row: &TaskRow) -> &'static str {
    if row.longest_is_bound { "<=" } else { "" }
}

impl<S: TraceRows> Table<'_, S> {
    fn executor(&self, f: &mut fmt::Formatter<'_>, index: u32, executor: &ExecutorRow) -> fmt::Result {
        let share = |state| Share(executor.share(state));
        let [idle, poll, schedule] = [
            ExecutorState::Idle,
            ExecutorState::Polling,
            ExecutorState::Scheduling,
        ]
        .map(share);
        let preempted = Share(permille(executor.preempted, executor.total()));
        writeln!(
            f,
            "executor {index}{}    idle {idle:>7}  poll {poll:>7}  schedule {schedule:>7}  preempted {preempted:>7}  {:>7} polls",
            mark(executor.stale),
            executor.polls,
        )?;
        let mut tasks = self
            .snapshot
            .tasks
            .as_slice()
            .iter()
            .filter(|task| task.executor == index)
            .peekable();
        if tasks.peek().is_some() {
            writeln!(
                f,
                "  {:<15}{:>7}  {:>8}  {:>8}  {:>8}   {:>9}",
                "task", "active", "waiting", "wakes", "polls", "longest"
            )?;
        }
        for task in tasks {
            let named = self.names.iter().find(|(id, _)| *id == task.task);
            let name = named.map_or(task.name.as_str(), |(_, name)| name);
            if name.is_empty() {
                // As embassy and a linker's map print an address.
                write!(f, " {}{:<#15x}", mark(task.stale), task.task)?;
            } else {
                write!(f, " {}{name:<15.15}", mark(task.stale))?;
            }
            let share = |part| Share(permille(part, executor.total()));
            let (active, waiting, longest) =
                (share(task.active), share(task.waiting), Nanos(Some(task.longest)));
            writeln!(
                f,
                "{active:>7}  {waiting:>8}  {:>8}  {:>8} {:>2}{longest:>9}",
                task.wakes,
                task.polls,
                bound(task)
            )?;
        }
        Ok(())
    }
}
