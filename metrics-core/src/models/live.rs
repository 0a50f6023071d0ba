//! The live record: state, site, since and number are of one poll, or of none.

use super::{explore, whole};
use crate::live::{Live, Site, WorkerState};
use crate::sync::thread;
use alloc::sync::Arc;

#[test]
fn a_record_is_of_one_poll() {
    explore(3, || {
        let live = Arc::new(Live::new());
        let worker = Arc::clone(&live);
        let worker = thread::spawn(move || {
            for n in 1..=2_u32 {
                worker.start_poll(Site::from_u32(n), whole(u64::from(n)), u64::from(n));
                worker.end_poll(true);
            }
        });
        if let Some(record) = live.try_read()
            && record.state == WorkerState::Polling
        {
            let n = record.poll_number;
            assert!((1..=2).contains(&n));
            assert_eq!(u64::from(record.site.as_u32()), n);
            assert_eq!(record.since.map(|since| since.ticks()), Some(whole(n)));
        }
        worker.join().unwrap();
        let record = live.try_read().unwrap();
        assert_eq!((record.state, record.poll_number), (WorkerState::Running, 2));
    });
}

#[test]
fn a_change_of_state_is_whole() {
    explore(3, || {
        let live = Arc::new(Live::new());
        let worker = Arc::clone(&live);
        let worker = thread::spawn(move || {
            worker.enter(WorkerState::Running, whole(1));
            worker.enter(WorkerState::Parked, whole(2));
        });
        if let Some(record) = live.try_read() {
            let since = record.since.map(|since| since.ticks());
            match record.state {
                WorkerState::Idle => assert_eq!(since, None),
                WorkerState::Running => assert_eq!((since, record.busy_since), (Some(whole(1)), whole(1))),
                WorkerState::Parked => assert_eq!((since, record.busy_since), (Some(whole(2)), whole(1))),
                other => panic!("nobody entered {other:?}"),
            }
        }
        worker.join().unwrap();
    });
}
