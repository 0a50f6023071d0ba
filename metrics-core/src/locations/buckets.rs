//! The buckets of a location's poll times: only a few, because each location on each worker has its own.

use crate::histogram::BucketRange;

/// The number of buckets. Each is four times as wide as the one before, from 1 us to 1 s.
pub(crate) const BUCKETS: usize = 12;

/// The end of the first bucket is `4^FIRST` ns, which is 1024 ns.
const FIRST: u32 = 5;

/// Returns the bucket of a poll time in nanoseconds.
#[inline(always)]
pub(crate) fn bucket_of(nanos: u64) -> usize {
    // Half of the binary logarithm is the logarithm to base four.
    let power = (nanos | 1).ilog2() / 2;
    (power.saturating_sub(FIRST - 1) as usize).min(BUCKETS - 1)
}

/// Returns the range of a bucket in nanoseconds; `None` if there is no such bucket.
pub(crate) fn bucket_range(bucket: usize) -> Option<BucketRange> {
    if bucket >= BUCKETS {
        return None;
    }
    let edge = |bucket: usize| 1_u64 << (2 * (bucket as u32 + FIRST));
    Some(BucketRange {
        start: bucket.checked_sub(1).map_or(0, edge),
        end: (bucket + 1 < BUCKETS).then(|| edge(bucket)),
    })
}

#[cfg(all(test, feature = "alloc", target_has_atomic = "ptr"))]
mod tests {
    use super::*;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn each_value_is_in_the_range_of_its_bucket() {
        let edges = (0..64).flat_map(|power| {
            let edge = 1_u64 << power;
            [edge - 1, edge, edge + 1]
        });
        for nanos in edges.chain([0, u64::MAX]) {
            let range = bucket_range(bucket_of(nanos)).unwrap();
            assert!(range.contains(nanos), "{nanos} in {range:?}");
        }
    }

    #[test]
    fn the_buckets_follow_each_other_to_infinity() {
        let mut start = 0;
        for bucket in 0..BUCKETS {
            let range = bucket_range(bucket).unwrap();
            assert_eq!(range.start, start);
            start = range.end.unwrap_or(0);
        }
        assert_eq!(bucket_range(0).unwrap().end, Some(1 << 10));
        assert_eq!(bucket_range(BUCKETS - 1).unwrap().start, 1 << 30);
        assert_eq!(bucket_range(BUCKETS - 1).unwrap().end, None);
        assert_eq!(bucket_range(BUCKETS), None);
    }
}
