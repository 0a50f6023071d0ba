//! Fewer, wider buckets for those who can't take them all.

use core::iter;
use core::num::NonZeroUsize;

use super::config::HistogramConfig;
use super::error::HistogramError;
use super::quantile;
use super::range::BucketRange;

/// A histogram's samples in fewer buckets: each is some neighbouring buckets together, so its bounds are true
/// bounds. Borrowed from the histogram, which keeps sum, minimum, maximum and quantiles.
///
/// The edges follow from the layout and the limit alone, never from the samples. H2 and power-of-two buckets are
/// merged in runs of a power of two, aligned to the grid that all layouts of one precision share: histograms of
/// different range have common edges, so that they can be added up by their edges, and a smaller limit gives a
/// subset of the edges. That can leave the result with as few as half of the buckets allowed. The last bucket,
/// which reaches infinity, stays by itself unless the limit is 1.
#[derive(Clone, Copy, Debug)]
pub struct DownsampledHistogram<'a> {
    config: &'a HistogramConfig,
    counts: &'a [u64],
    /// How many places on the grid a bucket spans; `None` if one bucket holds everything.
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
                // Ends at the latest when the whole grid is one run, which makes two buckets.
                while num_buckets(config, run) > max_buckets {
                    run = run.saturating_add(run.get());
                }
                Some(run)
            }
            // All buckets but the last share what is left of the limit; there may be none but the last.
            _ => {
                let run = (config.num_buckets() - 1).div_ceil(max_buckets - 1);
                Some(NonZeroUsize::new(run).unwrap_or(NonZeroUsize::MIN))
            }
        };
        Ok(Self { config, counts, run })
    }

    /// Number of buckets: at least 1, at most the limit that was given.
    pub fn num_buckets(&self) -> usize {
        self.run.map_or(1, |run| num_buckets(self.config, run))
    }

    /// Every bucket's range and count, in ascending order, empty buckets included.
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

    /// The layout's bucket after those that share one with bucket `first`.
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

/// Number of buckets in runs of `run` places on the grid, with the last bucket by itself.
fn num_buckets(config: &HistogramConfig, run: NonZeroUsize) -> usize {
    let offset = config.grid().0 as usize;
    match config.num_buckets() - 1 {
        0 => 1,
        last => (offset + last - 1) / run - offset / run + 2,
    }
}
