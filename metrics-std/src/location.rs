//! Interns spawn locations: maps a source location or an explicit name to a 32-bit number, which fits in the live record, and maps the
//! number back.
//!
//! The table has one entry per place in the program that spawns, and one per name up to [`MAX_NAMES`], so its size is bounded.

use core::fmt;
use core::panic::Location;
use std::collections::BTreeMap;
use std::sync::{OnceLock, PoisonError, RwLock};

#[cfg(feature = "axum")]
use metrics_core::GroupId;
use metrics_core::{LocationId, RECORDING, short_path};
use portable_atomic::{AtomicU32, AtomicUsize, Ordering};

/// All interned locations of this process. [`Location`]s with equal file and line have one number, such as those of a generic function
/// that is instantiated twice.
struct Locations {
    /// The number of each location, by its file and line.
    lines: BTreeMap<(&'static str, u32), u32>,
    names: BTreeMap<&'static str, u32>,
    #[cfg_attr(
        not(feature = "axum"),
        allow(dead_code, reason = "only routes of axum are groups")
    )]
    groups: BTreeMap<&'static str, u32>,
    places: Vec<Place>,
}

/// The meaning of a number.
#[derive(Clone, Copy)]
enum Place {
    Source(&'static Location<'static>),
    Name(&'static str),
    #[cfg_attr(
        not(feature = "axum"),
        allow(dead_code, reason = "only routes of axum are groups")
    )]
    Group(&'static str),
}

/// The number of explicit names that a process keeps. All further names share one number, which is named `other names`.
pub const MAX_NAMES: usize = 1_024;

static LOCATIONS: RwLock<Locations> = RwLock::new(Locations::new());

/// Hash tables keyed by address, which every thread reads without a lock. Each table is twice as large as the one before. Entries are
/// added under the lock of [`LOCATIONS`] and never change.
static TABLES: [Table; 20] = [const { Table::new() }; 20];

/// Number of entries of the first table, a power of two.
const FIRST: usize = 256;

/// An open-addressing table that is at most half full.
struct Table {
    entries: OnceLock<Box<[Entry]>>,
    used: AtomicUsize,
}

/// The address of a location, or zero if the entry is empty, and its number.
struct Entry {
    address: AtomicUsize,
    number: AtomicU32,
}

impl Table {
    const fn new() -> Self {
        Self {
            entries: OnceLock::new(),
            used: AtomicUsize::new(0),
        }
    }

    /// Iterates once over all entries, starting at the one that `address` hashes to. `entries.len()` is a power of two.
    #[inline]
    fn probe(entries: &[Entry], address: usize) -> impl Iterator<Item = &Entry> {
        // Locations lie next to each other in memory: the high bits of the product spread them over the table.
        let hash = (address as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let start = (hash >> 32) as usize & (entries.len() - 1);
        entries[start..].iter().chain(&entries[..start])
    }

    /// Returns the number of the location at `address`.
    #[inline]
    fn find(entries: &[Entry], address: usize) -> Option<u32> {
        for entry in Self::probe(entries, address) {
            // Ordering: acquire, pairs with the release in `insert`: the number of this address is visible.
            match entry.address.load(Ordering::Acquire) {
                0 => return None,
                found if found == address => return Some(entry.number.load(Ordering::Relaxed)),
                _ => {}
            }
        }
        None
    }

    /// Adds a location unless the table is half full, and returns whether it was added. The caller holds the lock, so there is one writer.
    fn insert(&self, size: usize, address: usize, number: u32) -> bool {
        let entries = self.entries.get_or_init(|| {
            let entry = || Entry {
                address: AtomicUsize::new(0),
                number: AtomicU32::new(0),
            };
            (0..size).map(|_| entry()).collect()
        });
        // Ordering: relaxed, here and below: only the holder of the lock accesses it.
        let used = self.used.load(Ordering::Relaxed);
        if used >= size / 2 {
            return false;
        }
        for entry in Self::probe(entries, address) {
            if entry.address.load(Ordering::Relaxed) == 0 {
                entry.number.store(number, Ordering::Relaxed);
                // Ordering: release, pairs with the acquire in `find`.
                entry.address.store(address, Ordering::Release);
                self.used.store(used + 1, Ordering::Relaxed);
                return true;
            }
        }
        false
    }
}

/// Returns the number of a source location, which stays the same until the process ends. Locations that differ only in their column have
/// one number, because a location is written as its file and line.
///
/// The first call for a location takes a lock. Later calls, from any thread, take a few nanoseconds, however many locations there are.
#[inline]
pub fn intern(location: &'static Location<'static>) -> LocationId {
    if !RECORDING {
        return LocationId::UNKNOWN;
    }
    let address = core::ptr::from_ref(location).addr();
    for table in &TABLES {
        let Some(entries) = table.entries.get() else {
            break;
        };
        if let Some(number) = Table::find(entries, address) {
            return LocationId::from_u32(number);
        }
    }
    LocationId::from_u32(add(location))
}

impl Locations {
    const fn new() -> Self {
        Self {
            lines: BTreeMap::new(),
            names: BTreeMap::new(),
            groups: BTreeMap::new(),
            places: Vec::new(),
        }
    }

