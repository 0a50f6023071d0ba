//! A small real work-stealing runtime that calls the hooks of a `Worker`: the worked example for runtime authors.
//!
//! It has what production runtimes have: a LIFO slot before a bounded local queue, a global queue, stealing by searching
//! workers, an I/O driver that idle workers wait in, a blocking pool, cooperative budgets, a way to hand a worker over
//! (`block_in_place`), and a current-thread flavour. It is built on kept parts (`async-task`, `crossbeam-deque`, `mio`).
//!
//! # Where the hooks are
//!
//! ```text
//!            ┌─────────────────────────────── worker thread ────────────────────────────────┐
//!  spawn ───►│ 1 start_processing ─► next task ─► 2 start_poll ─► Future::poll ─► 3 end_poll │
//!  wake  ───►│        ▲                  │ none                                        │     │
//!            │        │                  ▼                                             │     │
//!            │        │          4 end_processing ─► search ─ 5 steal ─► found ────────┘     │
//!            │        │                                │ nothing                             │
//!            │        └──────── 7 unpark ◄─ wait ◄─ 6 park                                   │
//!            └───────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! | | hook | file |
//! |---|---|---|
//! | 1, 4 | `start_processing_scheduled_tasks`, `end_processing_scheduled_tasks` | `multi_thread.rs`, `current_thread.rs` |
//! | 2, 3 | `start_poll`, `end_poll`, `inc_budget_forced_yield_count` | `task.rs` |
//! | 5 | `inc_steal_count`, `inc_steal_operations` | `worker.rs` |
//! | 6, 7 | `park`, `unpark` | `worker.rs` |
//! | | `tick`: a worker that never parks submits too | `worker.rs` |
//! | | `discard_last_timestamp`: another worker was woken between two polls | `worker.rs` |
//! | | `inc_local_schedule_count`, `inc_overflow_count`, `remote_schedule` | `shared.rs`, `worker.rs` |
//! | | `task_spawned`, `task_ended` | `task.rs` |
//! | | `inc_root_polls` | `current_thread.rs` |
//! | | `blocking_started` | `blocking.rs` |
//! | | `io_registered`, `io_deregistered`, `io_ready` | `driver.rs` |
//! | | leasing a slot for the thread | `shared.rs`, called in `context.rs` |
//! | | the probe: depths, computed when a reader queries them | `probe.rs` |

mod blocking;
mod builder;
mod context;
pub mod coop;
mod current_thread;
mod driver;
mod idle;
pub mod io;
mod multi_thread;
mod park;
mod probe;
mod queue;
mod runtime;
mod shared;
mod task;
mod worker;

use std::sync::Arc;

use super::metrics;

pub use blocking::Queued;
pub use builder::Builder;
pub use multi_thread::block_in_place;
pub use runtime::{Flavor, Handle, Runtime};
pub use task::{JoinHandle, Meta};

/// The type by which all parts hold the registry.
type Registry = Arc<metrics::Registry>;
