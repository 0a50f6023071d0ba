// From two snapshots to one sample of every plot.

import { interval, merge } from "./histogram.js";

const number = (value) => (value === null || value === undefined ? null : Number(value));

/** The difference of two counters as a number, or `null` where either is not measured. Counters pass 2^53, differences don't. */
function grown(later, earlier) {
  if (later === null || later === undefined || earlier === null || earlier === undefined) return null;
  return Number(BigInt(later) - BigInt(earlier));
}

const sum = (values) => {
  const known = values.filter((value) => value !== null && value !== undefined);
  return known.length === 0 ? null : known.reduce((total, value) => total + value, 0);
};

const over = (value, seconds) => (value === null ? null : value / seconds);

/**
 * One sample from `earlier` to `later`, both `{ snapshot, at }` with `at` in milliseconds of the page's clock; `null` if they
 * are of different producers or no time passed between them.
 */
export function toSample(earlier, later) {
  const [before, after] = [earlier.snapshot, later.snapshot];
  if (before.epoch !== after.epoch || before.name !== after.name) return null;
  const elapsed = grown(after.taken_at, before.taken_at);
  const nanos = elapsed ?? (later.at - earlier.at) * 1e6;
  if (!(nanos > 0)) return null;
  const seconds = nanos / 1e9;
  const workers = after.workers.map((worker) => toWorker(worker, before.workers.find((one) => one.worker === worker.worker), after, seconds));
  const histogram = (of) => interval(merge(after.workers.map(of)), merge(before.workers.map(of)));
  const { runtime } = after;
  const loop = after.event_loop;
  return {
    start: earlier.at,
    end: later.at,
    workers,
    busy: mean(workers.map((worker) => worker.busy)),
    polls: sum(workers.map((worker) => worker.polls)),
    pollCount: sum(after.workers.map((worker) => number(worker.poll_count))),
    pollTime: histogram((worker) => worker.poll_time),
    latency: histogram((worker) => worker.schedule_latency),
    lag: loop ? interval(loop.loop_lag, before.event_loop?.loop_lag) : null,
    loopBusy: loop ? over(grown(loop.busy_duration_total, before.event_loop?.busy_duration_total), nanos) : null,
    localQueue: sum(workers.map((worker) => worker.queue)),
    globalQueue: number(runtime.global_queue_depth),
    blockingQueue: number(runtime.blocking_queue_depth),
    alive: number(runtime.num_alive_tasks),
  };
}

function mean(values) {
  const total = sum(values);
  return total === null ? null : total / values.filter((value) => value !== null).length;
}

const SAY = { idle: "Not started", parked: "Parked", searching: "Searching", running: "Running", polling: "Polling" };

function toWorker(worker, before, snapshot, seconds) {
  const { live } = worker;
  const polling = live?.state === "polling";
  const held = polling ? grown(snapshot.taken_at, live.since) : null;
  // Settled time, and the poll going on from one snapshot to the next; both never pass the interval.
  const settled = grown(worker.busy_duration_total, before?.busy_duration_total);
  const progress = settled === null ? null : (number(worker.busy_in_progress) ?? 0) - (number(before.busy_in_progress) ?? 0);
  const site = live?.site ?? null;
  return {
    index: worker.worker,
    name: worker.thread?.name ? `${worker.worker} ${worker.thread.name}` : String(worker.worker),
    busy: settled === null ? null : Math.min(1, Math.max(0, (settled + progress) / (seconds * 1e9))),
    polls: over(grown(worker.poll_count, before?.poll_count), seconds),
    parks: over(grown(worker.park_count, before?.park_count), seconds),
    steals: over(grown(worker.steal_count, before?.steal_count), seconds),
    mean: number(worker.mean_poll_time),
    queue: number(worker.local_queue_depth),
    site,
    pollNumber: live?.poll_number ?? 0,
    heldMs: held === null ? 0 : held / 1e6,
    now: polling && site ? `Polling ${site}` : (SAY[live?.state] ?? "–"),
  };
}
