//! A worker records polls in the row of a location while a reader reads it.

use super::{explore, whole};
use crate::cell::{OwnedU64, U64Cell};
use crate::locations::LocationRow;
use crate::sync::thread;
use alloc::sync::Arc;

/// The time of each poll, in a bucket above the first.
const TIME: u64 = whole(1);

trait Row: Send + Sync + 'static {
    fn new() -> Self;
    fn record(&self);
    /// Returns the polls, the measured polls and the sum of their times.
    fn try_read(&self) -> Option<[u64; 3]>;
}

impl Row for LocationRow {
    fn new() -> Self {
        Self::new()
    }

    fn record(&self) {
        self.record(Some(TIME), None);
    }

    fn try_read(&self) -> Option<[u64; 3]> {
        let values = self.try_read()?;
        Some([
            values.polls,
            values.poll_time_buckets.iter().sum(),
            values.poll_time,
        ])
    }
}

/// The same values without a sequence count.
struct Unguarded([OwnedU64; 3]);

impl Row for Unguarded {
    fn new() -> Self {
        Self([(); 3].map(|()| OwnedU64::new(0)))
    }

    fn record(&self) {
        let [polls, measured, time] = &self.0;
        polls.add(1);
        time.add(TIME);
        measured.add(1);
    }

    fn try_read(&self) -> Option<[u64; 3]> {
        let [polls, measured, time] = &self.0;
        Some([polls.get(), measured.get(), time.get()])
    }
}

fn a_row_has_whole_polls<R: Row>() {
    explore(2, || {
        let row = Arc::new(R::new());
        row.record();
        // The reader runs on the second thread, so that loom runs the second poll first: it derives other orders from
        // the last access to a cell, which is then the writer's store, and not its load of its own value.
        let reader = Arc::clone(&row);
        let reader = thread::spawn(move || {
            if let Some([polls, measured, time]) = reader.try_read() {
                assert!((1..=2).contains(&polls));
                assert_eq!(
                    [measured, time],
                    [polls, polls * TIME],
                    "the values of whole polls"
                );
            }
        });
        row.record();
        reader.join().unwrap();
        assert_eq!(row.try_read(), Some([2, 2, 2 * TIME]));
    });
}

#[test]
fn a_row_is_never_read_in_the_middle_of_a_poll() {
    a_row_has_whole_polls::<LocationRow>();
}

#[test]
#[should_panic(expected = "the values of whole polls")]
fn without_the_sequence_count_it_is() {
    a_row_has_whole_polls::<Unguarded>();
}