    /// Returns the number of a group. Returns `None` if the group is to be added.
    #[cfg(feature = "axum")]
    fn group(&self, name: &str) -> Option<LocationId> {
        match self.groups.get(name) {
            Some(&number) => Some(LocationId::from_u32(number)),
            None => (self.groups.len() >= MAX_NAMES).then_some(OTHER_GROUPS),
        }
    }

    /// Adds a place and returns its number. Numbers start at 1, because zero is [`LocationId::UNKNOWN`].
    fn push(&mut self, place: Place) -> u32 {
        // No program has 2^32 places that spawn.
        let Ok(number) = u32::try_from(self.places.len() + 1) else {
            return LocationId::UNKNOWN.as_u32();
        };
        self.places.push(place);
        number
    }
}

/// Returns the number of an explicit name, which stays the same until the process ends. Snapshots show tasks with this number under the
/// name, whatever their source location.
///
/// Each call takes a lock, so call it once per name and keep the number. The first [`MAX_NAMES`] names of the process have numbers of
/// their own. They are never freed: use names that the program fixes, such as those of routes, and not values of a request.
///
/// Two names are reserved, because exporters use them for all tasks without a location and for all further locations: `unknown` returns
/// [`LocationId::UNKNOWN`], and `other` stands for `other names`.
///
/// ```
/// use metrics_std::location::{intern_name, name};
///
/// let resize = intern_name("resize image");
/// assert_eq!(intern_name("resize image"), resize);
/// # #[cfg(feature = "record")]
/// assert_eq!(name(resize), Some("resize image"));
/// ```
pub fn intern_name(name: &str) -> LocationId {
    if !RECORDING {
        return LocationId::UNKNOWN;
    }
    let mut name = match name {
        "unknown" => return LocationId::UNKNOWN,
        "other" => OTHER_NAMES,
        name => name,
    };
    let mut known = LOCATIONS.write().unwrap_or_else(PoisonError::into_inner);
    if !known.names.contains_key(name) && known.names.len() >= MAX_NAMES {
        name = OTHER_NAMES;
    }
    if let Some(&number) = known.names.get(name) {
        return LocationId::from_u32(number);
    }
    let name: &'static str = Box::leak(name.into());
    let number = known.push(Place::Name(name));
    known.names.insert(name, number);
    LocationId::from_u32(number)
}

const OTHER_NAMES: &str = "other names";

/// Returns the number of a group, such as the template of a route, which stays the same until the process ends. The first [`MAX_NAMES`]
/// groups have numbers of their own.
#[cfg(feature = "axum")]
pub(crate) fn intern_group(name: &str) -> GroupId {
    GroupId::from_location(if RECORDING {
        intern_group_in(&LOCATIONS, name)
    } else {
        LocationId::UNKNOWN
    })
}

#[cfg(feature = "axum")]
fn intern_group_in(locations: &RwLock<Locations>, name: &str) -> LocationId {
    let known = locations.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(group) = known.group(name) {
        return group;
    }
    drop(known);
    let mut known = locations.write().unwrap_or_else(PoisonError::into_inner);
    // Another thread may have added it before this thread acquired the lock.
    if let Some(group) = known.group(name) {
        return group;
    }
    let name: &'static str = Box::leak(name.into());
    let number = known.push(Place::Group(name));
    known.groups.insert(name, number);
    LocationId::from_u32(number)
}

/// The number of all further groups. It is beyond the capacity of every table.
const OTHER_GROUPS: LocationId = LocationId::from_u32(ROOT - 1);

/// Returns whether the number is that of a group of futures, such as the requests of one route, and not that of a spawn location.
pub fn is_group(location: LocationId) -> bool {
    location == OTHER_GROUPS || matches!(place(location), Some(Place::Group(_)))
}

/// Returns the explicit name with this number. Returns `None` if the number is that of a source location, or is not assigned.
pub fn name(location: LocationId) -> Option<&'static str> {
    match place(location)? {
        Place::Name(name) => Some(name),
        Place::Source(_) | Place::Group(_) => None,
    }
}

