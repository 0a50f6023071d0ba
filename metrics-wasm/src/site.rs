//! Spawn sites: a source location as a number, small enough for the live record, and back.

use core::cell::RefCell;
use core::fmt;
use core::panic::Location;
use metrics_core::Site;

thread_local! {
    /// Every site that this thread spawned at. A program has as many as it has places that spawn, and a page runs on one
    /// thread, so looking through them costs less than hashing.
    static SITES: RefCell<Vec<&'static Location<'static>>> = const { RefCell::new(Vec::new()) };
}

/// The number of this place, the same for as long as the thread lives.
pub(crate) fn intern(location: &'static Location<'static>) -> Site {
    SITES.with_borrow_mut(|sites| {
        // By address first: two copies of one place (a generic function built twice) differ there and are still equal.
        let known = sites
            .iter()
            .position(|site| core::ptr::eq(*site, location))
            .or_else(|| sites.iter().position(|site| *site == location));
        let index = known.unwrap_or_else(|| {
            sites.push(location);
            sites.len() - 1
        });
        u32::try_from(index + 1).map_or(Site::UNKNOWN, Site::from_u32)
    })
}

/// The place with this number; `None` for [`Site::UNKNOWN`] and for a number that this thread never gave out.
pub fn location(site: Site) -> Option<&'static Location<'static>> {
    let index = (site.as_u32() as usize).checked_sub(1)?;
    SITES.with_borrow(|sites| sites.get(index).copied())
}

/// Writes file, line and column; nothing for a site that is not known.
pub(crate) fn write(site: Site, out: &mut dyn fmt::Write) -> fmt::Result {
    location(site).map_or(Ok(()), |location| write!(out, "{location}"))
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
    fn a_site_leads_back_to_its_line() {
        let (first, second) = (here(), here());
        assert_ne!(intern(first), Site::UNKNOWN);
        assert_eq!(intern(first), intern(first));
        assert_ne!(
            intern(first),
            intern(second),
            "two calls on one line differ by their column"
        );
        assert_eq!(
            location(intern(second)).map(Location::column),
            Some(second.column())
        );
    }

    #[test]
    fn an_unknown_number_has_no_location() {
        assert_eq!(location(Site::UNKNOWN), None);
        assert_eq!(location(Site::from_u32(u32::MAX)), None);
    }
}
