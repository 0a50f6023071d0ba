//! The statistics of a histogram, compared with those of the samples themselves.

#[cfg(target_has_atomic = "64")]
use histogram::Histogram;
use metrics_core::histogram::{
    BucketRange, HistogramConfig, HistogramInterval, HistogramMergeError, HistogramSinceError,
    HistogramSnapshot, Quantile, ValueBounds,
};
use proptest::prelude::*;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

type Counts = heapless::Vec<u64, 512>;
type Snapshot = HistogramSnapshot<Counts>;
type Interval = HistogramInterval<Counts>;

fn recorded(config: HistogramConfig, values: &[u64]) -> Snapshot {
    let mut snapshot = Snapshot::new(config).unwrap();
    for &value in values {
        snapshot.record(value);
    }
    snapshot
}

/// The sample of the smallest rank that reaches `permille`, computed from the samples.
fn exact(sorted: &[u64], permille: usize) -> u64 {
    sorted[(permille * sorted.len()).div_ceil(1000).max(1) - 1]
}

/// Checks that a quantile contains the exact one and is no wider than its bucket.
fn assert_quantile(config: &HistogramConfig, quantile: Quantile, exact: u64) -> Result<(), TestCaseError> {
    let Quantile {
        lower,
        upper,
        estimate,
    } = quantile;
    prop_assert!(lower <= exact && exact <= upper, "{exact} in {quantile:?}");
    prop_assert!(lower <= estimate && estimate <= upper, "{quantile:?}");
    let bucket = config.bucket_range(config.index(exact)).unwrap();
    prop_assert!(
        bucket.contains(lower) && bucket.contains(upper),
        "{quantile:?} in {bucket:?}"
    );
    Ok(())
}

fn sum(values: &[u64]) -> u64 {
    values
        .iter()
        .fold(0, |sum: u64, &value| sum.saturating_add(value))
}

/// Values of every magnitude with equal probability.
fn values(count: core::ops::Range<usize>) -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(
        (any::<u64>(), 0..64_u32).prop_map(|(value, shift)| value >> shift),
        count,
    )
}

fn configs() -> impl Strategy<Value = HistogramConfig> {
    prop_oneof![
        Just(HistogramConfig::DEFAULT),
        Just(HistogramConfig::h2(0, u64::MAX, 2).unwrap()),
        Just(HistogramConfig::h2(1000, 1_000_000_000, 4).unwrap()),
        Just(HistogramConfig::linear(100_000, 10).unwrap()),
        Just(HistogramConfig::linear(u64::MAX / 300, 300).unwrap()),
        Just(HistogramConfig::linear(1, 1).unwrap()),
        Just(HistogramConfig::power_of_two(100, 30).unwrap()),
    ]
}

#[test]
fn an_empty_histogram_has_no_statistics() {
    let empty = recorded(HistogramConfig::DEFAULT, &[]);
    assert_eq!(
        (empty.count(), empty.sum(), empty.min(), empty.max()),
        (0, 0, None, None)
    );
    assert_eq!((empty.mean(), empty.quantile(0.5)), (None, None));
    let interval = empty.since(&empty).unwrap();
    assert_eq!(
        (interval.count(), interval.sum(), interval.min(), interval.max()),
        (0, 0, None, None)
    );
    assert_eq!((interval.mean(), interval.quantile(0.5)), (None, None));
}

#[test]
fn the_largest_values_saturate_only_the_sum() {
    let snapshot = recorded(HistogramConfig::DEFAULT, &[0, u64::MAX, u64::MAX, u64::MAX - 1]);
    assert_eq!((snapshot.count(), snapshot.sum()), (4, u64::MAX));
    assert_eq!((snapshot.min(), snapshot.max()), (Some(0), Some(u64::MAX)));
    let top = snapshot.quantile(0.75).unwrap();
    assert_eq!((top.lower, top.upper), (60_129_542_144, u64::MAX));
}

