//! What a configuration accepts and refuses, and what the errors say.
#![cfg(all(feature = "alloc", target_has_atomic = "ptr", not(metrics_core_loom)))]
#![allow(missing_docs)]

use core::error::Error;
use core::time::Duration;
use metrics_core::{
    Builder, ConfigError, HistogramConfig, LeaseError, NoClock, Registry, Sampling, SinceError, SlotBusy,
    StaticRegistryConfig, StaticStorage, WindowError, WorkerSinceError,
};
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

const MAX_WORKERS: usize = (1 << 30) - 1;
const MAX_EVENTS: usize = 1 << 20;
const MAX_LOCATIONS: usize = (1 << 14) - 8;

fn buckets(number: usize) -> HistogramConfig {
    HistogramConfig::power_of_two(1, number).unwrap()
}

#[test]
fn a_registry_accepts_each_limit_and_nothing_above_it() {
    let at_the_limits = Builder::new()
        .workers(MAX_WORKERS)
        .flight_recorder(MAX_EVENTS)
        .locations(MAX_LOCATIONS);
    let registry = at_the_limits.clone().build(NoClock).unwrap();
    assert_eq!(registry.num_workers(), MAX_WORKERS);
    assert_eq!(registry.flight_recorder_capacity(), MAX_EVENTS);
    assert_eq!(registry.location_capacity(), MAX_LOCATIONS);
    assert_eq!(
        at_the_limits
            .clone()
            .locations(MAX_LOCATIONS + 1)
            .build(NoClock)
            .unwrap_err(),
        ConfigError::TooManyLocations {
            locations: MAX_LOCATIONS + 1,
            limit: MAX_LOCATIONS,
        }
    );
    assert_eq!(
        at_the_limits
            .clone()
            .workers(MAX_WORKERS + 1)
            .build(NoClock)
            .unwrap_err(),
        ConfigError::TooManyWorkers {
            workers: MAX_WORKERS + 1,
            limit: MAX_WORKERS,
        }
    );
    assert_eq!(
        at_the_limits
            .flight_recorder(MAX_EVENTS + 1)
            .build(NoClock)
            .unwrap_err(),
        ConfigError::TooManyEvents {
            events: MAX_EVENTS + 1,
            limit: MAX_EVENTS,
        }
    );
}

type Static = Registry<StaticStorage<1, 8>, NoClock>;

/// Describes a registry at run time, where a `const` would not compile.
fn describe(builder: Builder<'static>, ticks_per_second: u64) -> Result<Static, ConfigError> {
    let config: StaticRegistryConfig<1, 8> = builder.describe(ticks_per_second, Duration::from_nanos(1))?;
    Ok(Registry::new(Box::leak(Box::new(config)), NoClock))
}

#[test]
fn a_static_registry_refuses_a_histogram_that_does_not_fit() {
    for number in [1, 8] {
        let fits = Builder::new()
            .poll_time(buckets(number))
            .schedule_latency(buckets(number));
        let registry = describe(fits, 1_000_000_000).unwrap();
        assert_eq!(registry.poll_time_config(), Some(&buckets(number)));
        assert_eq!(registry.schedule_latency_config(), Some(&buckets(number)));
    }
    for too_large in [
        Builder::new().poll_time(buckets(9)),
        Builder::new().schedule_latency(buckets(9)),
        Builder::new().poll_time(buckets(7)).schedule_latency(buckets(9)),
    ] {
        let refused = describe(too_large, 1_000_000_000).map(|_| ());
        assert_eq!(
            refused,
            Err(ConfigError::TooManyBuckets {
                buckets: 9,
                capacity: 8
            })
        );
    }
}

#[test]
fn a_static_registry_with_a_rate_of_zero_has_no_clock() {
    let builder = Builder::new().poll_time(buckets(8));
    let timed = describe(builder.clone(), 1_000).unwrap();
    assert!(timed.is_timed());
    let untimed = describe(builder, 0).unwrap();
    assert!(!untimed.is_timed());
    assert_eq!(untimed.poll_time_config(), None);
}

#[test]
fn a_static_submit_interval_has_at_most_32_bits_of_ticks() {
    let ticks = |interval| {
        let registry = describe(Builder::new().submit_interval(interval), 1_000_000_000).unwrap();
        registry.submit_interval().as_nanos()
    };
    assert_eq!(ticks(Duration::ZERO), 0);
    assert_eq!(ticks(Duration::from_millis(1)), 1_000_000);
    let longest = u128::from(u32::MAX);
    assert_eq!(ticks(Duration::from_nanos(longest as u64)), longest);
    assert_eq!(ticks(Duration::from_secs(3_600)), longest);
}

#[test]
fn each_switch_has_its_own_value() {
    let registry = Builder::new().build(NoClock).unwrap();
    let one_in = |n: u32| Sampling::OneIn(n.try_into().unwrap());
    let switches = registry.switches();
    assert_eq!(
        (switches.poll_time(), switches.schedule_latency()),
        (Sampling::Off, Sampling::Off)
    );
    switches.set_poll_time(one_in(7));
    switches.set_schedule_latency(one_in(9));
    assert_eq!(
        (switches.poll_time(), switches.schedule_latency()),
        (one_in(7), one_in(9))
    );
    switches.set_schedule_latency(Sampling::Off);
    assert_eq!(
        (switches.poll_time(), switches.schedule_latency()),
        (one_in(7), Sampling::Off)
    );
}

#[test]
fn every_error_describes_itself() {
    let errors: &[&dyn Error] = &[
        &ConfigError::NoWorkers,
        &ConfigError::TooManyWorkers {
            workers: 11,
            limit: 12,
        },
        &ConfigError::SubmitInterval {
            interval: Duration::from_secs(13),
        },
        &ConfigError::TooManyLocations {
            locations: 14,
            limit: 15,
        },
        &ConfigError::CensusWithoutLocations,
        &ConfigError::TooManyEvents {
            events: 16,
            limit: 17,
        },
        &ConfigError::TooManyBuckets {
            buckets: 18,
            capacity: 19,
        },
        &LeaseError::WorkerIndex {
            worker: 20,
            limit: 21,
        },
        &LeaseError::Exhausted,
        &SinceError::OtherEpoch,
        &SinceError::NotEarlier,
        &WorkerSinceError::NotEarlier,
        &WorkerSinceError::Missing,
        &WindowError::Empty,
        &WindowError::NoClock,
        &WindowError::TooFewSnapshots,
        &SlotBusy,
    ];
    let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
    for (i, text) in texts.iter().enumerate() {
        assert!(text.contains(": "), "it says what to do: {text}");
        assert!(!texts[..i].contains(text), "two errors say: {text}");
    }
    // The values of an error are in its text, in order.
    let text = texts.join("\n");
    let mut rest = text.as_str();
    for value in 11..=21 {
        let value = value.to_string();
        let at = rest
            .find(&value)
            .unwrap_or_else(|| panic!("{value} is missing: {text}"));
        rest = &rest[at + value.len()..];
    }
}
