//! Every invalid configuration has its error, and none panics.

use core::time::Duration;

use metrics_core::histogram::{
    CapacityError, HistogramConfig, HistogramError, HistogramMergeError, HistogramSinceError,
    HistogramSnapshot,
};
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

type Snapshot = HistogramSnapshot<heapless::Vec<u64, 128>>;

#[test]
fn no_buckets() {
    assert_eq!(HistogramConfig::linear(1, 0), Err(HistogramError::ZeroBuckets));
    assert_eq!(
        HistogramConfig::power_of_two(1, 0),
        Err(HistogramError::ZeroBuckets)
    );
    let builder = HistogramConfig::builder();
    assert_eq!(
        builder.linear(Duration::from_secs(1), 0).build(),
        Err(HistogramError::ZeroBuckets)
    );
    assert_eq!(
        builder.power_of_two(Duration::from_secs(1), 0).build(),
        Err(HistogramError::ZeroBuckets)
    );
    let empty = Snapshot::new(HistogramConfig::DEFAULT).unwrap();
    assert_eq!(empty.downsample(0).map(|_| ()), Err(HistogramError::ZeroBuckets));
}

#[test]
fn no_width() {
    assert_eq!(HistogramConfig::linear(0, 1), Err(HistogramError::ZeroWidth));
    assert_eq!(
        HistogramConfig::power_of_two(0, 1),
        Err(HistogramError::ZeroWidth)
    );
    let builder = HistogramConfig::builder();
    assert_eq!(
        builder.linear(Duration::ZERO, 1).build(),
        Err(HistogramError::ZeroWidth)
    );
    assert_eq!(
        builder.power_of_two(Duration::ZERO, 1).build(),
        Err(HistogramError::ZeroWidth)
    );
}

#[test]
fn min_above_max() {
    for (min, max) in [(1, 0), (2, 1), (u64::MAX, u64::MAX - 1), (u64::MAX, 0)] {
        assert_eq!(
            HistogramConfig::h2(min, max, 2),
            Err(HistogramError::MinAboveMax { min, max })
        );
    }
    let builder = HistogramConfig::builder();
    // Below the default minimum.
    let error = HistogramError::MinAboveMax { min: 100, max: 50 };
    assert_eq!(builder.max_value(Duration::from_nanos(50)).build(), Err(error));
    let error = HistogramError::MinAboveMax { min: 100, max: 0 };
    assert_eq!(builder.max_value(Duration::ZERO).build(), Err(error));
}

#[test]
fn precision_above_the_limit() {
    for precision in [11, 31, 32, 63, 64, 65, u32::MAX] {
        let error = Err(HistogramError::PrecisionTooHigh { precision, limit: 10 });
        assert_eq!(HistogramConfig::h2(1, 2, precision), error);
        assert_eq!(
            HistogramConfig::builder().precision_exact(precision).build(),
            error
        );
    }
}

#[test]
fn an_error_that_is_none() {
    for error in [
        0.0,
        -0.0,
        -1.0,
        1.0,
        2.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ] {
        let built = HistogramConfig::builder().max_error(error).build();
        assert_eq!(built, Err(HistogramError::MaxErrorOutOfRange), "{error}");
    }
    for error in [f64::MIN_POSITIVE, 0.0005, (1.0 / 1024.0_f64).next_down()] {
        let built = HistogramConfig::builder().max_error(error).build();
        assert_eq!(built, Err(HistogramError::MaxErrorTooSmall), "{error}");
    }
}

#[test]
fn too_many_buckets() {
    let limit = HistogramConfig::MAX_BUCKETS;
    for required in [limit + 1, usize::MAX] {
        let error = HistogramError::TooManyBuckets { required, limit };
        assert_eq!(HistogramConfig::linear(1, required), Err(error));
        assert_eq!(HistogramConfig::linear(u64::MAX, required), Err(error));
    }
    assert!(HistogramConfig::linear(1, limit).is_ok());
    let builder = HistogramConfig::builder();
    let error = Err(HistogramError::TooManyBuckets {
        required: 119,
        limit: 118,
    });
    assert_eq!(builder.max_buckets(118).build(), error);
    assert_eq!(builder.max_buckets(119).build(), Ok(HistogramConfig::DEFAULT));
    let linear = builder.linear(Duration::from_nanos(1), 3).max_buckets(2).build();
    assert_eq!(
        linear,
        Err(HistogramError::TooManyBuckets {
            required: 3,
            limit: 2
        })
    );
}

#[test]
fn buckets_beyond_64_bits() {
    let error = |buckets, reachable| Err(HistogramError::UnreachableBuckets { buckets, reachable });
    assert_eq!(HistogramConfig::linear(u64::MAX, 3), error(3, 2));
    assert!(HistogramConfig::linear(u64::MAX, 2).is_ok());
    assert_eq!(HistogramConfig::linear(1 << 62, 5), error(5, 4));
    assert!(HistogramConfig::linear(1 << 62, 4).is_ok());
    assert_eq!(HistogramConfig::power_of_two(1, 66), error(66, 65));
    assert_eq!(HistogramConfig::power_of_two(1 << 63, 3), error(3, 2));
    assert_eq!(
        HistogramConfig::power_of_two(1, usize::MAX),
        error(usize::MAX, 65)
    );
}

#[test]
fn a_first_bucket_without_a_power_of_two() {
    for first_bucket in [(1 << 63) + 1, u64::MAX] {
        let error = HistogramError::FirstBucketTooWide {
            first_bucket,
            limit: 1 << 63,
        };
        assert_eq!(HistogramConfig::power_of_two(first_bucket, 2), Err(error));
    }
}

