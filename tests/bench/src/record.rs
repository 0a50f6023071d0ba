//! Records one value: our batch's histogram against histogram libraries.

use crate::harness::{Build, Measured, Named, Side, side, timed};
use crate::values::{VALUES, poll_seconds, poll_times};
use std::hint::black_box;

/// Every library's side.
pub(crate) const SIDES: &[Named] = &[
    #[cfg(metrics_core_bench)]
    side("record/ours", ours::NARROW),
    #[cfg(metrics_core_bench)]
    side("record/ours-7424", ours::WIDE),
    side("record/histogram", HISTOGRAM),
    side("record/hdrhistogram", HDRHISTOGRAM),
    side("record/prometheus-client-119", PROMETHEUS_119),
    side("record/prometheus-client-20", PROMETHEUS_20),
    side("record/metrics-util-119", METRICS_UTIL_119),
    side("record/metrics-util-20", METRICS_UTIL_20),
    side("record/metrics-util-summary", METRICS_UTIL_SUMMARY),
];

/// 2^36 ns is the first power of two above the 60 s at which our default layout ends.
const MAX_VALUE_POWER: u8 = 36;
const MAX_NANOS: u64 = 60_000_000_000;

/// The core exposes a worker's histogram only under this cfg, which `cargo xtask bench` sets.
#[cfg(metrics_core_bench)]
mod ours {
    use super::stream;
    use crate::harness::{Build, Side};
    use crate::ours::{LAYOUT, wide_layout};
    use crate::values::poll_times;
    use metrics_core::HistogramConfig;
    use metrics_core::bench::BatchAndSlot;
    use std::hint::black_box;

    fn side(layout: HistogramConfig) -> Box<dyn Side> {
        let histogram = BatchAndSlot::new(layout);
        stream(poll_times(), move |nanos| black_box(&histogram).record(nanos))
    }

    pub(super) const NARROW: Build = || side(LAYOUT);
    pub(super) const WIDE: Build = || side(wide_layout());
}

/// Records the stream over and over.
fn stream<V: Copy + 'static>(values: Vec<V>, mut record: impl FnMut(V) + 'static) -> Box<dyn Side> {
    assert_eq!(values.len(), VALUES);
    Box::new(move |ops: u64| -> Measured {
        timed(ops, || {
            for i in 0..ops {
                record(values[i as usize % VALUES]);
            }
        })
    })
}

const HISTOGRAM: Build = || {
    let mut histogram = histogram::Histogram::new(2, MAX_VALUE_POWER).expect("a valid configuration");
    stream(poll_times(), move |nanos| {
        let _ = black_box(&mut histogram).increment(nanos);
    })
};

/// One significant digit is its coarsest setting, and nearest to our quarter of a power of two.
const HDRHISTOGRAM: Build = || {
    let mut histogram =
        hdrhistogram::Histogram::<u64>::new_with_bounds(1, MAX_NANOS, 1).expect("valid bounds");
    stream(poll_times(), move |nanos| {
        let _ = black_box(&mut histogram).record(nanos);
    })
};

/// `count` bounds from 100 ns to 60 s, each the same factor above the last.
fn bounds(count: u32) -> Vec<f64> {
    let factor = (60.0_f64 / 100e-9).powf(1.0 / f64::from(count - 1));
    (0..count)
        .map(|i| 100e-9 * factor.powi(i.cast_signed()))
        .collect()
}

fn prometheus(buckets: u32) -> Box<dyn Side> {
    let histogram = prometheus_client::metrics::histogram::Histogram::new(bounds(buckets));
    stream(poll_seconds(), move |seconds| {
        black_box(&histogram).observe(seconds);
    })
}

const PROMETHEUS_119: Build = || prometheus(119);
const PROMETHEUS_20: Build = || prometheus(20);

fn metrics_util(buckets: u32) -> Box<dyn Side> {
    let mut histogram =
        metrics_util::storage::Histogram::new(&bounds(buckets)).expect("bounds that are not empty");
    stream(poll_seconds(), move |seconds| {
        black_box(&mut histogram).record(seconds);
    })
}

const METRICS_UTIL_119: Build = || metrics_util(119);
const METRICS_UTIL_20: Build = || metrics_util(20);

/// Its quantile sketch, which keeps count, sum, min and max as ours does.
const METRICS_UTIL_SUMMARY: Build = || {
    let mut summary = metrics_util::storage::Summary::with_defaults();
    stream(poll_seconds(), move |seconds| {
        black_box(&mut summary).add(seconds);
    })
};
