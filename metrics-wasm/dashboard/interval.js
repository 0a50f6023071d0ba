// Makes one sample of every plot from two snapshots.

import { interval } from "./histogram.js";

const number = (value) => (value === null || value === undefined ? null : Number(value));

/** The difference of two counters, or `null` if one is not measured. Counters may exceed 2^53; differences don't. */
function grown(later, earlier) {
  if (later === null || later === undefined || earlier === null || earlier === undefined) return null;
  return Number(BigInt(later) - BigInt(earlier));
}

/** With more workers, the busiest come first. */
const MOST_IN_PLACE = 8;

const sum = (values) => {
  const known = values.filter((value) => value !== null && value !== undefined);
  return known.length === 0 ? null : known.reduce((total, value) => total + value, 0);
};

/**
 * The sample from `earlier` to `later`. Both are `{ snapshot, at }`, where `at` is milliseconds of the page's clock. Returns `null` if
 * the snapshots are of different runtimes, or if no time passed between them.
 */
export function toSample(earlier, later) {
  const [before, after] = [earlier.snapshot, later.snapshot];
  if (["epoch", "started_at", "name"].some((key) => before[key] !== after[key])) return null;
  const nanos = grown(after.uptime, before.uptime) ?? (later.at - earlier.at) * 1e6;
  if (!(nanos > 0)) return null;
  const workers = after.workers.map((worker) => toWorker(worker, before.workers.find((one) => one.worker === worker.worker), nanos));
  // Few workers keep their places, where each is easy to follow.
  if (workers.length > MOST_IN_PLACE) workers.sort((one, other) => (other.busy ?? 0) - (one.busy ?? 0) || one.index - other.index);
  const loop = [after.event_loop, before.event_loop];
  return {
    start: earlier.at,
    end: later.at,
    workers,
    busy: utilization(before, after, nanos, workers),
    polls: rate(after.total.numbers.poll_count, before.total.numbers.poll_count, nanos),
    pollCount: number(after.total.numbers.poll_count),
    pollTime: interval(after.total.poll_time?.histogram, before.total.poll_time?.histogram),
    latency: interval(after.total.schedule_latency?.histogram, before.total.schedule_latency?.histogram),
    lag: interval(after.loop_lag, before.loop_lag),
    wake: interval(after.wake_latency, before.wake_latency),
    loopBusy: ratio(grown(loop[0]?.loop_busy_duration_total, loop[1]?.loop_busy_duration_total), nanos),
    localQueue: sum(workers.map((worker) => worker.queue)),
    globalQueue: number(after.global_queue_depth),
    blockingQueue: number(after.blocking_queue_depth),
    alive: number(after.num_alive_tasks),
    hotSpots: toHotSpots(before, after, nanos, (location) => !isGroup(location)),
    groups: toGroups(before, after, nanos),
    overload: number(after.overload),
    throttled: rate(after.cpu_throttled_duration_total, before.cpu_throttled_duration_total, nanos),
    blame: toBlame(after),
    // Counted by the runtime's own watchdog. That of an event loop reports each stall to this page instead.
    stalls: after.event_loop ? null : sum([after.poll_stall_count, after.no_progress_stall_count, after.queue_stall_count].map(number)),
  };
}

/** The waits of tasks and what they waited for, longest first, or `null` without a flight recorder. */
function toBlame({ blame }) {
  if (!blame) return null;
  const named = (location) => location || "unknown location";
  const others = {
    short_polls: "Short polls",
    no_poll: "No recorded poll",
    not_recorded: "Before the first recorded event",
  };
  return blame.rows.map(({ victim, culprit, waited }) => ({
    victim: named(victim),
    culprit: others[culprit] ?? named(culprit.polls),
    waited: number(waited),
  }));
}

