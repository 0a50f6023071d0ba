//! Spawn locations: maps a source location to a 32-bit number, which fits in the live record, and maps the number back.

use core::cell::RefCell;
use core::fmt;
use core::panic::Location;
use metrics_core::{LocationId, short_path};

thread_local! {
    /// Every location where this thread has spawned a measured future. A program has few of them and a page has one thread, so
    /// a linear search costs less than a hash.
    static LOCATIONS: RefCell<Vec<&'static Location<'static>>> = const { RefCell::new(Vec::new()) };
}

/// Returns the number of this location on this thread. It never changes.
pub(crate) fn intern(location: &'static Location<'static>) -> LocationId {
    LOCATIONS.with_borrow_mut(|locations| {
        // By address first. Two instances of a generic function have two addresses for one location.
        let known = locations
            .iter()
            .position(|known| core::ptr::eq(*known, location))
            .or_else(|| locations.iter().position(|known| *known == location));
        let index = known.unwrap_or_else(|| {
            locations.push(location);
            locations.len() - 1
        });
        u32::try_from(index + 1).map_or(LocationId::UNKNOWN, LocationId::from_u32)
    })
}

/// Returns the source location with this number on this thread. Returns `None` for [`LocationId::UNKNOWN`] and for a number that another
/// thread or another registry assigned.
pub fn resolve(spawn_location: LocationId) -> Option<&'static Location<'static>> {
    let index = (spawn_location.as_u32() as usize).checked_sub(1)?;
    LOCATIONS.with_borrow(|locations| locations.get(index).copied())
}

/// Writes file, line and column, or nothing for an unknown location. The file is written without the directories of the machine that
/// compiled it.
pub(crate) fn write(spawn_location: LocationId, out: &mut dyn fmt::Write) -> fmt::Result {
    resolve(spawn_location).map_or(Ok(()), |location| {
        let (file, line, column) = (short_path(location.file()), location.line(), location.column());
        write!(out, "{file}:{line}:{column}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[track_caller]
    fn here() -> &'static Location<'static> {
        Location::caller()
    }

    #[test]
    fn a_location_resolves_to_its_line_and_column() {
        let (first, second) = (here(), here());
        assert_ne!(intern(first), LocationId::UNKNOWN);
        assert_eq!(intern(first), intern(first));
        assert_ne!(
            intern(first),
            intern(second),
            "two calls on one line differ by their column"
        );
        assert_eq!(
            resolve(intern(second)).map(Location::column),
            Some(second.column())
        );
    }

    #[test]
    fn an_unknown_number_resolves_to_none() {
        assert_eq!(resolve(LocationId::UNKNOWN), None);
        assert_eq!(resolve(LocationId::from_u32(u32::MAX)), None);
    }
}
