/** A count, or nanoseconds. Null if it is not measured. */
export type Measured = bigint | null;

/** The layout of a histogram's buckets. */
export type HistogramConfig =
  | { linear: { width: bigint; buckets: number } }
  | { power_of_two: { first_bucket: bigint; buckets: number } }
  | { h2: { min: bigint; max: bigint; precision: number } };

/** A histogram of durations in nanoseconds. `buckets` has a pair of index and count for each bucket that is not empty. */
export interface Histogram {
  config: HistogramConfig;
  count: bigint;
  sum: bigint;
  min: bigint | null;
  max: bigint | null;
  buckets: [number, bigint][];
}

/** Which polls a histogram samples: none, every poll, or one in `one_in`. */
export type Sampling = "off" | "every" | { one_in: number };

/** A histogram, its sampling, and the number of polls while it was on, sampled or not. */
export interface HistogramReading {
  sampling: Sampling;
  polls: bigint;
  histogram: Histogram;
}

/** The metrics of a worker, or of all workers together. */
export interface Measurements {
  numbers: WorkerNumbers;
  mean_poll_time: Measured;
  poll_time: HistogramReading | null;
  schedule_latency: HistogramReading | null;
}

export interface Worker {
  /** Its index. */
  worker: number;
  state: "idle" | "parked" | "searching" | "running" | "polling" | null;
  /** How long it has been in this state. */
  since: Measured;
  /** The spawn location of the task that it polls: a number, and file, line and column. */
  spawn_location: number;
  spawn_location_name: string;
  busy_in_progress: Measured;
  thread: Measured;
  thread_name: string;
  /** Set if the last read failed: how old these values are. */
  stale: { age: Measured } | null;
  /** Whether no read of it has succeeded yet. All its numbers are null then. */
  missing: boolean;
  measurements: Measurements;
}

/** The metrics of the tasks of one spawn location, or of the futures of one group, on all workers together. */
export interface Location {
  /**
   * One location or explicit name, the tasks of an unknown location, all locations beyond the capacity, a group such as the requests of
   * a route, or all groups beyond the capacity. The polls of a group are parts of polls that the other kinds count.
   */
  kind: "location" | "unknown" | "other" | "group" | "other_groups";
  location: number;
  /** File and line, the explicit name, or the name of the group. */
  name: string;
  spawned: bigint;
  ended: bigint;
  poll_count: bigint;
  poll_time: Measured;
  longest_poll: Measured;
  /** The measured polls in 12 buckets: each is four times as wide as the one before, from 1024 ns. */
  poll_time_buckets: bigint[];
  measured_latencies: bigint;
  schedule_latency: Measured;
  longest_schedule_latency: Measured;
  /** The polls that were stalls. Null until a watchdog counts them. */
  stall_count: Measured;
  /** The alive tasks by what they are doing. Null without a census. */
  queued: Measured;
  polling: Measured;
  waiting: Measured;
  /** The waiting tasks that nobody can wake. */
  unwakeable: Measured;
  longest_wait: Measured;
}

/** Spawns and ends of the tasks whose polls are measured. */
export interface TaskCounts {
  spawned: bigint;
  completed: bigint;
  cancelled: bigint;
  panicked: bigint;
}

/** The metrics of the event loop. */
export interface EventLoop {
  /** How long tasks of 50 ms and more took. Null if the browser does not report them. */
  long_task_time: Histogram | null;
  /** How long after its request an animation frame came. Null unless the option `frames` is set and the host has frames. */
  frame_delay: Histogram | null;
  /** How long the event loop was busy since the watch began. Null in browsers, which do not measure it. */
  loop_busy_duration_total: Measured;
}

/** `T` as JSON has it: each 64-bit integer is a decimal string. */
export type Json<T> = T extends bigint
  ? string
  : T extends readonly unknown[]
    ? { [K in keyof T]: Json<T[K]> }
    : T extends object
      ? { [K in keyof T as K extends "toJSON" ? never : K]: Json<T[K]> }
      : T;

