//! A runtime whose hooks are called in any order.

use core::num::NonZeroU32;
use core::time::Duration;
use std::sync::Arc;

use libfuzzer_sys::arbitrary::{self, Arbitrary, Unstructured};
use metrics_core::{
    BlockingStart, FlightEventKind, GroupId, HeapStorage, LagKind, LocationId, PollStart, Recorded, Registry,
    RuntimeMetrics, Sampling, StallKind, TaskEnd, TimeSource, Timestamp, Worker, WorkerNumber,
};
use metrics_mock::ManualClock;

use crate::model::{Counts, EXTERNAL, Event, Model, Row, WorkerModel};
use crate::probe::{ArbitraryProbe, is_group, location};
use crate::setup::{Layout, Setup};

pub type Metrics = Arc<Registry<HeapStorage, ManualClock>>;
pub type Reading = RuntimeMetrics<Metrics, Arc<ArbitraryProbe>>;

/// Everything that the rest of an input says. A `Vec` would end at every other element, so that long sequences would be rare.
#[derive(Debug)]
pub struct Rest<T>(pub Vec<T>);

/// More elements only take time.
const MOST: usize = 128;

impl<'a, T: Arbitrary<'a>> Arbitrary<'a> for Rest<T> {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let mut all = Vec::new();
        while !input.is_empty() && all.len() < MOST {
            all.push(input.arbitrary()?);
        }
        Ok(Self(all))
    }
}

#[derive(Arbitrary, Debug)]
pub enum Op {
    Advance(u32),
    JumpTo(u32),
    PollTime(u8),
    ScheduleLatency(u8),
    Lease(u8),
    LeaseAny,
    LeaseExternal,
    /// A hook of one of the workers.
    On(u8, Hook),
    /// A call from a thread that runs no worker.
    Outside(Outside),
}

#[derive(Arbitrary, Debug)]
pub enum Hook {
    StartPoll {
        scheduled_at: Option<u32>,
        at: u8,
    },
    EndPoll,
    SetSpawnLocation(u8),
    RecordPoll {
        scheduled_at: Option<u32>,
        started: u32,
        at: u8,
    },
    GroupPoll {
        group: u8,
        inner: Option<u8>,
        ticks: u16,
    },
    Park,
    Unpark,
    StartProcessing,
    EndProcessing,
    EndBusyAtLastTimestamp,
    DiscardLastTimestamp,
    Idle,
    LocalSchedule,
    Steal(u16),
    Overflow(u16),
    ForcedYield,
    RootPoll,
    StartRootPoll(u8),
    EndRootPoll,
    NestedPoll,
    Tick,
    Submit,
    SetThread(u8),
    Spawn(u8),
    End(u8, u8),
    StartGroup(u8),
    EndGroup(u8),
    Release,
}

#[derive(Arbitrary, Debug)]
pub enum Outside {
    Spawn(u8),
    End(u8, u8),
    StartGroup(u8),
    EndGroup(u8),
    RemoteSchedule,
    IoReady(u16),
    Blocking(u32),
    MeasureLag(bool, Layout),
    Lag(bool, u64),
    BeginStallWatch(u8),
    EndStallWatch,
    Stall(u8, u8),
    StallEnded(u8, u64),
}

/// A leased worker.
struct Leased {
    worker: Worker<Metrics>,
    index: usize,
    poll: Option<OpenPoll>,
    root: Option<LocationId>,
    pending: Counts,
}

/// A poll that has started.
struct OpenPoll {
    at: LocationId,
    /// `None` if two polls were started in a row: the latency is that of either.
    latency: Option<Option<u64>>,
}

/// A runtime and the model of what it recorded.
pub struct Runtime {
    pub metrics: Reading,
    pub model: Model,
    workers: Vec<Leased>,
    is_watched: bool,
}

/// More leases than this at one time only take time.
const MOST_LEASES: usize = 5;

