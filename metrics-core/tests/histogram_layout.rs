//! The layouts, compared with lists of edges that are computed here from their definition in 128 bits.

#[path = "common/speed.rs"]
mod speed;

#[cfg(target_has_atomic = "64")]
use histogram::Histogram;
use metrics_core::histogram::{HistogramConfig, HistogramLayout};
use proptest::prelude::*;
use speed::IS_SLOW;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// The first values of all buckets of an untruncated H2 histogram.
fn h2_edges(precision: u32) -> Vec<u128> {
    let mut edges: Vec<u128> = (0..1 << precision).collect();
    for octave in precision..64 {
        let step = (1_u128 << octave) >> precision;
        edges.extend((0..1 << precision).map(|part| (1_u128 << octave) + part * step));
    }
    edges
}

/// The first values of the buckets of a layout that starts and ends as Tokio's does.
fn truncated(edges: &[u128], min: u64, max: u64) -> Vec<u128> {
    let (min, max) = (u128::from(min), u128::from(max));
    // The bucket of `min` stays, and all smaller values share one bucket. The first edge at or above `max` is the
    // last.
    let kept = edges.iter().copied().filter(|&edge| edge > 0);
    let first = kept.clone().filter(|&edge| edge <= min).max().unwrap_or(1);
    let last = kept
        .clone()
        .find(|&edge| edge >= max)
        .or(edges.last().copied())
        .unwrap();
    core::iter::once(0)
        .chain(kept.filter(|edge| (first..=last).contains(edge)))
        .collect()
}

/// Every bucket has these edges, and the edges, their neighbours and the largest value are in their buckets.
fn assert_edges(config: HistogramConfig, edges: &[u128]) {
    assert_eq!(config.num_buckets(), edges.len(), "{config:?}");
    for (index, &start) in edges.iter().enumerate() {
        let range = config.bucket_range(index).unwrap();
        assert_eq!(u128::from(range.start), start, "{config:?} bucket {index}");
        assert_eq!(
            range.end.map(u128::from),
            edges.get(index + 1).copied(),
            "{config:?} bucket {index}"
        );
        assert_eq!(config.index(range.start), index, "{config:?} start of {index}");
        assert_eq!(config.index(range.largest()), index, "{config:?} end of {index}");
        assert!(range.contains(range.start) && range.contains(range.largest()));
    }
    assert_eq!(config.bucket_range(edges.len()), None);
    assert_eq!(config.bucket_range(usize::MAX), None);
    // The reported parameters give an equal layout.
    assert_eq!(
        HistogramConfig::try_from(config.layout()),
        Ok(config),
        "{config:?}"
    );
}

/// Every value up to a limit is in the bucket that the edges define.
fn assert_values(config: HistogramConfig, edges: &[u128], limit: u64) {
    let mut index = 0;
    for value in 0..=limit {
        while edges
            .get(index + 1)
            .is_some_and(|&edge| edge <= u128::from(value))
        {
            index += 1;
        }
        assert_eq!(config.index(value), index, "{value} in {config:?}");
    }
}

#[test]
fn every_small_h2_layout() {
    for precision in 0..=HistogramConfig::MAX_PRECISION {
        let edges = h2_edges(precision);
        for max in 0..=80 {
            for min in (0..=max).step_by(if IS_SLOW { 7 } else { 1 }) {
                let config = HistogramConfig::h2(min, max, precision).unwrap();
                let edges = truncated(&edges[..edges.len().min(200)], min, max);
                assert_edges(config, &edges);
                assert_values(config, &edges, 100);
            }
        }
    }
}

/// One power of two in this many.
const POWERS: usize = if IS_SLOW { 5 } else { 1 };

#[test]
fn every_h2_layout_around_powers_of_two() {
    let near = |bit: u32| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1];
    let values: Vec<u64> = (0..64)
        .step_by(3 * POWERS)
        .flat_map(near)
        .chain([u64::MAX - 1, u64::MAX])
        .collect();
    for precision in [0, 1, 2, 5, 10] {
        let edges = h2_edges(precision);
        for &min in &values {
            for &max in values
                .iter()
                .filter(|&&max| max >= min)
                .step_by(if precision > 4 { 7 } else { 1 })
            {
                let config = HistogramConfig::h2(min, max, precision).unwrap();
                assert_edges(config, &truncated(&edges, min, max));
            }
        }
    }
}

