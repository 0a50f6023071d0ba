//! The values that both sides of a comparison record.

use crate::harness::Random;

/// The number of values before a stream repeats, large enough that no branch predictor can memorise it.
pub(crate) const VALUES: usize = 1 << 14;

/// Poll times in nanoseconds as in a service: most around a microsecond, with a tail of some milliseconds.
pub(crate) fn poll_times() -> Vec<u64> {
    let mut random = Random::new(7);
    (0..VALUES)
        .map(|_| {
            // Uniform bits are added as doublings, which approximates a log-normal distribution and is the same on every machine.
            let doublings = (0..8).map(|_| random.below(4)).sum::<u64>();
            let base = 16_u64 << (doublings / 2);
            base + random.below(base)
        })
        .collect()
}

/// The same values as seconds, for the peers that record floating point.
pub(crate) fn poll_seconds() -> Vec<f64> {
    poll_times().iter().map(|&nanos| nanos as f64 / 1e9).collect()
}
