//! The flight recorder: the last events of each worker, written from timestamps that the hooks already have.

mod blame;
mod chrome;
mod event;
mod read;
mod report;
mod ring;

pub use blame::{Blame, BlameRow, Culprit};
pub(crate) use event::Recorded as RecordedEvent;
pub use event::{FlightEvent, FlightEventKind, FlightRecording, ThreadRecording};
pub use report::{BlameReport, BlameReportRow, NamedCulprit};
pub(crate) use ring::FlightRing;
