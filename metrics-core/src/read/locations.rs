//! The rows of all workers, summed per spawn location and per group.

use crate::live::LocationId;
use crate::locations::{LocationCensus, LocationRow, LocationValues, row_index, rows_of};
use crate::probe::Probe;
use crate::record::StallKind;
use crate::registry::Registry;
use crate::slot::read_with_retries;
use crate::snapshot::{LocationKind, LocationSnapshot, Snapshot};
use crate::storage::HeapStorage;
use crate::storage::sealed::Sealed;
use crate::time::TimeSource;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// Updates the locations of `to`, which holds the previous snapshot.
pub(super) fn read_locations<T: TimeSource>(
    to: &mut Snapshot<HeapStorage>,
    registry: &Registry<HeapStorage, T>,
    probe: &impl Probe,
) {
    let capacity = registry.info.locations;
    if capacity == 0 {
        return;
    }
    let census = read_census(registry, probe);
    let is_watched = registry.shared.host.stalls.get(StallKind::Poll).is_some();
    let locations = to.locations.get_or_insert_default();
    // The locations of the previous snapshot before this position have been updated.
    let mut place = 0;
    for index in 0..rows_of(capacity) {
        let location = LocationId::from_u32(index as u32);
        let kind = match index {
            0 => LocationKind::Unknown,
            index if index <= capacity => LocationKind::Location,
            index if index == capacity + 1 => LocationKind::Other,
            _ => LocationKind::OtherGroups,
        };
        let key = LocationSnapshot::<HeapStorage>::key_of(kind, location);
        let is_known = locations.get(place).is_some_and(|known| known.key() == key);
        let tasks = census.as_ref().and_then(|census| census.get(index)).copied();
        let is_alive = tasks.is_some_and(|tasks| !tasks.is_empty());
        let Some(row) = read_row(index, registry, probe, is_known || is_alive) else {
            place += usize::from(is_known);
            continue;
        };
        if !is_known {
            locations.insert(place, name(kind, location, probe));
        }
        if let Some(known) = locations.get_mut(place) {
            (known.spawned, known.ended, known.values) = (row.spawned, row.ended, row.values);
            known.stalls = row.stalls.filter(|_| is_watched);
            known.census = tasks.filter(|_| !known.is_group());
        }
        place += 1;
    }
}

/// Counts the alive tasks of each row by what they are doing. `None` without a census.
fn read_census<T: TimeSource>(
    registry: &Registry<HeapStorage, T>,
    probe: &impl Probe,
) -> Option<Vec<LocationCensus>> {
    if !registry.info.census {
        return None;
    }
    let mut rows = vec![LocationCensus::default(); rows_of(registry.info.locations)];
    let now = registry.now();
    let is_kept = probe.census(&mut |location, task| {
        let index = row_index(&rows, location);
        if let Some(row) = rows.get_mut(index) {
            row.add(task, |since| registry.info.scale.nanos(now, since));
        }
    });
    is_kept.then_some(rows)
}

/// The sum of one row over all workers.
struct RowSum {
    spawned: u64,
    ended: u64,
    values: LocationValues,
    stalls: Option<u64>,
}

/// Reads one row of every worker. Returns `None` if a row was being written during every attempt, or if nothing was ever
/// recorded and the row is not to be in the snapshot.
fn read_row<T>(
    index: usize,
    registry: &Registry<HeapStorage, T>,
    probe: &impl Probe,
    is_present: bool,
) -> Option<RowSum> {
    let rows = || {
        registry
            .storage
            .slots()
            .filter_map(move |slot| slot.locations.get()?.at(index))
    };
    let shared = registry.shared.host.locations.get(index);
    // All ends before all spawns, so that the spawn of each counted end is counted too.
    let ended = shared.and_then(|row| row.ended.load_acquire()).unwrap_or(0);
    let ended = rows().map(LocationRow::load_ended).fold(ended, u64::wrapping_add);
    let spawned = shared.and_then(|row| row.spawned.load_acquire()).unwrap_or(0);
    let spawned = rows()
        .map(LocationRow::load_spawned)
        .fold(spawned, u64::wrapping_add);
    let mut values = LocationValues::default();
    for row in rows().filter(|row| !row.is_unused()) {
        values.add(&read_with_retries(
            || row.try_read(),
            |attempt| probe.relax(attempt),
        )?);
    }
    let stalls = shared.and_then(|row| row.stalls.load_acquire());
    // A runtime may count a spawn after another thread has counted the task's end.
    let spawned = spawned.max(ended);
    (is_present || spawned != 0 || values.polls != 0).then_some(RowSum {
        spawned,
        ended,
        values,
        stalls,
    })
}

/// Creates the entry of a location, without values.
fn name(kind: LocationKind, location: LocationId, probe: &impl Probe) -> LocationSnapshot<HeapStorage> {
    let mut name = String::new();
    let (kind, location) = match kind {
        LocationKind::Location if probe.is_group(location) => (LocationKind::Group, location),
        LocationKind::Location => (kind, location),
        _ => (kind, LocationId::UNKNOWN),
    };
    if location != LocationId::UNKNOWN {
        // Writing to a string can't fail.
        let _ = probe.write_location(location, &mut name);
    }
    LocationSnapshot {
        kind,
        location,
        name,
        spawned: 0,
        ended: 0,
        values: LocationValues::default(),
        stalls: None,
        census: None,
    }
}
