//! The index of a value in an H2 layout, and the start of the bucket with an index.

/// The parameters of an H2 layout, before values are folded into the first or the last bucket.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Groups {
    /// The first value of the second group: `2^precision`.
    unit: u64,
    pub(super) precision: u32,
    /// The number of buckets in a group: `2^precision`.
    buckets: u32,
}

impl Groups {
    /// A precision that gives every value an index above that of any bucket: at least 11 (31 less 20) groups of 2^20
    /// buckets.
    pub(super) const NONE: Self = Self {
        unit: 1 << 31,
        precision: 20,
        buckets: 1 << 20,
    };

    pub(super) const fn of(precision: u32) -> Self {
        Self {
            unit: 1 << precision,
            precision,
            buckets: 1 << precision,
        }
    }
}

/// Returns the H2 index of a value.
// Not `ilog2`, which keeps a panic for 0 if the compiler can't see that the argument isn't 0.
#[allow(clippy::manual_ilog2)]
#[inline]
pub(super) const fn full_index(value: u64, groups: Groups) -> u32 {
    let (unit, precision) = (groups.unit, groups.precision);
    // Short values (up to 4 s in nanoseconds) need no 64-bit shifts on a 32-bit machine.
    if cfg!(target_pointer_width = "32") && value <= u32::MAX as u64 {
        return full_index_32(value as u32, unit as u32, precision);
    }
    // The compiler must not know that `unit` is not zero: x86-64's `bsr` leaves its target unchanged for zero, so it
    // would wait for the target's previous value, and each index for the one before it. Otherwise the compiler first
    // writes to the target.
    let group = ((value | unit).leading_zeros() ^ 63) - precision;
    // A product instead of a shift, which can take its count only from one register on x86.
    group * groups.buckets + (value >> group) as u32
}

#[inline]
const fn full_index_32(value: u32, unit: u32, precision: u32) -> u32 {
    let group = top_bit(value | unit) - precision;
    (group << precision) + (value >> group)
}

/// Returns the number of the highest set bit; 0 for 0.
#[allow(clippy::manual_ilog2)]
#[inline]
const fn top_bit(value: u32) -> u32 {
    // A Cortex-M0 has no instruction that counts leading zeros, and calls a function that takes twice as long as this.
    // Nearly all processors with compare-and-swap have that instruction.
    if cfg!(target_has_atomic = "ptr") {
        31 - (value | 1).leading_zeros()
    } else {
        halve(value)
    }
}

/// Returns the number of the highest set bit in three steps, unrolled (optimised for size, a loop would remain), and a
/// table lookup.
#[inline]
const fn halve(mut value: u32) -> u32 {
    const OF_FOUR_BITS: [u8; 16] = [0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3];
    let mut bit = 0;
    if value >> 16 != 0 {
        value >>= 16;
        bit = 16;
    }
    if value >> 8 != 0 {
        value >>= 8;
        bit += 8;
    }
    if value >> 4 != 0 {
        value >>= 4;
        bit += 4;
    }
    bit + OF_FOUR_BITS[value as usize & 15] as u32
}

/// Returns the start of the bucket with that index, the inverse of the index.
pub(super) const fn full_start(index: u32, precision: u32) -> u64 {
    let group = (index >> precision).saturating_sub(1);
    ((index - (group << precision)) as u64) << group
}

/// The number of significant bits, less one, of a value in 32 bits.
const SHORT_PRECISION: u32 = 26;

/// Encodes a value in 32 bits, for extremes that many threads update without a 64-bit compare-and-swap. A greater
/// value never has a smaller code. The code is exact below 2^27, which is 134 ms in nanoseconds. Above, values that
/// agree in their first 27 bits share a code.
pub(crate) const fn short_code(value: u64) -> u32 {
    full_index(value, Groups::of(SHORT_PRECISION))
}

/// Returns the smallest and the largest value with this code.
#[cfg(any(test, all(feature = "alloc", target_has_atomic = "ptr")))]
pub(crate) const fn values_of_short_code(code: u32) -> (u64, u64) {
    let (start, next) = (
        full_start(code, SHORT_PRECISION),
        full_start(code + 1, SHORT_PRECISION),
    );
    // After the last code the start is 2^64, of which 64 bits are zero.
    (start, next.wrapping_sub(1))
}

/// Returns the index of `u64::MAX`.
pub(super) const fn top_index(precision: u32) -> u32 {
    ((65 - precision) << precision) - 1
}

#[cfg(test)]
mod tests {
    use super::super::limits::{MAX_BUCKETS, MAX_PRECISION};
    use super::*;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// The version for 32-bit machines is not called on the machine that runs the tests.
    #[test]
    fn short_values_have_the_same_index_on_32_bit_machines() {
        for precision in 0..=MAX_PRECISION {
            for bit in 0..32 {
                for value in [
                    (1_u32 << bit) - 1,
                    1 << bit,
                    (1 << bit) + 1,
                    (1 << bit) | (1 << bit >> 1),
                ] {
                    assert_eq!(
                        full_index_32(value, 1 << precision, precision),
                        full_index(u64::from(value), Groups::of(precision))
                    );
                }
            }
            assert_eq!(
                full_index_32(u32::MAX, 1 << precision, precision),
                full_index(u64::from(u32::MAX), Groups::of(precision))
            );
        }
    }

    #[test]
    fn three_steps_and_a_table_find_the_highest_bit() {
        assert_eq!(halve(0), 0);
        for bit in 0..32 {
            for value in [1 << bit, (1 << bit) | (1 << bit >> 1), u32::MAX >> (31 - bit)] {
                assert_eq!(halve(value), bit);
                assert_eq!(top_bit(value), bit);
            }
        }
    }

    #[test]
    fn a_short_code_stands_for_few_values_in_order() {
        let mut last = None;
        for bit in 2..64 {
            for value in [1 << bit, (1 << bit) + (1 << bit >> 3) + 1, u64::MAX >> (63 - bit)] {
                let code = short_code(value);
                let (from, to) = values_of_short_code(code);
                assert!((from..=to).contains(&value));
                assert!(to - from <= value >> SHORT_PRECISION, "{value}");
                assert!(last <= Some(code));
                last = Some(code);
            }
        }
        assert_eq!(values_of_short_code(short_code(0)), (0, 0));
    }

    #[test]
    fn the_top_index_is_that_of_the_largest_value() {
        for precision in 0..=MAX_PRECISION {
            assert_eq!(full_index(u64::MAX, Groups::of(precision)), top_index(precision));
            assert!((top_index(precision) as usize) < MAX_BUCKETS);
        }
    }

    #[test]
    fn a_layout_without_groups_has_no_fast_index() {
        for bit in 0..64 {
            for value in [0, 1 << bit, (1 << bit) - 1, u64::MAX >> bit] {
                assert!(full_index(value, Groups::NONE) as usize >= MAX_BUCKETS);
                let (value, unit) = (value as u32, Groups::NONE.unit as u32);
                let short = full_index_32(value, unit, Groups::NONE.precision);
                assert_eq!(short, full_index(value.into(), Groups::NONE));
            }
        }
    }
}