fn place(location: LocationId) -> Option<Place> {
    let index = (location.as_u32() & !ROOT).checked_sub(1)?;
    let known = LOCATIONS.read().unwrap_or_else(PoisonError::into_inner);
    known.places.get(index as usize).copied()
}

/// Writes an explicit name, or a file and line without the directories of the machine that compiled it. Returns `None` if this process
/// has not assigned the number.
pub(crate) fn write(location: LocationId, out: &mut dyn fmt::Write) -> Option<fmt::Result> {
    if location == OTHER_GROUPS {
        return Some(out.write_str("other groups"));
    }
    let root = if is_root(location) { "root future at " } else { "" };
    Some(match place(location)? {
        Place::Source(location) => {
            write!(out, "{root}{}:{}", short_path(location.file()), location.line())
        }
        Place::Name(name) | Place::Group(name) => out.write_str(name),
    })
}

#[cold]
fn add(location: &'static Location<'static>) -> u32 {
    let mut known = LOCATIONS.write().unwrap_or_else(PoisonError::into_inner);
    let line = (short_path(location.file()), location.line());
    let number = if let Some(&number) = known.lines.get(&line) {
        number
    } else {
        let number = known.push(Place::Source(location));
        known.lines.insert(line, number);
        number
    };
    let address = core::ptr::from_ref(location).addr();
    for (size, table) in TABLES.iter().enumerate().map(|(n, table)| (FIRST << n, table)) {
        // Another thread may have added it before this thread acquired the lock.
        let entries = table.entries.get();
        let known = entries.and_then(|entries| Table::find(entries, address));
        if known.is_some() || table.insert(size, address, number) {
            break;
        }
    }
    number
}

/// Set in the numbers of root futures. No program has 2^31 places that spawn.
const ROOT: u32 = 1 << 31;

/// Returns the number of a source location at which a root future is wrapped.
pub(crate) fn intern_root(location: &'static Location<'static>) -> LocationId {
    match intern(location) {
        LocationId::UNKNOWN => LocationId::UNKNOWN,
        number => LocationId::from_u32(number.as_u32() | ROOT),
    }
}

/// Returns whether the number is that of a root future (`block_on`), and not of a task.
pub fn is_root(spawn_location: LocationId) -> bool {
    spawn_location.as_u32() & ROOT != 0
}

