//! An independent count: every future that the demo spawns is wrapped in a witness, which counts its polls and times
//! them with the operating system's clock. It shares no code with the metrics that it is compared with.

use pin_project_lite::pin_project;
use portable_atomic::{AtomicU64, Ordering};
use serde::Serialize;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Counts the polls of the futures passed to [`watch`](Self::watch). Clones share the counts.
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

/// The time during which a handler blocked its worker, in nanoseconds since the demo started, by the handler's own clock readings.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Block {
    pub(crate) began_nanos: u64,
    pub(crate) ended_nanos: u64,
}

/// The counts of a [`Witness`].
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Testimony {
    /// The wrapped futures: the tasks that the demo spawned.
    pub(crate) tasks: u64,
    /// Calls of their `poll`.
    pub(crate) polls: u64,
    /// The slowest of those calls, in nanoseconds.
    pub(crate) slowest_poll_nanos: u64,
    /// Every time that a handler blocked its worker.
    pub(crate) blocks: Vec<Block>,
}

impl Witness {
    /// Creates a witness of a demo that started at `start`.
    pub(crate) fn new(start: Instant) -> Self {
        Self(Arc::new(Tally {
            start,
            polls: AtomicU64::new(0),
            slowest_nanos: AtomicU64::new(0),
            tasks: AtomicU64::new(0),
            blocks: Mutex::default(),
        }))
    }

    /// Runs `work`, which blocks its worker, and stores its start and end.
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
        // Ordering: relaxed: no other data depends on these counts. A reader that needs exact counts joins the threads first.
        self.0.tasks.fetch_add(1, Ordering::Relaxed);
        Watched {
            future,
            tally: Arc::clone(&self.0),
        }
    }

    /// Returns the counts so far. They are exact when every watched task is idle.
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