#[test]
fn h2_at_its_largest() {
    let config = HistogramConfig::h2(0, u64::MAX, HistogramConfig::MAX_PRECISION).unwrap();
    assert_eq!(config.num_buckets(), 56_320);
    assert_edges(config, &h2_edges(HistogramConfig::MAX_PRECISION));
}

#[test]
fn every_small_linear_layout() {
    for width in 1..=70_u64 {
        for buckets in 1..=40_usize {
            let config = HistogramConfig::linear(width, buckets).unwrap();
            let edges: Vec<u128> = (0..buckets)
                .map(|index| index as u128 * u128::from(width))
                .collect();
            assert_edges(config, &edges);
            assert_values(config, &edges, width * buckets as u64 + 100);
            let layout = HistogramLayout::Linear {
                width,
                buckets: buckets as u32,
            };
            assert_eq!(config.layout(), layout);
        }
    }
}

/// The multiplication that replaces the division, at all edges of the widest and longest layouts.
#[test]
fn linear_layouts_divide_exactly_at_every_edge() {
    let most = HistogramConfig::MAX_BUCKETS;
    let mut widths: Vec<u64> = (0..64)
        .step_by(POWERS)
        .flat_map(|bit| {
            [
                (1_u64 << bit) - 1,
                1 << bit,
                (1 << bit) + 1,
                (1 << bit) / 3 * 2 + 1,
            ]
        })
        .collect();
    widths.extend([
        u64::MAX,
        u64::MAX / 3,
        u64::MAX / 65_535,
        u64::MAX / 65_535 - 1,
        100_000,
        999_999_937,
    ]);
    for width in widths.into_iter().filter(|&width| width > 0) {
        let fit = (u128::from(u64::MAX / width) + 1).min(most as u128) as usize;
        for buckets in [fit, fit / 2 + 1, 2.min(fit)] {
            let config = HistogramConfig::linear(width, buckets).unwrap();
            for index in 0..buckets {
                let start = width * index as u64;
                assert_eq!(config.index(start), index, "{start} in {config:?}");
                let end = (u128::from(start) + u128::from(width) - 1).min(u128::from(u64::MAX)) as u64;
                assert_eq!(config.index(end), index, "{end} in {config:?}");
            }
        }
    }
}

#[test]
fn every_power_of_two_layout() {
    for bit in 0..64_u32 {
        for buckets in 1..=(65 - bit as usize) {
            let edges: Vec<u128> = core::iter::once(0)
                .chain((0..).map(|double| 1_u128 << (bit + double)))
                .take(buckets)
                .collect();
            let config = HistogramConfig::power_of_two(1 << bit, buckets).unwrap();
            assert_edges(config, &edges);
            // Rounded up, as Tokio rounds it.
            if bit > 1 {
                let odd = HistogramConfig::power_of_two((1 << bit) - 1, buckets).unwrap();
                assert_eq!(odd, config);
            }
        }
    }
}

/// The edges that `tokio` 1.54.1 reports for `LogHistogram::default()`, built with `--cfg tokio_unstable`.
#[rustfmt::skip]
#[allow(clippy::unreadable_literal)]
const TOKIO_DEFAULT: [u64; 119] = [
    0, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048, 2560,
    3072, 3584, 4096, 5120, 6144, 7168, 8192, 10240, 12288, 14336, 16384, 20480, 24576, 28672, 32768, 40960,
    49152, 57344, 65536, 81920, 98304, 114688, 131072, 163840, 196608, 229376, 262144, 327680, 393216, 458752,
    524288, 655360, 786432, 917504, 1048576, 1310720, 1572864, 1835008, 2097152, 2621440, 3145728, 3670016,
    4194304, 5242880, 6291456, 7340032, 8388608, 10485760, 12582912, 14680064, 16777216, 20971520, 25165824,
    29360128, 33554432, 41943040, 50331648, 58720256, 67108864, 83886080, 100663296, 117440512, 134217728,
    167772160, 201326592, 234881024, 268435456, 335544320, 402653184, 469762048, 536870912, 671088640, 805306368,
    939524096, 1073741824, 1342177280, 1610612736, 1879048192, 2147483648, 2684354560, 3221225472, 3758096384,
    4294967296, 5368709120, 6442450944, 7516192768, 8589934592, 10737418240, 12884901888, 15032385536,
    17179869184, 21474836480, 25769803776, 30064771072, 34359738368, 42949672960, 51539607552, 60129542144,
];

