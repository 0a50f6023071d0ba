//! `Debug` output of histograms: the number of samples and their range, without the counts.

use super::counts::Counts;
use super::difference::HistogramInterval;
use super::quantile::Quantile;
use super::snapshot::HistogramSnapshot;
use core::fmt;

const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)];

fn quantiles(f: &mut fmt::DebugStruct<'_, '_>, quantile: impl Fn(f64) -> Option<Quantile>) {
    for (name, q) in QUANTILES {
        if let Some(quantile) = quantile(q) {
            f.field(name, &quantile.estimate);
        }
    }
}

impl<C: Counts> fmt::Debug for HistogramSnapshot<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("HistogramSnapshot");
        f.field("count", &self.count()).field("sum", &self.sum());
        if let Some((min, max)) = self.min().zip(self.max()) {
            f.field("min", &min);
            quantiles(&mut f, |q| self.quantile(q));
            f.field("max", &max);
        }
        f.finish_non_exhaustive()
    }
}

impl<C: Counts> fmt::Debug for HistogramInterval<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("HistogramInterval");
        f.field("count", &self.count()).field("sum", &self.sum());
        quantiles(&mut f, |q| self.quantile(q));
        f.finish_non_exhaustive()
    }
}
