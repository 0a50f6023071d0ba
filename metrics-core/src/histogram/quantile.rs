//! Quantiles from bucket counts, with bounds on their error.

use super::config::HistogramConfig;
use super::range::ValueBounds;

/// A quantile of a histogram: the value of one sample, with bounds from its bucket.
///
/// The quantile `q` of `n` samples is the sample of rank `k` in sorted order, where the smallest sample has rank 1.
/// `k` is the smallest rank of at least 1 for which `k / n >= q` holds in `f64`. The quantile 0 is therefore the
/// smallest sample and the quantile 1 the largest. The quantile 0.5 of an even number of samples is the lower of the
/// two in the middle, and the quantile 0.9 of ten samples is the ninth. The rank is exact up to `2^53` samples.
///
/// The sample is guaranteed to lie in `lower..=upper`: these are the bounds of its bucket, tightened by the smallest
/// and largest recorded value. Except in the first and the last bucket, the layout limits their distance
/// ([`HistogramConfig::relative_error`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Quantile {
    /// The lower bound of the sample.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub lower: u64,
    /// The upper bound of the sample.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub upper: u64,
    /// An estimate of the sample, computed as if the bucket's samples were spread evenly over these bounds. It is only
    /// guaranteed to lie within them.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_u64"))]
    pub estimate: u64,
}

/// The data from which quantiles are computed.
pub(super) struct Samples<'a> {
    pub(super) config: &'a HistogramConfig,
    pub(super) counts: &'a [u64],
    /// The bounds of the smallest and the largest sample.
    pub(super) min: ValueBounds,
    pub(super) max: ValueBounds,
}

impl Samples<'_> {
    /// Computes `quantiles[i]` into `out[i]`, in one pass over the buckets if they ascend.
    pub(super) fn quantiles(&self, quantiles: &[f64], out: &mut [Option<Quantile>]) {
        out.fill(None);
        let total = count(self.counts);
        let (mut index, mut below) = (0, 0_u64);
        for (&quantile, out) in quantiles.iter().zip(out) {
            let Some(rank) = rank(quantile, total) else {
                continue;
            };
            if rank <= below {
                (index, below) = (0, 0);
            }
            while let Some(&count) = self.counts.get(index) {
                let up_to = below.saturating_add(count);
                if rank <= up_to {
                    *out = self.sample(index, rank - below, count, rank, total);
                    break;
                }
                below = up_to;
                index += 1;
            }
        }
    }

    /// Returns the `position`-th of the `count` samples in bucket `index`. Its rank among all samples is `rank`.
    fn sample(&self, index: usize, position: u64, count: u64, rank: u64, total: u64) -> Option<Quantile> {
        let known = if rank == 1 {
            self.min
        } else if rank == total {
            self.max
        } else {
            ValueBounds {
                lower: self.min.lower,
                upper: self.max.upper,
            }
        };
        let ValueBounds { lower, upper } = known.within(self.config.bucket_range(index)?)?;
        // The middle of the position-th of `count` equal parts. The product is below 2^128, and at least half
        // a width, as the position is at least 1.
        let width = u128::from(upper - lower);
        let into = (width * u128::from(position) - width / 2).checked_div(u128::from(count))?;
        Some(Quantile {
            lower,
            upper,
            estimate: lower + into as u64,
        })
    }
}

/// Returns the number of samples in all buckets.
pub(super) fn count(counts: &[u64]) -> u64 {
    counts.iter().fold(0, |sum, &count| sum.saturating_add(count))
}

/// Returns the mean, if there are samples.
pub(super) fn mean(sum: u64, count: u64) -> Option<f64> {
    (count != 0).then(|| sum as f64 / count as f64)
}

/// Returns the rank of a quantile, from 1 to `total`; `None` if there is no sample or the quantile is out of range.
// Neither factor of the cast value is negative.
#[allow(clippy::cast_sign_loss)]
fn rank(quantile: f64, total: u64) -> Option<u64> {
    if total == 0 || !(0.0..=1.0).contains(&quantile) {
        return None;
    }
    if quantile >= 1.0 {
        return Some(total);
    }
    let reached = |rank: u64| rank as f64 / total as f64 >= quantile;
    // The product is rounded once, so the rank is off by at most one in either direction.
    let mut rank = (quantile * total as f64) as u64;
    if rank > 0 && reached(rank - 1) {
        rank -= 1;
    } else if !reached(rank) {
        rank += 1;
    }
    Some(rank.clamp(1, total))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_rank_is_the_smallest_that_reaches_the_quantile() {
        for total in 1..=200_u64 {
            for percent in 0..=1000_u64 {
                let quantile = percent as f64 / 1000.0;
                let exact = (percent * total).div_ceil(1000).max(1);
                assert_eq!(rank(quantile, total), Some(exact), "{quantile} of {total}");
            }
        }
    }

    #[test]
    fn a_rank_just_above_a_step_is_the_next() {
        assert_eq!(rank(0.9_f64.next_up(), 10), Some(10));
        assert_eq!(rank(0.9, 10), Some(9));
        assert_eq!(rank(0.9_f64.next_down(), 10), Some(9));
        assert_eq!(rank(f64::MIN_POSITIVE, 10), Some(1));
    }

    #[test]
    fn no_total_is_too_large_for_a_rank() {
        for total in [1 << 53, (1 << 53) + 1, u64::MAX - 1, u64::MAX] {
            assert_eq!(rank(0.0, total), Some(1));
            assert_eq!(rank(1.0, total), Some(total));
            let half = rank(0.5, total).unwrap();
            assert!(half.abs_diff(total / 2) <= 2048, "{half} of {total}");
        }
    }

    #[test]
    fn an_invalid_quantile_has_no_rank() {
        for quantile in [
            -0.1,
            1.1,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            -f64::MIN_POSITIVE,
        ] {
            assert_eq!(rank(quantile, 10), None);
        }
        assert_eq!(rank(0.5, 0), None);
    }
}