/** A snapshot as JSON has it, as a server writes it, and as `snapshot().toJSON()` returns it. */
export type SnapshotJson = Json<Snapshot>;

/** An interval as JSON has it. */
export type IntervalJson = Json<Interval>;

/** The options of `new RuntimeMetrics()`. All but `frames` must be passed before the thread's first measured task. */
export interface RuntimeMetricsOptions {
  /** The name of the runtime. The default is "main". */
  name?: string;
  /** The layout of the histogram of poll times. Null: no such histogram. */
  poll_time?: HistogramConfig | null;
  /** The layout of the histogram of schedule latencies. Null: no such histogram. */
  schedule_latency?: HistogramConfig | null;
  /** Which polls the histogram of poll times samples. The default is "every". */
  poll_time_sampling?: Sampling;
  /** Which polls the histogram of schedule latencies samples. The default is "every". */
  schedule_latency_sampling?: Sampling;
  /** For how many spawn locations to keep metrics. All others share an entry. The default is 0: none. */
  locations?: number;
  /** How many of the last polls and parks to keep for `trace()` and `blame()`. The default is 0: none. */
  flight_recorder?: number;
  /** Polls that are shorter than this many milliseconds and follow each other are one event. The default is 0.01, but at least two steps of the clock. */
  flight_recorder_threshold?: number;
  /** The period in milliseconds of the timer that watches the event loop. The default is 50. */
  period?: number;
  /** Whether to measure the delay of animation frames. The page then draws every frame, which costs power. */
  frames?: boolean;
}

/** A method that a copy such as `{ ...snapshot }` does not have: TypeScript leaves only the methods of classes out of its type. */
declare abstract class SnapshotToJson {
  /** The same with a decimal string for each 64-bit integer. Unlike the snapshot, a copy of it can be passed to `JSON.stringify`. */
  toJSON(): SnapshotJson;
}
/** A method that a copy such as `{ ...interval }` does not have. */
declare abstract class IntervalToJson {
  /** The same with a decimal string for each 64-bit integer. Unlike the interval, a copy of it can be passed to `JSON.stringify`. */
  toJSON(): IntervalJson;
}

/**
 * The metrics of a runtime at one moment. `JSON.stringify` writes its 64-bit integers as decimal strings, as servers do. It throws for a
 * copy such as `{ ...snapshot }`, which has `BigInt`s and no `toJSON()`: copy `snapshot.toJSON()`.
 */
export interface Snapshot extends RuntimeNumbers, SnapshotToJson {
  schema: number;
  name: string;
  epoch: bigint;
  started_at: Measured;
  uptime: Measured;
  /** Null if it is not known. */
  num_workers: number | null;
  tasks: TaskCounts | null;
  blocking_queue_wait: Histogram | null;
  poll_stall_duration: Histogram | null;
  no_progress_stall_duration: Histogram | null;
  queue_stall_duration: Histogram | null;
  /** How late a repeating timer fired. Null until the event loop is watched; it remains when the watch ends. */
  loop_lag: Histogram | null;
  wake_latency: Histogram | null;
  total: Measurements;
  workers: Worker[];
  /** Polls by threads that are not workers of the runtime. */
  external: Worker | null;
  /** Null if the runtime keeps no metrics per spawn location. */
  locations: Location[] | null;
  /** How often a task has woken itself during its own poll. */
  self_wake_count: Measured;
  /** Null if the event loop is not watched. */
  event_loop: EventLoop | null;
}

/** The bounds of an interval's smallest or largest sample. */
export interface Bounds {
  lower: bigint;
  upper: bigint;
}

/** The samples that an interval added to a histogram. */
export interface HistogramInterval {
  config: HistogramConfig;
  count: bigint;
  sum: bigint;
  min: Bounds | null;
  max: Bounds | null;
  buckets: [number, bigint][];
}

