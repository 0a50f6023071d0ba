//! The flight recorder: the last events of each worker, written from timestamps that the hooks already have.

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod blame;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod chrome;
mod event;
mod fold;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod read;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod recording;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod report;
mod ring;

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use blame::{Blame, BlameRow, Culprit};
pub(crate) use event::Recorded as RecordedEvent;
#[cfg(not(metrics_core_loom))]
pub(crate) use event::Words;
pub use event::{FlightEvent, FlightEventKind};
pub use fold::DEFAULT_FLIGHT_RECORDER_THRESHOLD;
pub(crate) use fold::Fold;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use recording::{FlightRecording, ThreadRecording};
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use report::{BlameReport, BlameReportRow, NamedCulprit};
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub(crate) use ring::HeapRing;
#[cfg(not(metrics_core_loom))]
pub(crate) use ring::StaticRing;
