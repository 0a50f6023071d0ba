//! Spawn sites: a source location as a 32-bit number, small enough for the live record, and back.
//!
//! A program has as many sites as it has places that spawn, so the table only grows to that.

use core::cell::Cell;
use core::panic::Location;
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use metrics_core::{RECORDING, Site};

/// Every site of this process. Two [`Location`]s of one place (a generic function built twice) are one site.
struct Sites {
    numbers: BTreeMap<&'static Location<'static>, u32>,
    locations: Vec<&'static Location<'static>>,
}

static SITES: RwLock<Sites> = RwLock::new(Sites {
    numbers: BTreeMap::new(),
    locations: Vec::new(),
});

/// Lines of the per-thread cache; a power of two.
const CACHE: usize = 64;

thread_local! {
    /// The sites that this thread used last, by address. Needs no destructor, so it can be read for as long as the
    /// thread runs.
    static RECENT: [Cell<(usize, u32)>; CACHE] = const { [const { Cell::new((0, 0)) }; CACHE] };
}

/// The number of this source location: the same for the same place, for as long as the process lives.
///
/// Costs a few nanoseconds once this thread has seen the place, and a lock the first time.
#[inline]
pub fn intern(location: &'static Location<'static>) -> Site {
    if !RECORDING {
        return Site::UNKNOWN;
    }
    let address = core::ptr::from_ref(location).addr();
    RECENT.with(|recent| {
        // Locations are constants of at least eight bytes: the low bits say nothing.
        let line = &recent[(address >> 3) % CACHE];
        let (known, number) = line.get();
        if known == address {
            return Site::from_u32(number);
        }
        let number = number_of(location);
        line.set((address, number));
        Site::from_u32(number)
    })
}

#[cold]
fn number_of(location: &'static Location<'static>) -> u32 {
    let mut sites = SITES.write().unwrap_or_else(PoisonError::into_inner);
    if let Some(&number) = sites.numbers.get(location) {
        return number;
    }
    // Numbers start at 1, zero being `Site::UNKNOWN`. No program has 2^32 places that spawn.
    let Ok(number) = u32::try_from(sites.locations.len() + 1) else {
        return Site::UNKNOWN.as_u32();
    };
    sites.locations.push(location);
    sites.numbers.insert(location, number);
    number
}

/// The source location with this number; `None` for [`Site::UNKNOWN`] and for a number that was never given out here.
pub fn location(site: Site) -> Option<&'static Location<'static>> {
    let index = (site.as_u32() as usize).checked_sub(1)?;
    let sites = SITES.read().unwrap_or_else(PoisonError::into_inner);
    sites.locations.get(index).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn here() -> &'static Location<'static> {
        Location::caller()
    }

    #[test]
    fn a_site_leads_back_to_its_line() {
        let (first, second) = (here(), here());
        assert_ne!(intern(first), Site::UNKNOWN);
        assert_eq!(intern(first), intern(first));
        assert_eq!(
            location(intern(first)).map(|l| (l.file(), l.column())),
            Some((file!(), first.column()))
        );
        assert_ne!(
            intern(first),
            intern(second),
            "two calls on one line differ by their column"
        );
    }

    #[test]
    fn threads_agree() {
        let location = here();
        let numbers: Vec<Site> = (0..4)
            .map(|_| std::thread::spawn(move || intern(location)))
            .map(|t| t.join().unwrap())
            .collect();
        assert!(numbers.iter().all(|&site| site == intern(location)));
    }

    #[test]
    fn an_unknown_number_has_no_location() {
        assert_eq!(location(Site::UNKNOWN), None);
        assert_eq!(location(Site::from_u32(u32::MAX)), None);
    }

    #[test]
    fn more_sites_than_cache_lines_stay_apart() {
        // A call inside a macro has the macro's location, so these are written out.
        let many = [
            [
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
            ],
            [
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
            ],
            [
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
            ],
            [
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
            ],
            [
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
            ],
            [
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
            ],
            [
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
            ],
            [
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
                here(),
            ],
        ]
        .concat();
        assert!(many.len() > CACHE);
        for _ in 0..2 {
            for &place in &many {
                assert_eq!(location(intern(place)), Some(place));
            }
        }
    }
}
