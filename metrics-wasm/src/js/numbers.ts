// Made from `metrics_core::METRICS` by `cargo xtask tidy --fix`.

/** The numbers of a worker, or their sums over all workers. */
export interface WorkerNumbers {
  /** Time the worker was neither parked nor searching for work; includes queue handling between polls. */
  busy_duration_total: Measured;
  /** Times the worker parked: it blocked until there was work. */
  park_count: Measured;
  /** Parks and unparks together: odd means parked. */
  park_unpark_count: Measured;
  /** Parks with no poll since the previous park. The first park of a new worker does not count. */
  noop_count: Measured;
  /** Polls of spawned tasks, however the task reached the worker. */
  poll_count: Measured;
  /** Tasks taken from other workers' queues. */
  steal_count: Measured;
  /** Successful steals, of one or more tasks each. */
  steal_operations: Measured;
  /** Tasks scheduled from the worker onto its own queue. */
  local_schedule_count: Measured;
  /** Overflows of the local queue into the global one: operations, not tasks. */
  overflow_count: Measured;
  /** Tasks that overflows moved to the global queue. */
  overflow_tasks: Measured;
  /** Polls that returned pending because their cooperative budget was spent. */
  budget_forced_yield_count: Measured;
  /** Polls of the runtime's root future, counted apart from the polls of spawned tasks. */
  root_polls: Measured;
  /** Polls of measured futures inside measured tasks, counted apart from the polls of spawned tasks. */
  nested_polls: Measured;
  /** Time the worker was parked; includes the time in progress. */
  parked_duration_total: Measured;
  /** Time the worker was awake and not busy: it searched for work or turned the driver; absent if that looks like running. */
  searching_duration_total: Measured;
  /** Time the worker was in polls of spawned tasks; absent once a poll was not measured. */
  polling_duration_total: Measured;
  /** Time the worker was busy outside polls of spawned tasks, mainly with its queues; absent once a poll was not measured. */
  running_duration_total: Measured;
  /** Time the operating system ran the worker's threads on a processor; only on Linux. */
  on_cpu_duration_total: Measured;
  /** Time the worker's threads were ready to run and waited for a processor; only on Linux. */
  runnable_wait_duration_total: Measured;
  /** Tasks in the worker's local queue, its LIFO slot included. */
  local_queue_depth: Measured;
}

/** The numbers of a runtime as a whole. */
export interface RuntimeNumbers {
  /** Tasks accepted by the runtime; under Tokio, of those that were spawned through the spawner. */
  spawned_tasks_count: Measured;
  /** Alive tasks whose polls are measured. */
  covered_tasks: Measured;
  /** Tasks that were spawned and have not ended, whether they are measured or not. */
  num_alive_tasks: Measured;
  /** Tasks whose future returned ready; under Tokio, of those that were spawned through the spawner. */
  completed_tasks_count: Measured;
  /** Tasks dropped before they were done; under Tokio, of those that were spawned through the spawner. */
  cancelled_tasks_count: Measured;
  /** Tasks that panicked; under Tokio, of those that were spawned through the spawner. */
  panicked_tasks_count: Measured;
  /** Tasks in the queue that all workers share. */
  global_queue_depth: Measured;
  /** Tasks scheduled onto the global queue from outside a worker. */
  remote_schedule_count: Measured;
  /** Workers that are parked: they wait for work. */
  num_parked_workers: Measured;
  /** Threads of the blocking pool. */
  num_blocking_threads: Measured;
  /** Threads of the blocking pool that wait for work. */
  num_idle_blocking_threads: Measured;
  /** Closures waiting for a thread of the blocking pool. */
  blocking_queue_depth: Measured;
  /** Registrations with the I/O driver; absent without a driver. */
  io_driver_fd_registered_count: Measured;
  /** Deregistrations from the I/O driver; absent without a driver. */
  io_driver_fd_deregistered_count: Measured;
  /** Readiness events from the I/O driver; absent without a driver. */
  io_driver_ready_count: Measured;
  /** Polls that lasted at least the threshold of the runtime's watchdog; absent until one watches. */
  poll_stall_count: Measured;
  /** Times that a worker was awake without progress for the threshold of the watchdog; absent if that can't be detected. */
  no_progress_stall_count: Measured;
  /** Times that workers ran short polls and none turned the driver for the threshold of the watchdog; absent until a timer probe runs. */
  queue_stall_count: Measured;
  /** Whether the runtime is overloaded: 1 once delays have stayed above the target for an interval, until an interval passes without shedding; otherwise 0; absent until a watch runs. */
  overload: Measured;
  /** Time that threads of the process's cgroup were throttled: they had used up its CPU quota; only on Linux. */
  cpu_throttled_duration_total: Measured;
  /** Periods in which the process's cgroup used up its CPU quota; only on Linux. */
  cpu_throttled_count: Measured;
}