#[test]
fn several_quantiles_in_any_order() {
    let values: Vec<u64> = (1..=1000).map(|value| value * 997).collect();
    let snapshot = recorded(HistogramConfig::DEFAULT, &values);
    let quantiles = [0.9, 0.5, 0.5, 1.0, f64::NAN, 0.0, 0.99];
    let mut out = [None; 8];
    snapshot.quantiles(&quantiles, &mut out);
    for (&quantile, out) in quantiles.iter().zip(out) {
        assert_eq!(out, snapshot.quantile(quantile));
    }
    assert_eq!(out[4], None);
    // The rank just below the bucket of the previous quantile.
    let one_each = recorded(
        HistogramConfig::linear(1, 20).unwrap(),
        &(0..10).collect::<Vec<_>>(),
    );
    let mut pair = [None; 2];
    one_each.quantiles(&[0.8, 0.7], &mut pair);
    assert_eq!(
        pair.map(|quantile| quantile.map(|quantile| quantile.estimate)),
        [Some(7), Some(6)]
    );
    // A value from an earlier call.
    let mut out = [out[0]; 8];
    snapshot.quantiles(&quantiles[..2], &mut out);
    assert_eq!(out[2..], [None; 6]);
    // Fewer outputs than quantiles.
    let mut out = [None; 1];
    snapshot.quantiles(&quantiles, &mut out);
    assert_eq!(out[0], snapshot.quantile(0.9));
}

/// Samples spread evenly over a bucket are estimated at their positions.
#[test]
fn estimates_are_spread_over_a_bucket() {
    let values: Vec<u64> = (0..100).collect();
    let snapshot = recorded(HistogramConfig::linear(100, 2).unwrap(), &values);
    for (permille, value) in [(100, 9), (500, 49), (900, 89)] {
        let estimate = snapshot.quantile(f64::from(permille) / 1000.0).unwrap().estimate;
        assert!(estimate.abs_diff(value) <= 1, "{estimate} for {value}");
    }
}

/// A single sample in a part of its bucket is estimated in the middle of that part.
#[test]
fn estimates_are_in_the_middle_of_their_part() {
    let snapshot = recorded(HistogramConfig::linear(100, 2).unwrap(), &[10, 70, 90]);
    let median = Quantile {
        lower: 10,
        upper: 90,
        estimate: 50,
    };
    assert_eq!(snapshot.quantile(0.5), Some(median));
}

#[test]
fn ranges_and_counts_go_together() {
    let snapshot = recorded(HistogramConfig::linear(10, 3).unwrap(), &[5, 10, 15, 99]);
    let range = |start, end| BucketRange { start, end };
    let buckets: Vec<_> = snapshot.iter().collect();
    let expected = [
        (range(0, Some(10)), 1),
        (range(10, Some(20)), 2),
        (range(20, None), 1),
    ];
    assert_eq!(buckets, expected);
    assert_eq!(
        snapshot
            .since(&snapshot)
            .unwrap()
            .iter()
            .map(|(_, count)| count)
            .sum::<u64>(),
        0
    );
}

#[test]
fn a_reset_histogram_is_a_new_one() {
    let mut snapshot = recorded(HistogramConfig::DEFAULT, &[1, 2, 3_000_000]);
    for config in [
        HistogramConfig::linear(10, 300).unwrap(),
        HistogramConfig::DEFAULT,
    ] {
        snapshot.reset(config).unwrap();
        assert_eq!(snapshot, recorded(config, &[]));
    }
}

#[test]
fn an_interval_knows_extremes_that_it_set() {
    let config = HistogramConfig::linear(100, 10).unwrap();
    let bounds = |lower, upper| Some(ValueBounds { lower, upper });
    let earlier = recorded(config, &[250, 550]);
    let later = |values: &[u64]| {
        let mut later = earlier.clone();
        for &value in values {
            later.record(value);
        }
        later.since(&earlier).unwrap()
    };
    // Both extremes changed; neither changed; a sample is in the bucket of an extreme of the lifetime.
    let interval = later(&[120, 350, 777]);
    assert_eq!(
        (interval.min(), interval.max()),
        (bounds(120, 120), bounds(777, 777))
    );
    let interval = later(&[320, 450]);
    assert_eq!(
        (interval.min(), interval.max()),
        (bounds(300, 399), bounds(400, 499))
    );
    let interval = later(&[260, 540]);
    assert_eq!(
        (interval.min(), interval.max()),
        (bounds(250, 299), bounds(500, 550))
    );
    // The quantiles 0 and 1 are as exact as the extremes.
    let last = interval.quantile(1.0).unwrap();
    assert_eq!((last.lower, last.upper), (500, 550));
}

