//! [`GroupId`]: the number of a group of futures.

use crate::live::LocationId;

/// Identifies a group of futures, such as the requests of one route. The adapter assigns the number.
///
/// Groups and spawn locations share one sequence of numbers, because a live record and a row of the table contain either.
/// [`Probe::is_group`](crate::Probe::is_group) distinguishes them. The hooks of groups take this type, so that a group can't be
/// counted in the row of a spawn location.
///
/// ```
/// use metrics_core::{GroupId, LocationId};
///
/// let location = LocationId::from_u32(7);
/// assert_eq!(GroupId::from_location(location).location(), location);
/// ```
///
/// A spawn location is not accepted where a group is expected:
///
#[cfg_attr(feature = "alloc", doc = "```compile_fail,E0308")]
#[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
/// # use metrics_core::{HeapStorage, LocationId, Registry};
/// fn start<T>(registry: &Registry<HeapStorage, T>) {
///     registry.shared().group_started(LocationId::from_u32(7));
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct GroupId(LocationId);

impl GroupId {
    /// Creates the identifier of the group that has this number in live records and in the table of locations.
    pub const fn from_location(location: LocationId) -> Self {
        Self(location)
    }

    /// Returns the group's number in live records and in the table of locations.
    pub const fn location(self) -> LocationId {
        self.0
    }
}
