//! The independent count: every future that the demo spawns is wrapped in one of these, which counts its polls and times
//! them with the operating system's clock. It shares nothing with the metrics it is compared with.

use pin_project_lite::pin_project;
use portable_atomic::{AtomicU64, Ordering};
use serde::Serialize;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Counts the polls of the futures given to [`watch`](Self::watch). Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Witness(Arc<Tally>);

#[derive(Debug)]
struct Tally {
    start: Instant,
    polls: AtomicU64,
    slowest_nanos: AtomicU64,
    tasks: AtomicU64,
    blocks: Mutex<Vec<Block>>,
}

/// When a handler blocked its worker, in nanoseconds since the demo started, by its own readings of the clock.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Block {
    pub(crate) began_nanos: u64,
    pub(crate) ended_nanos: u64,
}

/// What a [`Witness`] has seen.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Testimony {
    /// Futures that were wrapped: the tasks that the demo spawned.
    pub(crate) tasks: u64,
    /// Calls of their `poll`.
    pub(crate) polls: u64,
    /// The slowest of those calls, in nanoseconds.
    pub(crate) slowest_poll_nanos: u64,
    /// Every time that a handler blocked its worker.
    pub(crate) blocks: Vec<Block>,
}

impl Witness {
    /// A witness that has seen nothing yet, of a demo that started at `start`.
    pub(crate) fn new(start: Instant) -> Self {
        Self(Arc::new(Tally {
            start,
            polls: AtomicU64::new(0),
            slowest_nanos: AtomicU64::new(0),
            tasks: AtomicU64::new(0),
            blocks: Mutex::default(),
        }))
    }

    /// Runs `work`, which blocks its worker, and remembers when that was.
    pub(crate) fn blocking(&self, work: impl FnOnce()) {
        let began_nanos = nanos(self.0.start.elapsed());
        work();
        let ended_nanos = nanos(self.0.start.elapsed());
        let mut blocks = self.0.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.push(Block {
            began_nanos,
            ended_nanos,
        });
    }

    /// Counts and times every poll of `future`.
    pub(crate) fn watch<F: Future>(&self, future: F) -> Watched<F> {
        // Ordering: these are counts that stand for themselves; a reader that wants them exact joins the threads first.
        self.0.tasks.fetch_add(1, Ordering::Relaxed);
        Watched {
            future,
            tally: Arc::clone(&self.0),
        }
    }

    /// What was seen so far. Exact once every watched task is idle.
    pub(crate) fn testify(&self) -> Testimony {
        // Ordering: see `watch`.
        Testimony {
            tasks: self.0.tasks.load(Ordering::Relaxed),
            polls: self.0.polls.load(Ordering::Relaxed),
            slowest_poll_nanos: self.0.slowest_nanos.load(Ordering::Relaxed),
            blocks: self
                .0
                .blocks
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        }
    }
}

pin_project! {
    /// A future whose polls are counted and timed.
    pub(crate) struct Watched<F> {
        #[pin]
        future: F,
        tally: Arc<Tally>,
    }
}

impl<F: Future> Future for Watched<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let started = Instant::now();
        let answer = this.future.poll(context);
        let nanos = nanos(started.elapsed());
        // Ordering: see `watch`.
        this.tally.polls.fetch_add(1, Ordering::Relaxed);
        this.tally.slowest_nanos.fetch_max(nanos, Ordering::Relaxed);
        answer
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
