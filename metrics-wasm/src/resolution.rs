//! Histogram layouts limited to the resolution of the clock.

use core::time::Duration;
use metrics_core::histogram::{HistogramConfig, HistogramLayout};

/// Returns `config` with its narrow buckets merged until none is narrower than `resolution`.
///
/// A clock reading is off by up to one step of the clock. A narrower bucket would claim a precision that no sample has.
///
/// An H2 layout changes at its low end only: its first bucket grows until the following buckets are wide enough. Linear and
/// power-of-two layouts keep their number of buckets, and each bucket grows. A layout whose range is too small for this is
/// returned unchanged.
pub fn no_finer_than(config: HistogramConfig, resolution: Duration) -> HistogramConfig {
    let step = u64::try_from(resolution.as_nanos()).unwrap_or(u64::MAX);
    let coarser = match config.layout() {
        HistogramLayout::Linear { width, buckets } if width < step => {
            HistogramConfig::linear(step, buckets as usize)
        }
        HistogramLayout::PowerOfTwo {
            first_bucket,
            buckets,
        } if first_bucket < step => HistogramConfig::power_of_two(step, buckets as usize),
        HistogramLayout::H2 { min, max, precision } => {
            // From `2^k` on, a bucket is `2^(k - precision)` wide.
            let floor = step
                .checked_next_power_of_two()
                .and_then(|width| width.checked_mul(1 << precision));
            match floor {
                Some(floor) if step > 1 && min < floor => HistogramConfig::h2(floor, max, precision),
                _ => return config,
            }
        }
        _ => return config,
    };
    coarser.unwrap_or(config)
}

/// Returns a threshold of the flight recorder that a clock with this resolution can measure. A short poll seems to last up
/// to one step, so the threshold is at least two. Zero remains: each poll is then an event of its own.
pub(crate) fn threshold_no_finer_than(threshold: Duration, resolution: Duration) -> Duration {
    if threshold.is_zero() {
        threshold
    } else {
        threshold.max(resolution.saturating_mul(2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// The width of the narrowest bucket that has an upper bound.
    fn narrowest(config: &HistogramConfig) -> u64 {
        (0..config.num_buckets())
            .filter_map(|i| config.bucket_range(i))
            .filter_map(|range| Some(range.end? - range.start))
            .min()
            .unwrap_or(u64::MAX)
    }

    #[test]
    fn a_threshold_is_at_least_two_steps_of_the_clock_or_zero() {
        let [coarse, fine] = [100, 1].map(Duration::from_micros);
        let default = Duration::from_micros(10);
        assert_eq!(threshold_no_finer_than(default, coarse), 2 * coarse);
        assert_eq!(threshold_no_finer_than(default, fine), default);
        assert_eq!(threshold_no_finer_than(Duration::ZERO, coarse), Duration::ZERO);
    }

    #[test]
    fn no_bucket_is_narrower_than_the_resolution() {
        let configs = [
            HistogramConfig::DEFAULT,
            HistogramConfig::h2(0, 1_000_000_000, 0).unwrap(),
            HistogramConfig::h2(1, 60_000_000_000, 5).unwrap(),
            HistogramConfig::linear(50_000, 20).unwrap(),
            HistogramConfig::power_of_two(100, 20).unwrap(),
        ];
        for config in configs {
            for nanos in [1, 20, 1_000, 5_000, 100_000, 1_000_000, 16_700_000] {
                let coarser = no_finer_than(config, Duration::from_nanos(nanos));
                assert!(
                    narrowest(&coarser) >= nanos,
                    "{config:?} on a clock of {nanos} ns became {coarser:?}"
                );
                assert!(
                    narrowest(&coarser) <= narrowest(&config).max(2 * nanos),
                    "coarser than needed: {coarser:?}"
                );
            }
        }
    }

    #[test]
    fn a_fine_clock_leaves_the_layout_unchanged() {
        for config in [
            HistogramConfig::DEFAULT,
            HistogramConfig::linear(1_000, 20).unwrap(),
        ] {
            assert_eq!(no_finer_than(config, Duration::from_nanos(1)), config);
            assert_eq!(no_finer_than(config, Duration::ZERO), config);
        }
    }

    #[test]
    fn a_layout_below_the_resolution_is_unchanged() {
        let config = HistogramConfig::h2(1, 1_000, 2).unwrap();
        assert_eq!(no_finer_than(config, Duration::MAX), config);
        assert_eq!(no_finer_than(config, Duration::from_secs(1)), config);
    }
}
