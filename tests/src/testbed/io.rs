//! Makes a non-blocking source async.

use core::future::poll_fn;
use core::task::Poll;
use std::io;

use mio::Token;
use mio::event::Source;

use super::driver::{Direction, Waiters};
use super::{Handle, coop};
use std::sync::Arc;

/// A `mio` source (a socket, a pipe) registered with a runtime's I/O driver until it is dropped.
pub struct Async<S: Source> {
    source: S,
    token: Token,
    waiters: Arc<Waiters>,
    handle: Handle,
}

impl<S: Source> Async<S> {
    /// Registers the source.
    ///
    /// # Errors
    /// Returns the errors of the operating system's selector.
    pub fn new(handle: &Handle, mut source: S) -> io::Result<Async<S>> {
        let (token, waiters) = handle.shared().driver.register(&mut source)?;
        Ok(Async {
            source,
            token,
            waiters,
            handle: handle.clone(),
        })
    }

    /// Repeats a read-like operation until it does not block.
    ///
    /// # Errors
    /// Returns the errors of the operation, except `WouldBlock`.
    pub async fn read_with<R>(&self, op: impl FnMut(&S) -> io::Result<R>) -> io::Result<R> {
        self.repeat(Direction::Read, op).await
    }

    /// Repeats a write-like operation until it does not block.
    ///
    /// # Errors
    /// Returns the errors of the operation, except `WouldBlock`.
    pub async fn write_with<R>(&self, op: impl FnMut(&S) -> io::Result<R>) -> io::Result<R> {
        self.repeat(Direction::Write, op).await
    }

    async fn repeat<R>(&self, way: Direction, mut op: impl FnMut(&S) -> io::Result<R>) -> io::Result<R> {
        poll_fn(|cx| {
            std::task::ready!(coop::poll_proceed(cx));
            // The waker is registered first, so that an event between the attempt and the return wakes the task.
            self.waiters.wait(way, cx.waker());
            match op(&self.source) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
                done => Poll::Ready(done),
            }
        })
        .await
    }
}

impl<S: Source> Drop for Async<S> {
    fn drop(&mut self) {
        self.handle
            .shared()
            .driver
            .deregister(&mut self.source, self.token);
    }
}
