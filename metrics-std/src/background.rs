//! Ends background threads within a bounded time.

use core::convert::Infallible;
use core::fmt;
use core::time::Duration;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread::ThreadId;

use crate::os;

/// How long dropping a guard waits for its threads to end.
pub(crate) const DROP_TIMEOUT: Duration = Duration::from_millis(100);

/// Waits for detached threads. They are detached because joining one could block without end.
pub(crate) struct Threads {
    /// Disconnected once all threads have ended. Never locked: the mutex makes it [`Sync`].
    ended: Mutex<Receiver<Infallible>>,
    /// A thread that runs the user's code, which may be the one that ends the threads.
    callback: Option<ThreadId>,
    /// The process in which the threads run.
    process: u32,
}

/// A thread holds it while it runs, and so does a task.
#[derive(Clone)]
pub(crate) struct RunningThread {
    _ended: Sender<Infallible>,
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads").finish_non_exhaustive()
    }
}

impl Threads {
    pub(crate) fn new() -> (Self, RunningThread) {
        let (running, ended) = mpsc::channel();
        let threads = Self {
            ended: Mutex::new(ended),
            callback: None,
            process: os::process_id(),
        };
        (threads, RunningThread { _ended: running })
    }

    pub(crate) fn set_callback(&mut self, thread: ThreadId) {
        self.callback = Some(thread);
    }

    /// Returns whether this process is a forked child, which does not have its parent's threads.
    pub(crate) fn are_of_parent(&self) -> bool {
        self.process != os::process_id()
    }

    /// Returns whether this thread runs the user's code.
    pub(crate) fn is_callback(&self) -> bool {
        self.callback == Some(std::thread::current().id())
    }

    /// Drops `stop`, which makes the threads end, and waits for them up to `timeout`.
    pub(crate) fn end<S>(self, stop: S, timeout: Duration) -> Result<(), ShutdownTimeout> {
        if self.are_of_parent() {
            // In a forked child, a thread that no longer exists may have locked the channels.
            core::mem::forget((self, stop));
            return Ok(());
        }
        drop(stop);
        // A thread can't wait for its own end.
        if self.is_callback() {
            return Ok(());
        }
        let ended = self.ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        match ended.recv_timeout(timeout) {
            Err(RecvTimeoutError::Timeout) => Err(ShutdownTimeout { timeout }),
            _ => Ok(()),
        }
    }
}

/// The threads behind a guard. They end when `S` is dropped.
pub(crate) struct Background<S>(Option<(S, Threads)>);

impl<S> Background<S> {
    pub(crate) const NONE: Self = Self(None);

    pub(crate) const fn new(stop: S, threads: Threads) -> Self {
        Self(Some((stop, threads)))
    }

    /// Ends the threads and waits for them up to `timeout`. A second call does nothing.
    pub(crate) fn end(&mut self, timeout: Duration) -> Result<(), ShutdownTimeout> {
        match self.0.take() {
            Some((stop, threads)) => threads.end(stop, timeout),
            None => Ok(()),
        }
    }
}

/// The error of `shutdown`: a thread or a task was still running after the timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownTimeout {
    /// The timeout that was passed to `shutdown`.
    pub timeout: Duration,
}

impl fmt::Display for ShutdownTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a callback, request or task was still running after {:?}: the shutdown completes when it returns, so it must not wait for \
             the thread that calls `shutdown`",
            self.timeout
        )
    }
}

impl core::error::Error for ShutdownTimeout {}