/** What an interval added to the metrics of a worker, or of all workers together. */
export interface WorkerInterval {
  worker: number;
  /** Why its numbers are all null. */
  error: "not_earlier" | "missing" | null;
  /** Busy time over elapsed time, from 0 to 1. */
  utilization: number | null;
  numbers: WorkerNumbers;
  poll_time: HistogramInterval | null;
  schedule_latency: HistogramInterval | null;
}

/** What was added between two snapshots. */
export interface Interval extends IntervalToJson {
  schema: number;
  /** The time between the two snapshots. */
  wall: Measured;
  tasks: TaskCounts | null;
  blocking_queue_wait: HistogramInterval | null;
  poll_stall_duration: HistogramInterval | null;
  no_progress_stall_duration: HistogramInterval | null;
  queue_stall_duration: HistogramInterval | null;
  loop_lag: HistogramInterval | null;
  wake_latency: HistogramInterval | null;
  total: WorkerInterval;
  workers: WorkerInterval[];
  self_wake_count: Measured;
  /** Null unless one watch of the event loop made both snapshots. */
  event_loop: {
    utilization: number | null;
    long_task_time: HistogramInterval | null;
    frame_delay: HistogramInterval | null;
    loop_busy_duration_total: Measured;
  } | null;
}

export type HistogramName = "poll_time" | "schedule_latency" | "loop_lag" | "long_task_time" | "frame_delay";

/** A quantile in nanoseconds. The true value is between the bounds. */
export interface Quantile {
  lower: bigint;
  upper: bigint;
  estimate: bigint;
}

/** Which polls made other tasks wait. */
export interface BlameReport {
  /** The time from the first recorded event to now. Null without an event. */
  span: Measured;
  /** Whether only some polls were recorded, because polls are sampled. */
  is_sampled: boolean;
  rows: BlameRow[];
}

/** How long the tasks of one spawn location waited because of one culprit. */
export interface BlameRow {
  /** The spawn location of the tasks that waited. */
  victim: string;
  /** The spawn location whose polls ran, short polls of several locations, no poll, or a time before the first event. */
  culprit: { polls: string } | "short_polls" | "no_poll" | "not_recorded";
  /** The sum over the tasks that waited. */
  waited: bigint;
}

/** A time during which one piece of work kept the thread busy. Times are milliseconds of `performance.now()`. */
export interface Stall {
  start: number;
  duration: number;
  /**
   * One measured poll, a turn of many short measured polls, a long task that the browser reported, or a late timer. With a timer, the
   * stall may have been longer.
   */
  source: "poll" | "turn" | "longtask" | "probe";
  /** How much of it measured polls took. */
  measured: number;
  /** Where the task was spawned whose poll was the longest: file, line and column. Null if no measured poll ran. */
  spawn_location: string | null;
  /** The script that ran longest during a long task. Null for other stalls, and if the browser has not reported the frame in time. */
  script: StallScript | null;
}

/** A script that the browser ran during a stall. */
export interface StallScript {
  /** The path of its file, without the origin and the query. Empty if the browser does not report it. */
  source: string;
  /** The function that the browser called. Empty if it has no name. */
  function: string;
  /** The position of that function in the file, in characters. Null if the browser does not report it. */
  position: number | null;
  /** The cause of the call, such as `BUTTON#buy.onclick` or `TimerHandler:setTimeout`. */
  invoker: string;
  /** In milliseconds. */
  duration: number;
}

/** A histogram in a summary, in milliseconds. */
export interface SummaryQuantiles {
  count: number;
  p50_ms: number;
  p99_ms: number;
  max_ms: number;
}

/** The most important numbers, for a beacon. A histogram without samples is null. */
export interface Summary {
  name: string;
  uptime_ms: number | null;
  polls: number | null;
  utilization: number | null;
  alive_tasks: number | null;
  panicked_tasks: number | null;
  /** Polls that were stalls, while a callback of `onStall` was registered. */
  poll_stalls: number | null;
  poll_time: SummaryQuantiles | null;
  schedule_latency: SummaryQuantiles | null;
  loop_lag: SummaryQuantiles | null;
  long_task_time: SummaryQuantiles | null;
  frame_delay: SummaryQuantiles | null;
}