/** The spawn locations that were polled, hottest first, or `null` if the runtime keeps no metrics per location. */
function toHotSpots(before, after, nanos, isListed) {
  if (!after.locations) return null;
  const key = (location) => `${location.kind} ${location.location}`;
  const earlier = new Map((before.locations ?? []).map((location) => [key(location), location]));
  const busy = grown(after.total.numbers.busy_duration_total, before.total.numbers.busy_duration_total);
  const spots = after.locations.filter(isListed).map((location) => {
    const { poll_count: polls, poll_time: time, schedule_latency: waited } = earlier.get(key(location)) ?? {};
    // What was not measured before has grown from zero.
    const polled = grown(location.poll_time, time ?? 0);
    const waiting = grown(location.schedule_latency, waited ?? 0);
    return {
      name: location.name,
      polled: polled ?? 0,
      polls: rate(location.poll_count, polls ?? 0, nanos),
      busy: polled === null || !(busy > 0) ? null : ratio(polled, busy),
      slowest: number(location.longest_poll),
      waited: waiting === null ? null : (waiting / nanos) * 1e9,
      longestLatency: number(location.longest_schedule_latency),
      alive: Number(BigInt(location.spawned) - BigInt(location.ended)),
      stalls: number(location.stall_count),
      queued: number(location.queued),
      waiting: number(location.waiting),
      unwakeable: number(location.unwakeable),
    };
  });
  // Those with tasks that nobody can wake come first: such tasks are not polled any more.
  const order = (one, other) => (other.unwakeable ?? 0) - (one.unwakeable ?? 0) || other.polled - one.polled;
  return spots.filter((spot) => spot.polls > 0 || spot.unwakeable > 0).sort(order);
}

const isGroup = ({ kind }) => kind === "group" || kind === "other_groups";

/** The groups of futures that were polled, hottest first, or `null` if there are none. */
function toGroups(before, after, nanos) {
  return after.locations?.some(isGroup) ? toHotSpots(before, after, nanos, isGroup) : null;
}

const ratio = (part, whole) => (part === null ? null : Math.min(1, Math.max(0, part / whole)));

function rate(later, earlier, nanos) {
  const difference = grown(later, earlier);
  return difference === null ? null : (difference / nanos) * 1e9;
}

/**
 * As `WorkerInterval::utilization` defines it: the busy time of all workers over the elapsed time of as many as the runtime has; with that
 * of polls in progress which the busy time of an attached runtime lacks.
 */
function utilization(before, after, nanos, workers) {
  const busy = grown(after.total.numbers.busy_duration_total, before.total.numbers.busy_duration_total);
  const count = after.num_workers ?? after.workers.length;
  if (busy === null || !(count > 0)) return null;
  return ratio(busy + workers.reduce((sum, worker) => sum + worker.lacking, 0), nanos * count);
}

const SAY = { idle: "Not started", parked: "Parked", searching: "Searching", running: "Running", polling: "Polling" };

function toWorker(worker, before, nanos) {
  const { numbers, mean_poll_time: meanPoll } = worker.measurements;
  const earlier = before?.measurements.numbers ?? {};
  const per = (name) => rate(numbers[name], earlier[name], nanos);
  const busy = grown(numbers.busy_duration_total, earlier.busy_duration_total);
  const polling = worker.state === "polling";
  const held = polling ? (number(worker.since) ?? 0) : 0;
  const lacking = Math.max(0, Math.min(held, nanos) - (busy ?? 0));
  return {
    index: worker.worker,
    name: worker.thread_name ? `${worker.worker} (${worker.thread_name})` : String(worker.worker),
    busy: busy === null ? null : ratio(busy + lacking, nanos),
    // The part of a poll in progress that is not in its busy time yet.
    lacking,
    polls: per("poll_count"),
    parks: per("park_count"),
    steals: per("steal_count"),
    mean: number(meanPoll),
    queue: number(numbers.local_queue_depth),
    onCpu: ratio(grown(numbers.on_cpu_duration_total, earlier.on_cpu_duration_total), nanos),
    waitsForCpu: ratio(grown(numbers.runnable_wait_duration_total, earlier.runnable_wait_duration_total), nanos),
    spawn_location: worker.spawn_location_name,
    // Unchanged while a poll lasts, so it identifies the poll.
    polled: numbers.poll_count,
    heldMs: held / 1e6,
    now: polling && worker.spawn_location_name ? `Polling ${worker.spawn_location_name}` : (SAY[worker.state] ?? "–"),
  };
}
