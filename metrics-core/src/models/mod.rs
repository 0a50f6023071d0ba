//! Models: loom runs every interleaving, and every value that a weak memory may show, of a few steps of each protocol.
//!
//! `RUSTFLAGS="--cfg metrics_core_loom" cargo test -p metrics-core --features alloc --profile loom --lib models`, and once
//! more with `--cfg metrics_core_halves`, where a submitted 64-bit number is two 32-bit halves, as on 32-bit PowerPC
//! and on microcontrollers.
//!
//! loom keeps a short history of each atomic and explores a bounded number of preemptions, so a model compiles the same
//! protocol source over a small slot. Where the steps are few enough it uses the real [`Worker`](crate::Worker).

mod flight;
mod lease;
mod live_record;
mod locations;
mod sequence_count;
mod shared_records;
mod submit;
mod task_counts;
mod wake_stamp;
mod worker_submit;

use crate::sync::Model;

/// Explores `model` with up to this many preemptions of running threads.
///
/// Musuvathi and Qadeer, "Iterative context bounding for systematic testing of multithreaded programs" (PLDI 2007), found
/// that most concurrency bugs show with two.
fn explore(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Model::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

/// A value whose two words differ from those of every other value, so that a torn value equals none of them.
const fn whole(n: u64) -> u64 {
    n << 32 | n
}
