//! Metrics per spawn location and the flight recorder of a worker of a `static` registry, in a `static` of their own.

use crate::cell::{OwnedU64, U64Cell};
use crate::flight::DEFAULT_FLIGHT_RECORDER_THRESHOLD;
use crate::flight::{FlightEvent, FlightEventKind, Fold, RecordedEvent, StaticRing, Words};
use crate::live::LocationId;
use crate::locations::{LocationRow, LocationValues};
use crate::record::{PollStart, Recorded};
use crate::slot::read_with_retries;
use crate::static_worker::StaticWorker;
use crate::storage::{BucketWidth, Buckets64};
use crate::sync::{RECORDING, spin_loop};
use crate::tasks::TaskEnd;
use crate::time::{TimeSource, Timestamp};
use core::future::poll_fn;
use core::pin::pin;
use core::time::Duration;

/// Metrics per spawn location and the last events of one worker of a `static` registry. A registry without them has no
/// memory and no code for them.
///
/// - `ROWS`: the number of rows of the table. The first row is for tasks without a location, the last for all locations
///   from `ROWS - 1` on, and each other row for the location with its number.
/// - `EVENTS`: the places of the flight recorder, a power of two. At least the last `EVENTS - 1` events are kept, in 16
///   bytes each. See [`Builder::flight_recorder`](crate::Builder::flight_recorder).
///
/// ```
/// use core::time::Duration;
/// use metrics_core::{Builder, LocationId, MetricSet, NoClock, PollStart, Registry, StaticDetails, StaticRegistryConfig, StaticStorage};
///
/// const CONFIG: StaticRegistryConfig<1, 1> = match Builder::new().measures(MetricSet::ALL).describe(0, Duration::ZERO) {
///     Ok(config) => config,
///     Err(_) => panic!("invalid configuration"),
/// };
/// static METRICS: Registry<StaticStorage<1, 1>, NoClock> = Registry::new(&CONFIG, NoClock);
/// static DETAILS: StaticDetails<4, 64> = StaticDetails::new();
///
/// let worker = METRICS.worker(0).expect("there is one worker").with_details(&DETAILS);
/// worker.start_poll(PollStart { spawn_location: LocationId::from_u32(1), ..PollStart::default() });
/// // Poll the task here.
/// worker.end_poll();
/// # #[cfg(feature = "record")]
/// assert_eq!(DETAILS.location(1).map(|row| row.poll_count), Some(1));
/// ```
#[derive(Debug)]
pub struct StaticDetails<const ROWS: usize, const EVENTS: usize> {
    rows: [LocationRow; ROWS],
    ring: StaticRing<EVENTS>,
    fold: Fold,
    /// The schedule latency of the poll in progress in nanoseconds.
    latency: OwnedU64,
}

/// The value of [`StaticDetails::latency`] if it was not measured.
const UNMEASURED: u64 = u64::MAX;

/// The metrics of the tasks of one spawn location on one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StaticLocation {
    /// The number of tasks that were spawned.
    pub spawned: u64,
    /// The number of tasks that ended.
    pub ended: u64,
    /// The number of polls.
    pub poll_count: u64,
    /// The number of polls whose duration was measured.
    pub measured_polls: u64,
    /// The total duration of the measured polls; `None` if there are none.
    pub poll_time: Option<Duration>,
    /// The duration of the longest of them.
    pub longest_poll: Option<Duration>,
    /// The number of polls whose schedule latency was measured.
    pub measured_latencies: u64,
    /// The total schedule latency of these polls; `None` if there are none.
    pub schedule_latency: Option<Duration>,
    /// The longest of these latencies.
    pub longest_schedule_latency: Option<Duration>,
}

impl<const ROWS: usize, const EVENTS: usize> Default for StaticDetails<ROWS, EVENTS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const ROWS: usize, const EVENTS: usize> StaticDetails<ROWS, EVENTS> {
    /// Creates the cells, for a `static`.
    pub const fn new() -> Self {
        Self {
            rows: [const { LocationRow::new() }; ROWS],
            ring: StaticRing::new(),
            fold: Fold::below(DEFAULT_FLIGHT_RECORDER_THRESHOLD),
            latency: OwnedU64::new(UNMEASURED),
        }
    }

    /// Sets the threshold of the flight recorder, as
    /// [`Builder::flight_recorder_threshold`](crate::Builder::flight_recorder_threshold) does.
    #[must_use]
    pub const fn flight_recorder_threshold(mut self, threshold: Duration) -> Self {
        self.fold = Fold::below(threshold);
        self
    }

    /// Returns a row of the table. `None` if there is no such row, and in an interrupt that has interrupted a write to
    /// it.
    pub fn location(&self, row: usize) -> Option<StaticLocation> {
        let row = self.rows.get(row)?;
        // The end before the spawn, so that the spawn of each counted end is counted too.
        let (ended, spawned) = (row.load_ended(), row.load_spawned());
        let values: LocationValues = read_with_retries(|| row.try_read(), |_| spin_loop())?;
        let measured_polls = values.measured_polls();
        let polls = |nanos| (measured_polls != 0).then(|| Duration::from_nanos(nanos));
        let latencies = |nanos| (values.latencies != 0).then(|| Duration::from_nanos(nanos));
        Some(StaticLocation {
            spawned: spawned.max(ended),
            ended,
            poll_count: values.polls,
            measured_polls,
            poll_time: polls(values.poll_time),
            longest_poll: polls(values.longest_poll),
            measured_latencies: values.latencies,
            schedule_latency: latencies(values.latency),
            longest_schedule_latency: latencies(values.longest_latency),
        })
    }

