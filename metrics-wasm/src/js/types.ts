/** Nanoseconds, a count, or null where the host does not measure the thing. */
export type Measured = bigint | null;

/** Which values share a bucket. */
export type HistogramConfig =
  | { linear: { width: bigint; buckets: number } }
  | { power_of_two: { first_bucket: bigint; buckets: number } }
  | { h2: { min: bigint; max: bigint; precision: number } };

/** Samples in nanoseconds; `buckets` are pairs of index and count of those that hold any. */
export interface Histogram {
  config: HistogramConfig;
  count: bigint;
  sum: bigint;
  min: bigint | null;
  max: bigint | null;
  buckets: [number, bigint][];
}

/** "off", "every", or one poll in so many. */
export type Sampling = "off" | "every" | { one_in: number };

/** A histogram, how it was switched, and how many polls there were beside those it measured. */
export interface HistogramReading {
  sampling: Sampling;
  polls: bigint;
  histogram: Histogram;
}

export interface Measurements {
  numbers: WorkerNumbers;
  mean_poll_time: Measured;
  poll_time: HistogramReading | null;
  schedule_latency: HistogramReading | null;
}

export interface Worker {
  worker: number;
  state: "idle" | "parked" | "searching" | "running" | "polling" | null;
  since: Measured;
  spawn_location: number;
  spawn_location_name: string;
  busy_in_progress: Measured;
  thread: Measured;
  thread_name: string;
  stale: { age: Measured } | null;
  /** No reading of it has succeeded: all its numbers are null. */
  missing: boolean;
  measurements: Measurements;
}

/** Spawns and ends of the tasks whose polls are measured. */
export interface TaskCounts {
  spawned: bigint;
  completed: bigint;
  cancelled: bigint;
  panicked: bigint;
}

/** What the event loop itself was seen to do. */
export interface EventLoop {
  loop_lag: Histogram;
  long_task_time: Histogram | null;
  loop_busy_duration_total: bigint;
}

/** A runtime at one moment. `JSON.stringify` gives the form that servers send, 64-bit integers as decimal strings. */
export interface Snapshot extends RuntimeNumbers {
  schema: number;
  name: string;
  epoch: bigint;
  started_at: Measured;
  uptime: Measured;
  num_workers: number;
  tasks: TaskCounts | null;
  blocking_queue_wait: Histogram | null;
  total: Measurements;
  workers: Worker[];
  /** Polls by threads that are not workers of the runtime. */
  external: Worker | null;
  self_wake_count: bigint;
  event_loop: EventLoop | null;
}

/** What an interval knows of its smallest or largest sample. */
export interface Bounds {
  lower: bigint;
  upper: bigint;
}

/** The samples of an interval alone. */
export interface HistogramInterval {
  config: HistogramConfig;
  count: bigint;
  sum: bigint;
  min: Bounds | null;
  max: Bounds | null;
  buckets: [number, bigint][];
}

export interface WorkerInterval {
  worker: number;
  /** Why its numbers are all null. */
  error: "not_earlier" | "missing" | null;
  busy_ratio: number | null;
  numbers: WorkerNumbers;
  poll_time: HistogramInterval | null;
  schedule_latency: HistogramInterval | null;
}

/** What happened between two snapshots. */
export interface Interval {
  schema: number;
  wall: Measured;
  tasks: TaskCounts | null;
  blocking_queue_wait: HistogramInterval | null;
  total: WorkerInterval;
  workers: WorkerInterval[];
  self_wake_count: bigint;
  event_loop: {
    busy_ratio: number | null;
    loop_lag: HistogramInterval;
    long_task_time: HistogramInterval | null;
    loop_busy_duration_total: bigint;
  } | null;
}

export type HistogramName = "poll_time" | "schedule_latency" | "loop_lag" | "long_task_time";

/** Nanoseconds. The true quantile lies between the bounds. */
export interface Quantile {
  lower: bigint;
  upper: bigint;
  estimate: bigint;
}

/** The thread was held. Milliseconds of `performance.now()`; a stall that only a probe saw may have been longer. */
export interface Stall {
  start: number;
  duration: number;
  source: "poll" | "longtask" | "probe";
  spawn_location: string | null;
}