/// The smallest of two samples is at most the lower of both upper bounds, and likewise for the other bounds.
#[test]
fn merged_intervals_keep_the_tighter_bounds() {
    let config = HistogramConfig::linear(100, 10).unwrap();
    let earlier = recorded(config, &[50, 950]);
    let interval = |values: &[u64]| {
        let mut later = earlier.clone();
        for &value in values {
            later.record(value);
        }
        later.since(&earlier).unwrap()
    };
    for (one, other) in [
        ([210, 510], [310, 410]),
        ([310, 410], [210, 510]),
        ([210, 410], [310, 510]),
    ] {
        let mut merged = interval(&one);
        merged.merge(&interval(&other)).unwrap();
        assert_eq!(
            merged.min(),
            Some(ValueBounds {
                lower: 200,
                upper: 299
            })
        );
        assert_eq!(
            merged.max(),
            Some(ValueBounds {
                lower: 500,
                upper: 599
            })
        );
    }
}

#[test]
fn a_state_that_is_not_earlier_is_rejected() {
    let config = HistogramConfig::linear(100, 10).unwrap();
    let since = |later: &[u64], earlier: &[u64]| {
        recorded(config, later)
            .since(&recorded(config, earlier))
            .map(|interval| interval.count())
    };
    let refused = Err(HistogramSinceError::NotEarlier);
    assert_eq!(since(&[150, 250], &[150]), Ok(1));
    // In reverse order; another bucket; the same bucket with a smaller sum; extremes that would go back; a sum that
    // increased without a sample.
    assert_eq!(since(&[150], &[150, 250]), refused);
    assert_eq!(since(&[150, 350], &[250]), refused);
    assert_eq!(since(&[100, 101], &[199, 150]), refused);
    assert_eq!(since(&[150, 160], &[140]), refused);
    assert_eq!(since(&[150, 150], &[160]), refused);
    assert_eq!(since(&[140, 160, 158], &[140, 160, 150]), refused);
}

#[test]
fn merging_stops_at_the_limit() {
    let config = HistogramConfig::linear(10, 2).unwrap();
    let mut snapshot = recorded(config, &[5]);
    // Doubled up to the limit, which is allowed.
    for _ in 0..63 {
        let same = snapshot.clone();
        snapshot.merge(&same).unwrap();
    }
    assert_eq!(snapshot.count(), Snapshot::MAX_COUNT);
    let before = snapshot.clone();
    assert_eq!(
        snapshot.merge(&recorded(config, &[15])),
        Err(HistogramMergeError::CountOverflow)
    );
    assert_eq!(snapshot, before);
    // Recording continues, and quantiles of this many samples are computed.
    snapshot.record(17);
    assert_eq!(snapshot.count(), Snapshot::MAX_COUNT + 1);
    assert_eq!(
        snapshot.quantile(0.5).map(|median| (median.lower, median.upper)),
        Some((5, 9))
    );
    assert_eq!(snapshot.quantile(1.0).map(|last| last.estimate), Some(17));
}

