//! The getters that a histogram and an interval of it share.

/// Defines the getters of a type with a layout, counts and a sum.
macro_rules! getters {
    ($histogram:ident) => {
        impl<C: Counts> $histogram<C> {
            /// Returns the layout of the buckets.
            pub fn config(&self) -> &HistogramConfig {
                &self.config
            }

            /// Returns the number of samples, which it adds up from the counts.
            pub fn count(&self) -> u64 {
                quantile::count(self.buckets())
            }

            /// Returns the sum of the values, in their unit. It saturates at `u64::MAX`.
            pub fn sum(&self) -> u64 {
                self.sum
            }

            /// Returns the mean of the values; `None` if there is no sample.
            pub fn mean(&self) -> Option<f64> {
                quantile::mean(self.sum, self.count())
            }

            /// Returns the counts by bucket. There are [`HistogramConfig::num_buckets`] of them.
            pub fn buckets(&self) -> &[u64] {
                self.counts.as_slice()
            }

            /// Iterates over the ranges and counts of all buckets in ascending order, including empty ones.
            pub fn iter(&self) -> impl Iterator<Item = (BucketRange, u64)> + '_ {
                let buckets = self.buckets().iter().enumerate();
                buckets.filter_map(|(index, &count)| Some((self.config.bucket_range(index)?, count)))
            }

            /// Returns a [quantile](Quantile) from 0 to 1; `None` if there is no sample or `quantile` is out of range.
            ///
            /// The quantiles 0 and 1 are the minimum and the maximum: exact ones in a snapshot, and bounds of them in an
            /// interval.
            pub fn quantile(&self, quantile: f64) -> Option<Quantile> {
                let mut out = [None];
                self.quantiles(&[quantile], &mut out);
                out[0]
            }

            /// Returns the samples in at most `max_buckets` buckets, with neighbouring buckets merged, for an exporter that
            /// can't send all of them. The edges depend only on the layout, so they don't change from one scrape to the
            /// next.
            ///
            /// # Errors
            ///
            /// Returns [`HistogramError::ZeroBuckets`] if `max_buckets` is 0.
            pub fn downsample(&self, max_buckets: usize) -> Result<DownsampledHistogram<'_>, HistogramError> {
                DownsampledHistogram::new(&self.config, self.buckets(), max_buckets)
            }
        }
    };
}
pub(super) use getters;
