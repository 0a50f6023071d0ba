//! The getters of the time in each state.

use super::{Buckets, RuntimeMetrics};
use crate::catalog::WorkerNumber;
use crate::counters::CounterValues;
use crate::probe::Probe;
use crate::read::{Period, StateTimes};
use crate::record::BucketCells as _;
use crate::registry::RegistryRef;
use crate::slot::{EXTERNAL, Slot, SlotBusy, read_with_retries};
use crate::storage::sealed::Sealed;
use crate::switches::Sampling;
use crate::time::Timestamp;

impl<R: RegistryRef, P: Probe> RuntimeMetrics<R, P> {
    /// Returns the busy time that a slot counts, and that of the busy period in progress, as a snapshot adds them.
    pub(super) fn busy_time(&self, slot: &Slot<Buckets<R>>) -> Result<u64, SlotBusy> {
        if !R::Storage::HAS_STRAYS {
            // In this order, so that a busy period that ends meanwhile is not counted twice.
            let now = self.registry.now();
            // The one worker of the slot writes its live record and its counters in one section.
            let (settled, since) = slot
                .busy_in_place(|attempt| self.probe.relax(attempt))
                .ok_or(SlotBusy)?;
            let in_progress = now.ticks().saturating_sub(since);
            return Ok(settled.wrapping_add(self.registry.scale().nanos_outlined(in_progress)));
        }
        self.state_times(slot).map(|times| times.busy)
    }

    /// Returns the times that a slot counts, without those of polls, and the time in progress.
    pub(super) fn state_times(&self, slot: &Slot<Buckets<R>>) -> Result<StateTimes, SlotBusy> {
        if slot.lease.worker() == Some(EXTERNAL) {
            // Not a worker: it is in no state.
            return Ok(StateTimes::default());
        }
        let (times, _, ()) = self.times_and(slot, || ())?;
        Ok(times)
    }

    /// Returns the time in polls and the rest of the busy time. `None` once a poll was not measured.
    pub(super) fn within_busy(
        &self,
        slot: &Slot<Buckets<R>>,
        number: WorkerNumber,
    ) -> Result<Option<u64>, SlotBusy> {
        if slot.lease.worker() == Some(EXTERNAL) {
            // Not a worker: the time of its polls is in the histogram alone.
            return Ok(Some(0));
        }
        let Some((config, histogram)) = self.registry.poll_time_config().zip(slot.poll_time.as_ref()) else {
            return Ok(None);
        };
        let count = || {
            let buckets = (0..config.num_buckets()).map(|bucket| histogram.buckets.count(bucket));
            (buckets.fold(0, u64::wrapping_add), histogram.totals().0)
        };
        let (times, values, (samples, sum)) = self.times_and(slot, count)?;
        let unmeasured = values.get(WorkerNumber::PollCount).saturating_sub(samples);
        if self.registry.switches.poll_time() != Sampling::Every || unmeasured > 0 {
            return Ok(None);
        }
        let polling = times.polling.saturating_add(sum);
        Ok(Some(match number {
            WorkerNumber::PollingDurationTotal => polling,
            _ => times.busy.saturating_sub(polling),
        }))
    }

    /// Calls `read` in the attempt that reads the counters.
    fn times_and<V>(
        &self,
        slot: &Slot<Buckets<R>>,
        read: impl Fn() -> V,
    ) -> Result<(StateTimes, CounterValues, V), SlotBusy> {
        let relax = |attempt| self.probe.relax(attempt);
        // In this order, so that a period that ends meanwhile is not counted twice.
        let now = self.registry.now();
        let live = slot.live(relax).ok_or(SlotBusy)?;
        let is_submitted = R::Storage::is_submitted(slot, &live);
        let read = || slot.seq.try_read(|| (slot.counters.read(), read()));
        let (values, read) = read_with_retries(read, relax).ok_or(SlotBusy)?;
        let mut times = StateTimes::settled(&values);
        let holder = slot.lease.holder();
        if let Some(worker) = holder.worker()
            && holder.is_leased()
            && worker != EXTERNAL
        {
            let is_only = self.registry.storage.only_slot(worker).is_some();
            let lost = !is_only && self.live(worker).is_some_and(|other| !live.supersedes(&other));
            let period = Period::of(&live, values.settled_at, is_submitted, lost);
            let scale = self.registry.scale();
            times.add(&period, |since| scale.nanos(now, Timestamp::from_ticks(since)));
        }
        Ok((times, values, read))
    }
}
