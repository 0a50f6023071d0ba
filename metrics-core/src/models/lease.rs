//! A slot's lease: one holder at a time, and the next holder continues from the last one's totals.

use super::explore;
use crate::cell::{OwnedU64, U64Cell};
use crate::slot::Lease;
use crate::sync::thread;
use alloc::sync::Arc;

/// Leases the slot if it is free, counts one event with a load and a store as a single writer does, and releases it.
fn work(slot: &(Lease, OwnedU64), claim: impl Fn(&Lease) -> bool) -> u64 {
    if !claim(&slot.0) {
        return 0;
    }
    slot.1.add(1);
    slot.0.release();
    1
}

#[test]
fn a_released_slot_goes_on_from_its_totals() {
    explore(3, || {
        let slot = Arc::new((Lease::vacant(), OwnedU64::new(0)));
        let mut leases = work(&slot, |lease| lease.claim_vacant(0));
        assert_eq!(leases, 1);
        let threads: [_; 2] = core::array::from_fn(|_| {
            let slot = Arc::clone(&slot);
            thread::spawn(move || work(&slot, |lease| lease.claim_again(0)))
        });
        for thread in threads {
            leases += thread.join().unwrap();
        }
        assert!(leases >= 2, "the first lease finds it free");
        assert_eq!(slot.1.get(), leases, "no lease loses the count of another");
        assert_eq!(slot.0.worker(), Some(0));
        assert!(!slot.0.is_leased());
    });
}

#[test]
fn a_vacant_slot_has_one_taker() {
    explore(3, || {
        let slot = Arc::new(Lease::vacant());
        let other = Arc::clone(&slot);
        let other = thread::spawn(move || other.claim_vacant(1));
        let ours = slot.claim_vacant(0);
        let theirs = other.join().unwrap();
        assert_ne!(ours, theirs);
        assert_eq!(slot.worker(), Some(usize::from(theirs)));
    });
}
