//! All test files of this directory as one program. The rows of the test matrix for other targets run it: there a program costs seconds to link,
//! to translate or to start in a browser. `cargo test` runs the files themselves. A test of `xtask` checks that every file is here.
#![allow(missing_docs)]
#![allow(
    clippy::duplicate_mod,
    reason = "each file names its helpers, as a program of its own"
)]

#[path = "blame.rs"]
mod blame;
#[path = "bursts.rs"]
mod bursts;
#[path = "busy.rs"]
mod busy;
#[path = "census.rs"]
mod census;
#[path = "configuration.rs"]
mod configuration;
#[path = "decoding_memory.rs"]
mod decoding_memory;
#[path = "flight_recorder.rs"]
mod flight_recorder;
#[path = "getters.rs"]
mod getters;
#[path = "groups.rs"]
mod groups;
#[path = "histogram_errors.rs"]
mod histogram_errors;
#[path = "histogram_layout.rs"]
mod histogram_layout;
#[path = "histogram_snapshot.rs"]
mod histogram_snapshot;
#[path = "histogram_wire.rs"]
mod histogram_wire;
#[path = "location_names.rs"]
mod location_names;
#[path = "locations.rs"]
mod locations;
#[path = "merge.rs"]
mod merge;
#[path = "narrow.rs"]
mod narrow;
#[path = "one_writer.rs"]
mod one_writer;
#[path = "probes.rs"]
mod probes;
#[path = "reader_values.rs"]
mod reader_values;
#[path = "readers.rs"]
mod readers;
#[path = "round_trip.rs"]
mod round_trip;
#[path = "sampled_polls.rs"]
mod sampled_polls;
#[path = "snapshot_values.rs"]
mod snapshot_values;
#[path = "snapshot_wire.rs"]
mod snapshot_wire;
#[path = "state_times.rs"]
mod state_times;
#[path = "state_times_threads.rs"]
mod state_times_threads;
#[path = "state_times_unsubmitted.rs"]
mod state_times_unsubmitted;
#[path = "static_details.rs"]
mod static_details;
#[path = "static_worker.rs"]
mod static_worker;
#[path = "static_worker_time.rs"]
mod static_worker_time;
#[path = "threads.rs"]
mod threads;
#[path = "unmeasured.rs"]
mod unmeasured;
#[path = "window.rs"]
mod window;
#[path = "without_histograms.rs"]
mod without_histograms;
#[path = "worker_hooks.rs"]
mod worker_hooks;
#[path = "worker_host.rs"]
mod worker_host;
#[path = "worker_time.rs"]
mod worker_time;
#[path = "worker_values.rs"]
mod worker_values;
