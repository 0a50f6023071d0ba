//! A histogram that several threads record into, while a reader reads.

use super::explore;
use crate::cell::SharedSum;
use crate::histogram::HistogramConfig;
use crate::record::SharedHistogram;
use crate::sync::thread;
use alloc::boxed::Box;
use alloc::sync::Arc;

type Cells = Box<[SharedSum]>;

fn cells(cells: &Cells) -> &[SharedSum] {
    cells
}

fn config() -> HistogramConfig {
    HistogramConfig::linear(1, 1).unwrap()
}

/// Each value makes the sum carry into its high word, or adds to that word.
const VALUES: [u64; 2] = [u32::MAX as u64, 5 << 32 | 7];

fn check(read: Option<(u64, u64, u64)>, samples: u64) {
    let Some((sum, min, max)) = read else { return };
    let sums = [0, VALUES[0], VALUES[1], VALUES[0] + VALUES[1]];
    assert_eq!(
        samples,
        match sum {
            0 => 0,
            sum if sum == sums[3] => 2,
            _ => 1,
        }
    );
    assert!(sums.contains(&sum), "{sum}");
    assert!(samples == 0 || (min <= sum && max <= sum + (sum >> 26)));
}

#[test]
fn a_read_sees_whole_records() {
    explore(2, || {
        let histogram = Arc::new(SharedHistogram::new(
            [SharedSum::new(0)].into_iter().collect::<Cells>(),
        ));
        let writers = VALUES.map(|value| {
            let histogram = Arc::clone(&histogram);
            thread::spawn(move || histogram.record(cells, &config(), value))
        });
        let mut buckets = [0];
        let read = histogram.try_read(cells, &config(), &mut buckets);
        check(read, buckets[0]);
        for writer in writers {
            writer.join().unwrap();
        }
        let read = histogram.try_read(cells, &config(), &mut buckets);
        assert!(read.is_some());
        check(read, buckets[0]);
        assert_eq!(buckets, [2]);
    });
}
