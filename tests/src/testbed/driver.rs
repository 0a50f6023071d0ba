//! The I/O driver: one `mio::Poll` in which one idle worker waits.

use core::task::Waker;
use core::time::Duration;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use mio::event::Source;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use super::Registry;

/// Not a key of the slab.
const WAKE: Token = Token(usize::MAX);

/// The driver that all workers share.
pub(super) struct Driver {
    turn: Mutex<Turn>,
    registry: mio::Registry,
    waker: mio::Waker,
    sources: Mutex<Slab<Arc<Waiters>>>,
    metrics: Registry,
}

/// The state needed to wait for events. One worker holds it at a time.
pub(super) struct Turn {
    poll: Poll,
    events: Events,
}

/// The wakers that wait for one source.
#[derive(Default)]
pub(super) struct Waiters {
    reader: Mutex<Option<Waker>>,
    writer: Mutex<Option<Waker>>,
}

/// The two kinds of readiness.
#[derive(Clone, Copy)]
pub(super) enum Direction {
    Read,
    Write,
}

impl Driver {
    pub(super) fn new(metrics: Registry) -> io::Result<Driver> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let waker = mio::Waker::new(&registry, WAKE)?;
        let turn = Mutex::new(Turn {
            poll,
            events: Events::with_capacity(256),
        });
        Ok(Driver {
            turn,
            registry,
            waker,
            sources: Mutex::new(Slab::new()),
            metrics,
        })
    }

    /// Returns the permission to wait, if no other worker has it.
    pub(super) fn try_lock(&self) -> Option<MutexGuard<'_, Turn>> {
        self.turn.try_lock().ok()
    }

    /// Handles what is ready, without waiting. A no-op while another worker waits here.
    pub(super) fn turn_now(&self) {
        if let Some(mut turn) = self.try_lock() {
            turn.run(self, Some(Duration::ZERO));
        }
    }

    /// Ends the wait of the worker that is in the driver.
    pub(super) fn wake(&self) {
        // A full pipe also wakes the worker. Other errors can't be reported here.
        let _ = self.waker.wake();
    }

    pub(super) fn register(&self, source: &mut impl Source) -> io::Result<(Token, Arc<Waiters>)> {
        let waiters = Arc::new(Waiters::default());
        let key = self.sources.lock().unwrap().insert(Arc::clone(&waiters));
        let token = Token(key);
        if let Err(error) = self
            .registry
            .register(source, token, Interest::READABLE | Interest::WRITABLE)
        {
            self.sources.lock().unwrap().remove(key);
            return Err(error);
        }
        self.metrics.shared().io_registered();
        Ok((token, waiters))
    }

    pub(super) fn deregister(&self, source: &mut impl Source, token: Token) {
        // The source is dropped whether or not the selector still knows it.
        let _ = self.registry.deregister(source);
        self.sources.lock().unwrap().remove(token.0);
        self.metrics.shared().io_deregistered();
    }
}

impl Turn {
    /// Waits for events for at most `timeout` and wakes the tasks they are for.
    pub(super) fn run(&mut self, driver: &Driver, timeout: Option<Duration>) {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                panic!("the selector failed: {error}")
            }
            _ => {}
        }
        let mut ready = 0;
        for event in &self.events {
            if event.token() == WAKE {
                continue;
            }
            // A source that was deregistered after the selector reported it is no longer in the slab.
            let waiters = driver.sources.lock().unwrap().get(event.token().0).cloned();
            let Some(waiters) = waiters else { continue };
            ready += 1;
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                waiters.wake(Direction::Read);
            }
            if event.is_writable() || event.is_write_closed() || event.is_error() {
                waiters.wake(Direction::Write);
            }
        }
        if ready > 0 {
            driver.metrics.shared().io_ready(ready);
        }
    }
}

impl Waiters {
    fn slot(&self, direction: Direction) -> &Mutex<Option<Waker>> {
        match direction {
            Direction::Read => &self.reader,
            Direction::Write => &self.writer,
        }
    }

    pub(super) fn wait(&self, direction: Direction, waker: &Waker) {
        *self.slot(direction).lock().unwrap() = Some(waker.clone());
    }

    fn wake(&self, direction: Direction) {
        let waker = self.slot(direction).lock().unwrap().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
