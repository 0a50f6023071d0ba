//! The flight recorder: the last events of each worker, written from timestamps that the hooks already have.

mod blame;
mod chrome;
mod event;
mod read;
mod recorder;
mod ring;

pub use blame::{Blame, BlameRow, Culprit};
#[cfg(all(test, metrics_core_loom))]
pub(crate) use event::Recorded as RecordedEvent;
pub use event::{FlightEvent, FlightEventKind, FlightRecording, ThreadRecording};
pub(crate) use recorder::FlightRecorder;
pub(crate) use ring::FlightRing;