/// The edges depend only on the layout, and a smaller limit only removes edges.
#[test]
fn downsampled_edges_are_stable_and_nest() {
    let all = [
        HistogramConfig::DEFAULT,
        HistogramConfig::h2(0, u64::MAX, 2).unwrap(),
        HistogramConfig::h2(5, 6, 1).unwrap(),
        HistogramConfig::power_of_two(100, 30).unwrap(),
        HistogramConfig::power_of_two(1, 1).unwrap(),
        HistogramConfig::linear(10, 300).unwrap(),
        HistogramConfig::linear(10, 1).unwrap(),
        HistogramConfig::linear(10, 2).unwrap(),
    ];
    for config in all {
        let empty = recorded(config, &[]);
        let full = recorded(config, &[1, 100, 10_000, u64::MAX]);
        let mut coarser: Option<Vec<BucketRange>> = None;
        for limit in 1..=config.num_buckets() + 2 {
            let edges = |snapshot: &Snapshot| -> Vec<BucketRange> {
                snapshot
                    .downsample(limit)
                    .unwrap()
                    .iter()
                    .map(|(range, _)| range)
                    .collect()
            };
            let ranges = edges(&empty);
            assert_eq!(ranges, edges(&full));
            assert!(ranges.len() <= limit, "{config:?} {limit}");
            assert_eq!(
                ranges.len(),
                empty.downsample(limit).unwrap().num_buckets(),
                "{config:?} {limit}"
            );
            assert_eq!((ranges[0].start, ranges[ranges.len() - 1].end), (0, None));
            assert!(
                ranges.windows(2).all(|pair| pair[0].end == Some(pair[1].start)),
                "{config:?} {limit}"
            );
            if limit > 1 {
                // The last bucket is still the one without an upper bound.
                let last = config.bucket_range(config.num_buckets() - 1).unwrap();
                assert_eq!(ranges[ranges.len() - 1], last);
            }
            if config.relative_error().is_some() {
                let starts = |range: &BucketRange| ranges.iter().any(|finer| finer.start == range.start);
                assert!(coarser.as_ref().is_none_or(|coarser| coarser.iter().all(starts)));
            }
            coarser = Some(ranges);
        }
        let whole = full.downsample(config.num_buckets()).unwrap();
        assert!(whole.iter().eq(full.iter()));
    }
}

/// Histograms of different range have the same edges where both have edges.
#[test]
fn downsampled_edges_are_shared_between_ranges() {
    let starts = |config| -> Vec<u64> {
        let snapshot = recorded(config, &[]);
        snapshot
            .downsample(20)
            .unwrap()
            .iter()
            .map(|(range, _)| range.start)
            .collect()
    };
    let one = starts(HistogramConfig::DEFAULT);
    let other = starts(HistogramConfig::h2(10_000, 100_000_000_000, 2).unwrap());
    assert_eq!(one.len(), 17);
    // Multiples of two octaves, except for the first and the last bucket.
    assert_eq!(one[..4], [0, 128, 512, 2048]);
    assert!(
        other[1..other.len() - 1]
            .iter()
            .filter(|edge| **edge < 60_000_000_000)
            .all(|edge| one.contains(edge))
    );
}

