//! Locations whose names are equal, empty, or those that exporters use for others.
#![cfg(all(feature = "alloc", feature = "record", target_has_atomic = "ptr"))]

mod common;

use common::Hand;
use core::fmt;
use metrics_core::{
    Builder, HistogramConfig, LocationId, MetricSet, PollStart, Probe, RuntimeMetrics, SampleValue, Worker,
};
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

struct Names;

impl Probe for Names {
    fn write_location(&self, location: LocationId, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str(["", "main.rs:1", "other", "main.rs:1", "unknown", ""][location.as_u32() as usize])
    }
}

/// Two series with the same labels are an error in every format, and Prometheus then refuses the whole page.
#[test]
fn a_visit_sums_locations_of_one_name() {
    let clock = Hand::default();
    let builder = Builder::new().measures(MetricSet::ALL).locations(5);
    let builder = builder.poll_time(HistogramConfig::DEFAULT);
    let registry = builder.build(clock.clone()).unwrap();
    let worker = Worker::lease(registry.clone(), 0).unwrap();
    for (location, nanos) in [(1, 100), (2, 1), (3, 200), (4, 1), (5, 1), (0, 1), (9, 1)] {
        worker.start_poll(PollStart {
            scheduled_at: None,
            spawn_location: LocationId::from_u32(location),
        });
        clock.advance(nanos);
        worker.end_poll();
    }
    let snapshot = RuntimeMetrics::with_probe(registry, Names).snapshot();
    let mut samples = Vec::new();
    snapshot.visit_locations(8, |sample| {
        if let SampleValue::Number(value) = sample.value
            && ["location_poll_count", "location_longest_poll"].contains(&sample.metric.name)
        {
            samples.push((sample.location.unwrap().to_owned(), value));
        }
    });
    let names = ["unknown", "main.rs:1", "other", ""];
    let expected = [2, 2, 2, 1, 1, 200, 1, 1];
    let expected: Vec<_> = (names.into_iter().cycle().map(str::to_owned))
        .zip(expected)
        .collect();
    assert_eq!(samples, expected);
}
