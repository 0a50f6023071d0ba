#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![no_std]

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
extern crate alloc;

mod clock;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod runtime;

pub use clock::ManualClock;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use runtime::{MockProbe, MockRuntime, MockWorker, TaskId};
