//! The values that both sides of a comparison record.

use crate::harness::Random;

/// How many values a stream has before it starts again: long enough that no branch predictor learns it by heart.
pub(crate) const VALUES: usize = 1 << 14;

/// Poll times in nanoseconds as a service has them: most around a microsecond, a tail to some milliseconds.
pub(crate) fn poll_times() -> Vec<u64> {
    let mut random = Random::new(7);
    (0..VALUES)
        .map(|_| {
            // The sum of eight uniform bits' worth of doublings: near enough to a log-normal, and the same everywhere.
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
