//! Numbers for what a slot can't hold: spawn sites and threads. A reader gets file, line and name back.

use core::panic::Location;
use std::sync::Mutex;
use std::thread::{Thread, ThreadId};

use super::metrics::Site;

/// The places in the source that spawned tasks on this runtime.
#[derive(Default)]
pub(super) struct Sites(Mutex<Vec<&'static Location<'static>>>);

impl Sites {
    /// The number of a place, the same each time.
    pub(super) fn intern(&self, place: &'static Location<'static>) -> Site {
        let mut places = self.0.lock().unwrap();
        let at = places
            .iter()
            .position(|known| *known == place)
            .unwrap_or_else(|| {
                places.push(place);
                places.len() - 1
            });
        // Zero is `Site::UNKNOWN`.
        Site::from_u32(u32::try_from(at + 1).unwrap_or(0))
    }

    /// The place behind a number.
    pub(super) fn get(&self, site: Site) -> Option<&'static Location<'static>> {
        let at = usize::try_from(site.as_u32()).ok()?.checked_sub(1)?;
        self.0.lock().unwrap().get(at).copied()
    }
}

/// The threads that have run workers of this runtime.
#[derive(Default)]
pub(super) struct Names(Mutex<Vec<(ThreadId, Option<String>)>>);

impl Names {
    /// The number of a thread, the same each time.
    pub(super) fn number_of(&self, thread: &Thread) -> u64 {
        let mut threads = self.0.lock().unwrap();
        let at = threads
            .iter()
            .position(|(id, _)| *id == thread.id())
            .unwrap_or_else(|| {
                threads.push((thread.id(), thread.name().map(str::to_owned)));
                threads.len() - 1
            });
        // Zero is "no thread".
        at as u64 + 1
    }

    /// The name of the thread with that number, if it has one.
    pub(super) fn get(&self, number: u64) -> Option<String> {
        let at = usize::try_from(number).ok()?.checked_sub(1)?;
        self.0.lock().unwrap().get(at)?.1.clone()
    }
}