/// Returns the source location with this number: where the task was spawned, or the root future wrapped. Returns `None` for
/// [`LocationId::UNKNOWN`], for explicit names, for groups and for numbers that this process has not assigned. Of the locations of one line, it is
/// the first that was interned.
pub fn resolve(spawn_location: LocationId) -> Option<&'static Location<'static>> {
    match place(spawn_location)? {
        Place::Source(location) => Some(location),
        Place::Name(_) | Place::Group(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;
    use std::sync::mpsc;

    #[track_caller]
    fn here() -> &'static Location<'static> {
        Location::caller()
    }

    /// An equal location at another address, as in another instantiation of a generic function.
    fn copy(location: &'static Location<'static>) -> &'static Location<'static> {
        Box::leak(Box::new(*location))
    }

    #[test]
    fn a_number_resolves_to_its_line() {
        let first = here();
        let second = here();
        assert_ne!(intern(first), LocationId::UNKNOWN);
        assert_eq!(intern(first), intern(first));
        assert_eq!(resolve(intern(first)), Some(first));
        assert_ne!(intern(first), intern(second));
    }

    #[test]
    fn a_root_future_has_a_number_of_its_own() {
        let place = here();
        let (task, root) = (intern(place), intern_root(place));
        assert_ne!(task, root);
        assert_eq!((is_root(task), is_root(root)), (false, true));
        assert_eq!(resolve(root), Some(place));
        assert!(!is_root(LocationId::UNKNOWN));
    }

    #[test]
    fn threads_agree() {
        let location = here();
        let numbers: Vec<LocationId> = (0..4)
            .map(|_| std::thread::spawn(move || intern(location)))
            .map(|t| t.join().unwrap())
            .collect();
        assert!(numbers.iter().all(|&number| number == intern(location)));
    }

    #[test]
    fn a_name_has_one_number_that_is_no_source_location() {
        let number = intern_name("resize");
        assert_eq!(intern_name("resize"), number);
        assert_ne!(intern_name("crop"), number);
        assert_eq!((name(number), resolve(number)), (Some("resize"), None));
        let here = intern(here());
        assert_eq!((name(here), name(LocationId::UNKNOWN)), (None, None));
    }

    #[cfg(feature = "axum")]
    #[test]
    fn groups_beyond_the_limit_share_a_number_and_take_no_exclusive_lock() {
        static GROUPS: RwLock<Locations> = RwLock::new(Locations::new());
        let intern = |n: usize| intern_group_in(&GROUPS, &n.to_string());
        let numbers: Vec<_> = (0..MAX_NAMES).map(intern).collect();
        let other_readers = GROUPS.read().unwrap();
        let (found, receiver) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            for n in [MAX_NAMES, MAX_NAMES - 1] {
                found.send(intern(n)).unwrap();
            }
        });
        for expected in [OTHER_GROUPS, numbers[MAX_NAMES - 1]] {
            assert_eq!(receiver.recv_timeout(Duration::from_secs(20)), Ok(expected));
        }
        drop(other_readers);
        thread.join().unwrap();
    }

    #[test]
    fn the_group_of_all_further_groups_has_a_name() {
        let mut text = String::new();
        assert_eq!(write(OTHER_GROUPS, &mut text), Some(Ok(())));
        assert_eq!(text, "other groups");
    }

    #[test]
    fn an_unknown_number_has_no_location() {
        assert_eq!(resolve(LocationId::UNKNOWN), None);
        assert_eq!(resolve(LocationId::from_u32(u32::MAX)), None);
    }

    #[test]
    fn a_place_has_one_number_at_every_address() {
        let first = here();
        let places = [first, here()];
        // More than the first tables hold.
        let copies: Vec<_> = (0..2_000).map(|n| copy(places[n % 2])).collect();
        for _ in 0..2 {
            for (n, location) in copies.iter().enumerate() {
                assert_eq!(resolve(intern(location)), Some(places[n % 2]));
                assert_eq!(intern(location), intern(places[n % 2]));
            }
        }
    }

    #[test]
    fn a_location_seen_before_is_found_without_the_lock() {
        let place = here();
        // So many that two of them would share a line in a cache of any fixed number of lines.
        let copies: Vec<_> = (0..1_000).map(|_| copy(place)).collect();
        let (interned, ready) = mpsc::channel();
        let (go, may_go) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let numbers = || copies.iter().map(|location| intern(location)).collect::<Vec<_>>();
            interned.send(numbers()).unwrap();
            may_go.recv().unwrap();
            interned.send(numbers()).unwrap();
        });
        let first = ready.recv().unwrap();
        let lock = LOCATIONS.write().unwrap_or_else(PoisonError::into_inner);
        go.send(()).unwrap();
        let second = ready.recv_timeout(Duration::from_secs(20));
        drop(lock);
        assert!(second == Ok(first), "the second lookup waits for the lock");
        thread.join().unwrap();
    }
}