proptest! {
    #[test]
    fn quantiles_hold_the_exact_ones(config in configs(), mut values in values(1..300)) {
        let snapshot = recorded(config, &values);
        values.sort_unstable();
        prop_assert_eq!(snapshot.count(), values.len() as u64);
        prop_assert_eq!(snapshot.sum(), sum(&values));
        prop_assert_eq!(snapshot.min(), values.first().copied());
        prop_assert_eq!(snapshot.max(), values.last().copied());
        for permille in [0, 1, 10, 100, 250, 500, 501, 750, 900, 990, 999, 1000] {
            let quantile = snapshot.quantile(permille as f64 / 1000.0).unwrap();
            assert_quantile(&config, quantile, exact(&values, permille))?;
        }
        prop_assert_eq!(snapshot.quantile(0.0).map(|quantile| quantile.estimate), snapshot.min());
        prop_assert_eq!(snapshot.quantile(1.0).map(|quantile| quantile.estimate), snapshot.max());
    }

    #[test]
    fn estimates_ascend(config in configs(), values in values(1..100)) {
        let snapshot = recorded(config, &values);
        let quantiles: Vec<f64> = (0..=50_u32).map(|part| f64::from(part) / 50.0).collect();
        let mut out = vec![None; quantiles.len()];
        snapshot.quantiles(&quantiles, &mut out);
        prop_assert!(out.iter().all(Option::is_some));
        prop_assert!(out.is_sorted_by_key(|quantile| quantile.map(|quantile| quantile.estimate)));
    }

    #[test]
    fn samples_of_one_value_are_recorded_at_once(config in configs(), values in values(0..20), count in 0..50_u32) {
        let (mut at_once, mut one_by_one) = (recorded(config, &[]), recorded(config, &[]));
        for &value in &values {
            at_once.record_many(value, count);
            (0..count).for_each(|_| one_by_one.record(value));
        }
        prop_assert_eq!(at_once, one_by_one);
    }

    #[test]
    fn merged_is_recorded_together(config in configs(), one in values(0..50), other in values(0..50)) {
        let mut merged = recorded(config, &one);
        merged.merge(&recorded(config, &other)).unwrap();
        prop_assert_eq!(merged, recorded(config, &[one, other].concat()));
    }

    #[test]
    fn the_first_interval_is_everything(config in configs(), values in values(0..50)) {
        let snapshot = recorded(config, &values);
        let interval = snapshot.since(&recorded(config, &[])).unwrap();
        prop_assert_eq!(Interval::from(snapshot), interval);
    }

    #[test]
    fn an_interval_is_what_came_between(config in configs(), before in values(0..50), mut after in values(0..50)) {
        let earlier = recorded(config, &before);
        let later = recorded(config, &[before.as_slice(), &after].concat());
        let interval = later.since(&earlier).unwrap();
        let alone = recorded(config, &after);
        prop_assert_eq!(interval.buckets(), alone.buckets());
        prop_assert_eq!(interval.count(), after.len() as u64);
        if later.sum() < u64::MAX {
            prop_assert_eq!(interval.sum(), alone.sum());
            prop_assert_eq!(interval.mean(), alone.mean());
        }
        after.sort_unstable();
        let holds = |bounds: Option<ValueBounds>, value: Option<&u64>| match (bounds, value) {
            (Some(bounds), Some(value)) => (bounds.lower..=bounds.upper).contains(value),
            (None, None) => true,
            _ => false,
        };
        prop_assert!(holds(interval.min(), after.first()));
        prop_assert!(holds(interval.max(), after.last()));
        for permille in [0, 1, 250, 500, 900, 999, 1000] {
            let quantile = interval.quantile(permille as f64 / 1000.0);
            prop_assert_eq!(quantile.is_none(), after.is_empty());
            if let Some(quantile) = quantile {
                assert_quantile(&config, quantile, exact(&after, permille))?;
            }
        }
    }

    /// Two workers, or two intervals.
    #[test]
    fn merged_intervals_hold_all(
        config in configs(), one in values(0..20), two in values(0..20), three in values(0..20),
    ) {
        let interval = |before: &[u64], after: &[u64]| -> Interval {
            recorded(config, &[before, after].concat()).since(&recorded(config, before)).unwrap()
        };
        let mut merged = interval(&one, &two);
        merged.merge(&interval(&two, &three)).unwrap();
        let mut all = [two.as_slice(), &three].concat();
        all.sort_unstable();
        prop_assert_eq!(merged.count(), all.len() as u64);
        prop_assert_eq!(merged.min().is_some(), !all.is_empty());
        if let (Some(min), Some(max)) = (merged.min(), merged.max()) {
            prop_assert!((min.lower..=min.upper).contains(&all[0]));
            prop_assert!((max.lower..=max.upper).contains(&all[all.len() - 1]));
            let median = merged.quantile(0.5).unwrap();
            assert_quantile(&config, median, exact(&all, 500))?;
        }
    }

    #[test]
    fn downsampling_keeps_every_sample_in_bounds(config in configs(), values in values(0..100), limit in 1..40_usize) {
        let snapshot = recorded(config, &values);
        let downsampled = snapshot.downsample(limit).unwrap();
        for (range, count) in downsampled.iter() {
            prop_assert_eq!(values.iter().filter(|&&value| range.contains(value)).count() as u64, count);
        }
        let interval = snapshot.since(&recorded(config, &[])).unwrap();
        prop_assert!(interval.downsample(limit).unwrap().iter().eq(downsampled.iter()));
    }

    /// Quantiles that are binary fractions: the rank of others may differ by the rounding of a product.
    #[cfg(target_has_atomic = "64")]
    #[test]
    fn untruncated_is_the_histogram_crates(values in values(1..200)) {
        let snapshot = recorded(HistogramConfig::h2(0, u64::MAX, 2).unwrap(), &values);
        let mut reference = Histogram::new(2, 64).unwrap();
        for &value in &values {
            reference.increment(value).unwrap();
        }
        prop_assert_eq!(snapshot.buckets(), reference.as_slice());
        for quantile in [0.0, 0.125, 0.5, 0.75, 0.9375, 1.0] {
            let bucket = reference.quantile_bucket(quantile).unwrap().unwrap();
            let ours = snapshot.quantile(quantile).unwrap();
            prop_assert!(bucket.start() <= ours.lower && ours.upper <= bucket.end());
        }
    }
}
