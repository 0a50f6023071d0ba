//! Storage of a snapshot's bucket counts.

use core::fmt::Debug;

use super::error::CapacityError;

/// Stores the bucket counts of a snapshot: `Vec<u64>` with the feature `alloc`, `heapless::Vec<u64, N>` without.
///
/// # Implementing
///
/// - After `try_resize(len)` returns `Ok`, both slices MUST be `len` long. Earlier counts MUST be unchanged, and new ones 0.
/// - After it returns `Err`, the counts MUST be unchanged.
/// - It MUST NOT allocate to become shorter, or to return to a length that it had before.
/// - [`Default`] MUST be empty and MUST NOT allocate.
///
/// If an implementation breaks these rules, nothing panics, but the numbers are wrong.
pub trait Counts: Clone + Debug + Default + PartialEq {
    /// Resizes the storage to `len` counts.
    ///
    /// # Errors
    ///
    /// Returns a [`CapacityError`] if there is no room for that many.
    fn try_resize(&mut self, len: usize) -> Result<(), CapacityError>;

    /// Returns the counts by bucket.
    fn as_slice(&self) -> &[u64];

    /// Returns the counts by bucket, mutably.
    fn as_mut_slice(&mut self) -> &mut [u64];
}

#[cfg(feature = "alloc")]
impl Counts for alloc::vec::Vec<u64> {
    fn try_resize(&mut self, len: usize) -> Result<(), CapacityError> {
        self.try_reserve(len.saturating_sub(self.len()))
            .map_err(|_| CapacityError {
                required: len,
                capacity: self.capacity(),
            })?;
        self.resize(len, 0);
        Ok(())
    }

    fn as_slice(&self) -> &[u64] {
        self
    }

    fn as_mut_slice(&mut self) -> &mut [u64] {
        self
    }
}

impl<const N: usize> Counts for heapless::Vec<u64, N> {
    fn try_resize(&mut self, len: usize) -> Result<(), CapacityError> {
        self.resize(len, 0).map_err(|_| CapacityError {
            required: len,
            capacity: N,
        })
    }

    fn as_slice(&self) -> &[u64] {
        self
    }

    fn as_mut_slice(&mut self) -> &mut [u64] {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// The rules of [`Counts`].
    fn check<C: Counts>() {
        let mut counts = C::default();
        assert!(counts.as_slice().is_empty());
        assert_eq!(counts.try_resize(3), Ok(()));
        counts.as_mut_slice().copy_from_slice(&[1, 2, 3]);
        assert_eq!(counts.try_resize(4), Ok(()));
        assert_eq!(counts.as_slice(), [1, 2, 3, 0]);
        assert_eq!(counts.try_resize(1), Ok(()));
        assert_eq!(counts.as_slice(), [1]);
        assert_eq!(counts.try_resize(2), Ok(()));
        assert_eq!(counts.as_slice(), [1, 0]);
        let required = usize::MAX;
        let refused = counts.try_resize(required).map_err(|error| error.required);
        assert_eq!(refused, Err(required));
        assert_eq!(counts.as_slice(), [1, 0]);
    }

    #[test]
    fn storage_of_fixed_size() {
        check::<heapless::Vec<u64, 4>>();
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn storage_on_the_heap() {
        check::<alloc::vec::Vec<u64>>();
    }
}