    #[inline(always)]
    fn row(&self, location: LocationId) -> Option<&LocationRow> {
        if !RECORDING {
            return None;
        }
        let number = location.as_u32() as usize;
        self.rows.get(number.min(ROWS.wrapping_sub(1)))
    }

    /// Copies the last events, oldest first, while the worker goes on. `now` is the time of the registry's clock.
    ///
    /// It needs stack for two copies. A poll in progress is no event yet.
    pub fn events(&self, now: Timestamp) -> heapless::Vec<FlightEvent, EVENTS> {
        let mut words: [Words; EVENTS] = [[0; 4]; EVENTS];
        let intact = self.ring.copy_to(&mut words);
        let words = words.get(intact.start..intact.end).unwrap_or_default();
        let events = words
            .iter()
            .map(|&words| FlightEvent::from_words(words, now.ticks()));
        events.collect()
    }
}

/// A [`StaticWorker`] that also records [`StaticDetails`]. One context at a time calls its hooks, as for the worker.
#[derive(Debug)]
pub struct DetailedWorker<
    T: 'static,
    const ROWS: usize,
    const EVENTS: usize,
    const WORKERS: usize,
    const BUCKETS: usize,
    C: BucketWidth = Buckets64,
> {
    worker: StaticWorker<T, WORKERS, BUCKETS, C>,
    details: &'static StaticDetails<ROWS, EVENTS>,
}

impl<T, const R: usize, const E: usize, const WORKERS: usize, const BUCKETS: usize, C: BucketWidth> Clone
    for DetailedWorker<T, R, E, WORKERS, BUCKETS, C>
{
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, const R: usize, const E: usize, const WORKERS: usize, const BUCKETS: usize, C: BucketWidth> Copy
    for DetailedWorker<T, R, E, WORKERS, BUCKETS, C>
{
}

impl<T: TimeSource, const WORKERS: usize, const BUCKETS: usize, C: BucketWidth>
    StaticWorker<T, WORKERS, BUCKETS, C>
{
    /// Also records metrics per spawn location and the last events. Use a separate `static` for each worker. If the result
    /// has a hook of the same name, call that one: the hook of this worker does not record the details.
    pub const fn with_details<const ROWS: usize, const EVENTS: usize>(
        self,
        details: &'static StaticDetails<ROWS, EVENTS>,
    ) -> DetailedWorker<T, ROWS, EVENTS, WORKERS, BUCKETS, C> {
        DetailedWorker {
            worker: self,
            details,
        }
    }
}

impl<
    T: TimeSource,
    const ROWS: usize,
    const EVENTS: usize,
    const WORKERS: usize,
    const BUCKETS: usize,
    C: BucketWidth,
> DetailedWorker<T, ROWS, EVENTS, WORKERS, BUCKETS, C>
{
    /// Returns the worker, for the hooks that record nothing more here.
    pub const fn worker(self) -> StaticWorker<T, WORKERS, BUCKETS, C> {
        self.worker
    }

    /// See [`StaticWorker::park`].
    pub fn park(self) {
        self.worker.park();
        self.record_state(FlightEventKind::Park);
    }

    /// See [`StaticWorker::unpark`].
    pub fn unpark(self) {
        self.worker.unpark();
        self.record_state(FlightEventKind::Unpark);
    }

    /// See [`StaticWorker::start_poll`].
    pub fn start_poll(self, start: PollStart) -> Recorded {
        let latency = self.worker.start_poll(start);
        self.details.latency.set(latency.nanos().unwrap_or(UNMEASURED));
        latency
    }

    /// See [`StaticWorker::end_poll`].
    pub fn end_poll(self) -> Recorded {
        let hooks = self.worker.hooks(&self.worker.registry.clock);
        let is_polling = hooks.flags().is_polling();
        let live = &self.worker.fixed.slot.live;
        let (location, start) = (live.polled_location(), live.entered_at());
        let poll_time = self.worker.end_poll();
        if !RECORDING || !is_polling {
            return poll_time;
        }
        let latency = self.details.latency.get();
        let schedule_latency = (latency != UNMEASURED).then_some(latency);
        if let Some(row) = self.details.row(location) {
            row.record(poll_time.nanos(), schedule_latency);
        }
        if let Some(duration) = poll_time.nanos() {
            let poll = RecordedEvent::poll(start, location, duration, schedule_latency);
            let scale = self.worker.registry.scale();
            self.details.ring.push_poll(poll, self.details.fold, scale);
        }
        poll_time
    }

    /// See [`StaticWorker::measure`].
    pub async fn measure<F: Future>(self, spawn_location: LocationId, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| {
            let start = || {
                self.start_poll(PollStart {
                    spawn_location,
                    ..PollStart::default()
                })
            };
            self.worker
                .measure_poll(start, || future.as_mut().poll(cx), || self.end_poll())
        })
        .await
    }

    /// See [`StaticWorker::task_spawned`]; counts the task at this location.
    pub fn task_spawned_at(self, location: LocationId) {
        if let Some(row) = self.details.row(location) {
            row.spawned();
        }
        self.worker.task_spawned();
    }

    /// See [`StaticWorker::task_ended`]; counts the end at this location.
    pub fn task_ended_at(self, location: LocationId, end: TaskEnd) {
        if let Some(row) = self.details.row(location) {
            row.ended();
        }
        self.worker.task_ended(end);
    }

    fn record_state(self, kind: FlightEventKind) {
        if RECORDING && self.worker.registry.is_timed() {
            let start = self.worker.fixed.slot.live.entered_at();
            self.details.ring.push(RecordedEvent::state(kind, start));
        }
    }
}