#[test]
fn the_default_is_tokios() {
    let edges: Vec<u128> = TOKIO_DEFAULT.into_iter().map(u128::from).collect();
    assert_edges(HistogramConfig::DEFAULT, &edges);
    assert_eq!(HistogramConfig::default(), HistogramConfig::DEFAULT);
    assert_eq!(HistogramConfig::builder().build(), Ok(HistogramConfig::DEFAULT));
    assert_eq!(HistogramConfig::DEFAULT.num_buckets(), 119);
    assert_eq!(HistogramConfig::DEFAULT.relative_error(), Some(0.25));
}

/// `histogram` calls the precision grouping power, and its maximum is a power of two.
#[cfg(target_has_atomic = "64")]
#[test]
fn nothing_truncated_is_the_histogram_crates() {
    for precision in 0..=HistogramConfig::MAX_PRECISION {
        let config = HistogramConfig::h2(0, u64::MAX, precision).unwrap();
        let mut reference = Histogram::new(precision as u8, 64).unwrap();
        assert_eq!(config.num_buckets(), reference.as_slice().len());
        for (index, bucket) in reference.iter().enumerate() {
            let range = config.bucket_range(index).unwrap();
            assert_eq!(range.start..=range.largest(), bucket.range());
        }
        let mut counts = vec![0; config.num_buckets()];
        for bit in 0..64 {
            for value in [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1, !0 >> bit] {
                reference.increment(value).unwrap();
                counts[config.index(value)] += 1;
                assert_eq!(
                    counts[config.index(value)],
                    reference.as_slice()[config.index(value)]
                );
            }
        }
        assert_eq!(counts, reference.as_slice());
    }
}

/// The documented relation between a bucket's width and its lower bound, for all layouts that guarantee it.
#[test]
fn a_bucket_is_never_wider_than_the_relative_error() {
    let configs = (0..=10).map(|precision| HistogramConfig::h2(3, 1 << 40, precision).unwrap());
    for config in configs.chain([HistogramConfig::power_of_two(4, 30).unwrap()]) {
        let error = config.relative_error().unwrap();
        for index in 1..config.num_buckets() - 1 {
            let range = config.bucket_range(index).unwrap();
            let width = range.end.unwrap() - range.start;
            assert!(
                width == 1 || width as f64 <= error * range.start as f64,
                "{config:?} {range:?}"
            );
        }
    }
    assert_eq!(HistogramConfig::linear(5, 5).unwrap().relative_error(), None);
}

/// Values of every magnitude with equal probability; `any::<u64>()` hardly generates a small one.
fn magnitudes() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0..64_u32).prop_map(|(value, shift)| value >> shift)
}

proptest! {
    #[test]
    fn an_h2_bucket_holds_its_value(
        min in magnitudes(), max in magnitudes(), precision in 0..=10_u32,
        values in prop::collection::vec(magnitudes(), 20),
    ) {
        prop_assume!(min <= max);
        let config = HistogramConfig::h2(min, max, precision).unwrap();
        prop_assert!(config.bucket_range(0).unwrap().largest() < min.max(1));
        prop_assert_eq!(HistogramConfig::try_from(config.layout()), Ok(config));
        for value in values {
            let index = config.index(value);
            prop_assert!(index < config.num_buckets());
            prop_assert!(config.bucket_range(index).unwrap().contains(value));
        }
    }

    #[test]
    fn a_linear_bucket_is_the_quotient(
        width in magnitudes(), buckets in 1..=HistogramConfig::MAX_BUCKETS,
        values in prop::collection::vec(magnitudes(), 20),
    ) {
        prop_assume!(width > 0);
        let Ok(config) = HistogramConfig::linear(width, buckets) else {
            prop_assert!(u128::from(width) * (buckets as u128 - 1) > u128::from(u64::MAX));
            return Ok(());
        };
        for value in values {
            prop_assert_eq!(config.index(value) as u64, (value / width).min(buckets as u64 - 1));
        }
    }
}