#[test]
fn durations_beyond_64_bits() {
    let builder = HistogramConfig::builder();
    let error = Err(HistogramError::DurationTooLong);
    for duration in [
        Duration::MAX,
        Duration::from_nanos(u64::MAX) + Duration::from_nanos(1),
    ] {
        assert_eq!(builder.min_value(duration).build(), error);
        assert_eq!(builder.max_value(duration).build(), error);
        assert_eq!(builder.linear(duration, 10).build(), error);
        assert_eq!(builder.power_of_two(duration, 10).build(), error);
    }
    assert!(builder.max_value(Duration::from_nanos(u64::MAX)).build().is_ok());
}

#[test]
fn two_layouts_at_once() {
    let second = Duration::from_secs(1);
    let builder = HistogramConfig::builder();
    let error = Err(HistogramError::MixedLayouts);
    assert_eq!(builder.linear(second, 2).power_of_two(second, 2).build(), error);
    assert_eq!(builder.linear(second, 2).min_value(second).build(), error);
    assert_eq!(builder.linear(second, 2).max_value(second).build(), error);
    assert_eq!(builder.power_of_two(second, 2).precision_exact(2).build(), error);
    assert_eq!(builder.power_of_two(second, 2).max_error(0.1).build(), error);
}

#[test]
fn the_builder_builds_the_requested_layout() {
    let builder = HistogramConfig::builder();
    let micro = Duration::from_micros(1);
    assert_eq!(
        builder.linear(micro, 7).build(),
        HistogramConfig::linear(1_000, 7)
    );
    assert_eq!(
        builder.power_of_two(micro, 7).build(),
        HistogramConfig::power_of_two(1_000, 7)
    );
    let h2 = builder.min_value(micro).max_value(Duration::from_secs(1));
    for precision in 0..=10 {
        let exact = HistogramConfig::h2(1_000, 1_000_000_000, precision);
        assert_eq!(h2.precision_exact(precision).build(), exact);
        if precision >= 2 {
            let error = 1.0 / f64::from(1 << precision);
            assert_eq!(h2.max_error(error).build(), exact);
            assert_eq!(h2.max_error(error.next_up()).build(), exact);
        }
    }
    // Never coarser than Tokio's.
    assert_eq!(
        h2.max_error(0.9).build(),
        HistogramConfig::h2(1_000, 1_000_000_000, 2)
    );
    // The later of the two calls applies.
    assert_eq!(
        h2.max_error(0.01).precision_exact(3).build(),
        h2.precision_exact(3).build()
    );
}

#[test]
fn storage_too_small() {
    type Small = HistogramSnapshot<heapless::Vec<u64, 118>>;
    let error = CapacityError {
        required: 119,
        capacity: 118,
    };
    assert_eq!(Small::new(HistogramConfig::DEFAULT), Err(error));
    let mut small = Small::new(HistogramConfig::linear(10, 5).unwrap()).unwrap();
    small.record(12);
    let before = small.clone();
    assert_eq!(small.reset(HistogramConfig::DEFAULT), Err(error));
    assert_eq!(small, before);
}

#[test]
fn different_layouts() {
    let mut one = Snapshot::new(HistogramConfig::linear(10, 5).unwrap()).unwrap();
    let mut two = Snapshot::new(HistogramConfig::linear(11, 5).unwrap()).unwrap();
    one.record(1);
    two.record(2);
    let (expected, found) = (one.config().layout(), two.config().layout());
    let before = one.clone();
    assert_eq!(
        one.merge(&two),
        Err(HistogramMergeError::LayoutMismatch { expected, found })
    );
    assert_eq!(one, before);
    let since = one.since(&two).map(|_| ());
    assert_eq!(
        since,
        Err(HistogramSinceError::LayoutMismatch { expected, found })
    );
}

/// A message states the error, the limit, and the remedy.
#[test]
fn messages_have_bound_and_remedy() {
    let config = HistogramConfig::linear(1, 2).unwrap().layout();
    let messages = [
        HistogramError::ZeroBuckets.to_string(),
        HistogramError::ZeroWidth.to_string(),
        HistogramError::MinAboveMax { min: 7, max: 3 }.to_string(),
        HistogramError::PrecisionTooHigh {
            precision: 11,
            limit: 10,
        }
        .to_string(),
        HistogramError::MaxErrorOutOfRange.to_string(),
        HistogramError::MaxErrorTooSmall.to_string(),
        HistogramError::TooManyBuckets {
            required: 119,
            limit: 118,
        }
        .to_string(),
        HistogramError::UnreachableBuckets {
            buckets: 3,
            reachable: 2,
        }
        .to_string(),
        HistogramError::FirstBucketTooWide {
            first_bucket: u64::MAX,
            limit: 1 << 63,
        }
        .to_string(),
        HistogramError::DurationTooLong.to_string(),
        HistogramError::MixedLayouts.to_string(),
        CapacityError {
            required: 119,
            capacity: 118,
        }
        .to_string(),
        HistogramMergeError::LayoutMismatch {
            expected: config,
            found: config,
        }
        .to_string(),
        HistogramMergeError::CountOverflow.to_string(),
        HistogramSinceError::LayoutMismatch {
            expected: config,
            found: config,
        }
        .to_string(),
        HistogramSinceError::NotEarlier.to_string(),
    ];
    let bounds = [
        "1 bucket",
        "at least 1,",
        "7, is above the maximum, 3",
        "10 or less",
        "above 0 and below 1",
        "2^-10",
        "118",
        "at most 2",
        "9223372036854775808",
        "18446744073 s",
        "either",
        "118",
        "Linear",
        "9223372036854775808 samples",
        "Linear",
        "older",
    ];
    for (message, bound) in messages.iter().zip(bounds) {
        assert!(message.contains(bound), "{message}");
        assert!(!message.contains("  "), "{message}");
    }
}