const KINDS: [StallKind; 3] = [StallKind::Poll, StallKind::NoProgress, StallKind::Queue];
const ENDS: [TaskEnd; 3] = [TaskEnd::Completed, TaskEnd::Cancelled, TaskEnd::Panicked];

fn group(raw: u8) -> GroupId {
    let number = match raw {
        255 => u32::MAX,
        254 => 0,
        raw => u32::from(raw) % 24 | 3,
    };
    debug_assert!(number == 0 || is_group(number));
    GroupId::from_location(LocationId::from_u32(number))
}

fn at_ticks(ticks: u32) -> Timestamp {
    Timestamp::from_ticks(ticks.into())
}

fn sampling(mode: u8) -> Sampling {
    match mode {
        0 => Sampling::Off,
        1 => Sampling::Every,
        n => Sampling::OneIn(NonZeroU32::new(n.into()).expect("it is above one")),
    }
}

impl Runtime {
    pub fn new(setup: &Setup, name: &str, probe: ArbitraryProbe) -> Self {
        let registry = setup.build(name);
        Self {
            metrics: RuntimeMetrics::with_probe(registry, Arc::new(probe)),
            model: Model::default(),
            workers: Vec::new(),
            is_watched: false,
        }
    }

    pub fn registry(&self) -> &Metrics {
        self.metrics.registry()
    }

    pub fn capacity(&self) -> usize {
        self.registry().location_capacity()
    }

    fn lease(&mut self, lease: impl FnOnce(Metrics) -> Worker<Metrics>, index: Option<usize>) {
        if self.workers.len() >= MOST_LEASES {
            return;
        }
        let worker = lease(Arc::clone(self.registry()));
        let index = index.unwrap_or(worker.index());
        self.model.workers.entry(index).or_default();
        self.workers.push(Leased {
            worker,
            index,
            poll: None,
            root: None,
            pending: Counts::default(),
        });
    }

    /// Releases all workers, which submits everything.
    pub fn release_all(&mut self) {
        for place in (0..self.workers.len()).rev() {
            self.release(place);
        }
    }

    fn release(&mut self, place: usize) {
        let Leased {
            worker, index, poll, ..
        } = self.workers.swap_remove(place);
        drop(worker);
        let capacity = self.capacity();
        if let Some(poll) = poll {
            count_poll(&mut self.model, index, poll, None, capacity);
        }
        self.refresh(index);
    }

    /// Calls `Worker::submit` on every worker outside a poll. Returns whether all were outside one.
    pub fn submit_all(&mut self) {
        for leased in &mut self.workers {
            leased.worker.submit();
            leased.pending = Counts::default();
        }
        for index in self.model.workers.keys().copied().collect::<Vec<_>>() {
            self.refresh(index);
        }
    }

    /// Sets the parts of the model that follow from the leases of an index.
    fn refresh(&mut self, index: usize) {
        let of_model = self.model.workers.entry(index).or_default();
        let leases = || self.workers.iter().filter(|leased| leased.index == index);
        of_model.pending = Counts::default();
        of_model.polling.clear();
        for leased in leases() {
            for (number, count) in leased.pending.iter() {
                of_model.pending.add(number, count);
            }
            let poll = leased.poll.as_ref().map(|poll| poll.at);
            of_model.polling.extend(poll.into_iter().chain(leased.root));
        }
    }

