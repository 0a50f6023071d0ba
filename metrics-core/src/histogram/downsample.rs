//! Merging of buckets, for exporters that can't send them all.

use core::iter;
use core::num::NonZeroUsize;

use super::config::HistogramConfig;
use super::error::HistogramError;
use super::quantile;
use super::range::BucketRange;

/// A histogram's samples in fewer buckets. Each bucket merges some neighbouring buckets of the histogram, so its
/// bounds are exact. It borrows from the histogram, which provides sum, minimum, maximum and quantiles.
///
/// The edges depend only on the layout and the limit, never on the samples. H2 and power-of-two buckets are merged in
/// runs of a power of two, aligned to the grid that all layouts of one precision share. Histograms with different
/// ranges therefore have common edges and can be added up by them, and a smaller limit gives a subset of the edges.
/// The result may have as few as half of the buckets allowed. The last bucket has no upper bound and is never merged,
/// unless the limit is 1.
#[derive(Clone, Copy, Debug)]
pub struct DownsampledHistogram<'a> {
    config: &'a HistogramConfig,
    counts: &'a [u64],
    /// The number of grid positions per bucket; `None` if one bucket holds everything.
    run: Option<NonZeroUsize>,
}

impl<'a> DownsampledHistogram<'a> {
    pub(super) fn new(
        config: &'a HistogramConfig,
        counts: &'a [u64],
        max_buckets: usize,
    ) -> Result<Self, HistogramError> {
        let run = match max_buckets {
            0 => return Err(HistogramError::ZeroBuckets),
            1 => None,
            _ if config.grid().1 => {
                let mut run = NonZeroUsize::MIN;
                // This ends at the latest when the whole grid is one run, which makes two buckets.
                while num_buckets(config, run) > max_buckets {
                    run = run.saturating_add(run.get());
                }
                Some(run)
            }
            // All buckets but the last share the rest of the limit. There may be no bucket but the last.
            _ => {
                let run = (config.num_buckets() - 1).div_ceil(max_buckets - 1);
                Some(NonZeroUsize::new(run).unwrap_or(NonZeroUsize::MIN))
            }
        };
        Ok(Self { config, counts, run })
    }

    /// Returns the number of buckets: at least 1, and at most the given limit.
    pub fn num_buckets(&self) -> usize {
        self.run.map_or(1, |run| num_buckets(self.config, run))
    }

    /// Iterates over the ranges and counts of all buckets in ascending order, including empty ones.
    pub fn iter(&self) -> impl Iterator<Item = (BucketRange, u64)> + 'a {
        let this = *self;
        let mut next = 0;
        iter::from_fn(move || {
            let (first, end) = (next, this.end_of_run(next));
            let start = this.config.bucket_range(first)?.start;
            let end_of_last = this.config.bucket_range(end - 1)?.end;
            let count = quantile::count(this.counts.get(first..end)?);
            next = end;
            Some((
                BucketRange {
                    start,
                    end: end_of_last,
                },
                count,
            ))
        })
    }

    /// Returns the layout's first bucket after those merged with bucket `first`.
    fn end_of_run(&self, first: usize) -> usize {
        let last = self.config.num_buckets() - 1;
        let offset = self.config.grid().0 as usize;
        match self.run {
            Some(run) if first < last => (((first + offset) / run + 1) * run.get() - offset).min(last),
            Some(_) => first + 1,
            None => last + 1,
        }
    }
}

/// Returns the number of buckets with runs of `run` grid positions and a separate last bucket.
fn num_buckets(config: &HistogramConfig, run: NonZeroUsize) -> usize {
    let offset = config.grid().0 as usize;
    match config.num_buckets() - 1 {
        0 => 1,
        last => (offset + last - 1) / run - offset / run + 2,
    }
}
