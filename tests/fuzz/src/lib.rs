//! What the fuzz targets share: a runtime that is driven by arbitrary hooks, a plain model of what it recorded, and checks of what
//! readers and exporters say about it.

pub mod checks;
pub mod expected;
pub mod exported;
pub mod flight;
pub mod merging;
pub mod model;
pub mod ops;
pub mod probe;
pub mod prometheus_text;
pub mod setup;