    pub fn apply(&mut self, op: &Op) {
        let registry = Arc::clone(self.registry());
        match *op {
            Op::Advance(ticks) => registry.clock().advance_ticks(ticks.into()),
            Op::JumpTo(ticks) => {
                self.model.clock_stepped_back |= registry.clock().now() > at_ticks(ticks);
                registry.clock().set_ticks(ticks.into());
            }
            Op::PollTime(mode) => registry.switches().set_poll_time(sampling(mode)),
            Op::ScheduleLatency(mode) => registry.switches().set_schedule_latency(sampling(mode)),
            Op::Lease(index) => {
                let index = usize::from(index % 6);
                self.lease(
                    |registry| Worker::lease(registry, index).expect("the heap grows"),
                    Some(index),
                );
            }
            Op::LeaseAny => self.lease(
                |registry| Worker::lease_any(registry).expect("the heap grows"),
                None,
            ),
            Op::LeaseExternal => self.lease(
                |registry| Worker::lease_external(registry).expect("the heap grows"),
                Some(EXTERNAL),
            ),
            Op::On(place, ref hook) if !self.workers.is_empty() => {
                let place = usize::from(place) % self.workers.len();
                if matches!(hook, Hook::Release) {
                    return self.release(place);
                }
                let index = self.workers[place].index;
                self.hook(place, hook);
                self.refresh(index);
            }
            Op::On(..) => {}
            Op::Outside(ref call) => self.outside(&registry, call),
        }
    }

    fn spawn(&mut self, at: LocationId) {
        let row = Row::of_location(at, self.capacity());
        self.model.spawned += 1;
        self.model.row(row).spawned += 1;
    }

    /// Returns how a task ends, if one is alive.
    fn end(&mut self, at: LocationId, how: u8) -> Option<TaskEnd> {
        let how = usize::from(how) % ENDS.len();
        (self.model.alive() > 0).then(|| {
            let row = Row::of_location(at, self.capacity());
            self.model.ended[how] += 1;
            self.model.row(row).ended += 1;
            ENDS[how]
        })
    }

    fn group_row(&mut self, group: GroupId) -> &mut crate::model::RowModel {
        let row = Row::of_group(group.location(), self.capacity());
        self.model.row(row)
    }

    fn outside(&mut self, registry: &Metrics, call: &Outside) {
        let shared = registry.shared();
        match *call {
            Outside::Spawn(at) => {
                self.spawn(location(at));
                shared.task_spawned_at(location(at));
            }
            Outside::End(at, how) => {
                if let Some(end) = self.end(location(at), how) {
                    shared.task_ended_at(location(at), end);
                }
            }
            Outside::StartGroup(raw) => {
                self.group_row(group(raw)).spawned += 1;
                shared.group_started(group(raw));
            }
            Outside::EndGroup(raw) => {
                self.group_row(group(raw)).ended += 1;
                shared.group_ended(group(raw));
            }
            Outside::RemoteSchedule => {
                self.model.remote_schedules += 1;
                shared.remote_schedule();
            }
            Outside::IoReady(events) => {
                self.model.io_ready += u64::from(events);
                shared.io_ready(events.into());
            }
            Outside::Blocking(queued) => {
                self.model.blocking += 1;
                shared.blocking_started(BlockingStart {
                    queued_at: at_ticks(queued),
                    started_at: registry.clock().now(),
                });
            }
            Outside::MeasureLag(wake, layout) => {
                let Some(config) = layout.config() else { return };
                shared.measure_lag(lag(wake), config);
                if registry.is_timed() {
                    self.model.lag[usize::from(wake)].get_or_insert(0);
                }
            }
            Outside::Lag(wake, nanos) => {
                shared.record_lag(lag(wake), Duration::from_nanos(nanos));
                if let Some(count) = &mut self.model.lag[usize::from(wake)] {
                    *count += 1;
                }
            }
            Outside::BeginStallWatch(kinds) => {
                let kinds: Vec<_> = (0..3).filter(|kind| kinds & 1 << kind != 0).collect();
                let began =
                    shared.begin_stall_watch(&kinds.iter().map(|&kind| KINDS[kind]).collect::<Vec<_>>());
                assert_eq!(began, !self.is_watched, "there is one watch at a time");
                if began {
                    self.is_watched = true;
                    for kind in kinds {
                        self.model.stalls[kind].get_or_insert(0);
                    }
                }
            }
            Outside::EndStallWatch => {
                self.is_watched = false;
                shared.end_stall_watch();
            }
            Outside::Stall(kind, at) => {
                let kind = usize::from(kind) % KINDS.len();
                let Some(count) = self.model.stalls[kind].as_mut().filter(|_| self.is_watched) else {
                    return;
                };
                *count += 1;
                shared.stalled(KINDS[kind]);
                if KINDS[kind] == StallKind::Poll {
                    if at % 2 == 0 {
                        let at = location(at);
                        let row = Row::of_location(at, self.capacity());
                        self.model.row(row).stalls += 1;
                        shared.location_stalled(at);
                    } else {
                        self.group_row(group(at)).stalls += 1;
                        shared.group_stalled(group(at));
                    }
                }
            }
            Outside::StallEnded(kind, nanos) => {
                shared.stall_ended(
                    KINDS[usize::from(kind) % KINDS.len()],
                    Duration::from_nanos(nanos),
                );
            }
        }
    }

    fn hook(&mut self, place: usize, hook: &Hook) {
        let capacity = self.capacity();
        let Self { workers, model, .. } = self;
        let Leased {
            worker,
            index,
            poll,
            root,
            pending,
        } = &mut workers[place];
        let index = *index;
        let of_model = model.workers.entry(index).or_default();
        // External threads have no queue, and no hook reports when they park.
        let is_of_workers = matches!(
            hook,
            Hook::Park | Hook::Unpark | Hook::LocalSchedule | Hook::Steal(_) | Hook::Overflow(_)
        );
        if index == EXTERNAL && is_of_workers {
            return;
        }
        let changes_state = matches!(
            hook,
            Hook::Park
                | Hook::Unpark
                | Hook::Idle
                | Hook::StartProcessing
                | Hook::EndProcessing
                | Hook::EndBusyAtLastTimestamp
        );
        model.changed_state_in_a_poll |= changes_state && poll.is_some();
        match *hook {
            Hook::StartPoll { scheduled_at, at } => {
                let at = location(at);
                let latency = worker.start_poll(PollStart {
                    scheduled_at: scheduled_at.map(at_ticks),
                    spawn_location: at,
                });
                let latency = poll.is_none().then_some(latency.nanos());
                *poll = Some(OpenPoll { at, latency });
                return;
            }
            Hook::EndPoll => {
                let ended = worker.end_poll();
                if let Some(poll) = poll.take() {
                    pending.add(WorkerNumber::PollCount, 1);
                    count_poll(model, index, poll, Some(ended), capacity);
                }
                return;
            }
            Hook::SetSpawnLocation(at) => {
                if let Some(poll) = poll {
                    worker.set_spawn_location(location(at));
                    poll.at = location(at);
                }
                return;
            }
            Hook::RecordPoll {
                scheduled_at,
                started,
                at,
            } => {
                let start = PollStart {
                    scheduled_at: scheduled_at.map(at_ticks),
                    spawn_location: location(at),
                };
                worker.record_poll(start, at_ticks(started), worker.now());
                model.row(Row::of_location(location(at), capacity)).polls += 1;
                return count(model, index, pending, WorkerNumber::PollCount, 1);
            }
            Hook::GroupPoll {
                group: raw,
                inner,
                ticks,
            } => {
                let poll = worker.start_group_poll(group(raw));
                if let Some(inner) = inner {
                    drop(worker.start_group_poll(group(inner)));
                    model.row(Row::of_group(group(inner).location(), capacity)).polls += 1;
                }
                worker.registry().clock().advance_ticks(ticks.into());
                drop(poll);
                model.row(Row::of_group(group(raw).location(), capacity)).polls += 1;
                return;
            }
            Hook::Park => {
                worker.park();
                of_model.events.push(Event::of_state(FlightEventKind::Park));
                count(model, index, pending, WorkerNumber::ParkCount, 1);
                count(model, index, pending, WorkerNumber::ParkUnparkCount, 1);
            }
            Hook::Unpark => {
                worker.unpark();
                of_model.events.push(Event::of_state(FlightEventKind::Unpark));
                count(model, index, pending, WorkerNumber::ParkUnparkCount, 1);
            }
            Hook::Idle => worker.idle(),
            Hook::Tick => worker.tick(),
            Hook::Submit => worker.submit(),
            Hook::StartProcessing => return worker.start_processing_scheduled_tasks(),
            Hook::EndProcessing => return worker.end_processing_scheduled_tasks(),
            Hook::EndBusyAtLastTimestamp => return worker.end_busy_at_last_timestamp(),
            Hook::DiscardLastTimestamp => return worker.discard_last_timestamp(),
            Hook::SetThread(thread) => return worker.set_thread(thread.into()),
            Hook::LocalSchedule => {
                worker.inc_local_schedule_count();
                return count(model, index, pending, WorkerNumber::LocalScheduleCount, 1);
            }
            Hook::Steal(tasks) => {
                worker.inc_steal_count(tasks.into());
                worker.inc_steal_operations();
                count(model, index, pending, WorkerNumber::StealCount, tasks.into());
                return count(model, index, pending, WorkerNumber::StealOperations, 1);
            }
            Hook::Overflow(tasks) => {
                worker.inc_overflow_count(tasks.into());
                count(model, index, pending, WorkerNumber::OverflowTasks, tasks.into());
                return count(model, index, pending, WorkerNumber::OverflowCount, 1);
            }
            Hook::ForcedYield => {
                worker.inc_budget_forced_yield_count();
                return count(model, index, pending, WorkerNumber::BudgetForcedYieldCount, 1);
            }
            Hook::NestedPoll => {
                worker.inc_nested_polls();
                return count(model, index, pending, WorkerNumber::NestedPolls, 1);
            }
            Hook::RootPoll => {
                worker.inc_root_polls();
                return count(model, index, pending, WorkerNumber::RootPolls, 1);
            }
            Hook::StartRootPoll(at) => {
                worker.start_root_poll(location(at));
                *root = Some(location(at));
                return;
            }
            Hook::EndRootPoll => {
                worker.end_root_poll();
                *root = None;
                return count(model, index, pending, WorkerNumber::RootPolls, 1);
            }
            Hook::Spawn(at) => {
                worker.task_spawned_at(location(at));
                return self.spawn(location(at));
            }
            Hook::End(at, how) => {
                if let Some(end) = self.end(location(at), how) {
                    self.workers[place].worker.task_ended_at(location(at), end);
                }
                return;
            }
            Hook::StartGroup(raw) => {
                worker.group_started(group(raw));
                self.group_row(group(raw)).spawned += 1;
                return;
            }
            Hook::EndGroup(raw) => {
                worker.group_ended(group(raw));
                self.group_row(group(raw)).ended += 1;
                return;
            }
            Hook::Release => unreachable!("`apply` releases"),
        }
        // The other hooks have submitted.
        *pending = Counts::default();
    }
}

const fn lag(wake: bool) -> LagKind {
    if wake { LagKind::Wake } else { LagKind::Loop }
}

fn count(model: &mut Model, index: usize, pending: &mut Counts, number: WorkerNumber, n: u64) {
    model.workers.entry(index).or_default().recorded.add(number, n);
    pending.add(number, n);
}

/// Counts a poll that ended. `ended` is `None` if the worker's drop ended it.
fn count_poll(model: &mut Model, index: usize, poll: OpenPoll, ended: Option<Recorded>, capacity: usize) {
    model.row(Row::of_location(poll.at, capacity)).polls += 1;
    let of_model: &mut WorkerModel = model.workers.entry(index).or_default();
    of_model.recorded.add(WorkerNumber::PollCount, 1);
    let duration = ended.map(Recorded::nanos);
    if duration != Some(None) {
        of_model.events.push(Event {
            kind: FlightEventKind::Poll,
            duration: duration.flatten(),
            latency: poll.latency,
            location: poll.at,
        });
    }
}
