//! A forked child: what it inherits of its parent's threads is gone.
#![cfg(unix)]
#![allow(missing_docs)]

use core::panic::AssertUnwindSafe;
use core::time::Duration;
use fork::{Fork, fork, waitpid_nohang};
use metrics_std::watchdog::watch_stalls;
use metrics_std::{Builder, Clock, build_wrapped};
use std::os::unix::process::CommandExt as _;
use std::panic::catch_unwind;
use std::process::Command;
use std::time::Instant;

/// Runs `action` in a forked child and returns whether it ended without a panic.
///
/// The child ends by `exec`: `exit` waits for locks of the standard library, and a thread that was just starting when the parent forked
/// may have held one.
fn succeeds_in_child(action: impl FnOnce()) -> bool {
    let pid = match fork().unwrap() {
        Fork::Child => {
            let result = catch_unwind(AssertUnwindSafe(action));
            let _ = Command::new(if result.is_ok() { "true" } else { "false" }).exec();
            std::process::abort();
        }
        Fork::Parent(pid) => pid,
    };
    let began = Instant::now();
    loop {
        if let Some(status) = waitpid_nohang(pid).unwrap() {
            return status == 0;
        }
        if began.elapsed() > Duration::from_secs(20) {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
            panic!("the child hangs");
        }
        std::thread::yield_now();
    }
}

#[test]
fn an_inherited_watchdog_can_be_dropped_or_shut_down() {
    let metrics = build_wrapped(Builder::new().name("forked"), Clock::instant()).unwrap();
    let watch = || watch_stalls(&metrics, Duration::from_millis(20), |_| {}).unwrap();
    let (mut dropped, mut shut_down) = (Some(watch()), Some(watch()));
    assert!(succeeds_in_child(|| drop(dropped.take())));
    assert!(succeeds_in_child(|| {
        // Its threads are not in this process, so there is nothing to wait for.
        let watchdog = shut_down.take().unwrap();
        watchdog.shutdown(Duration::from_secs(60)).unwrap();
    }));
    drop((dropped, shut_down));
}

#[test]
fn a_childs_snapshots_have_an_epoch_of_their_own() {
    let metrics = build_wrapped(Builder::new().name("epochs").epoch(7), Clock::instant()).unwrap();
    assert_eq!(metrics.snapshot().epoch(), 7);
    assert!(succeeds_in_child(|| assert_ne!(metrics.snapshot().epoch(), 7)));
}

#[cfg(feature = "otlp")]
#[test]
fn an_inherited_exporter_can_be_dropped_or_shut_down() {
    use metrics_std::otlp::{FlushError, OtlpExporter, PeriodicExporter, SendError, Settings, Transport};

    struct Accepting;

    impl Transport for Accepting {
        fn send(&mut self, _: &[u8]) -> Result<Vec<u8>, SendError> {
            Ok(Vec::new())
        }
    }

    let metrics = build_wrapped(Builder::new().name("exported"), Clock::instant()).unwrap();
    let start = || {
        let exporter = OtlpExporter::new(metrics.clone());
        PeriodicExporter::start_with(exporter, &Settings::default(), Accepting, |_| {}).unwrap()
    };
    let (mut dropped, mut shut_down) = (Some(start()), Some(start()));
    assert!(succeeds_in_child(|| drop(dropped.take())));
    assert!(succeeds_in_child(|| {
        // Its thread is not in this process, so there is nothing to wait for.
        let exporter = shut_down.take().unwrap();
        assert_eq!(exporter.flush(Duration::from_secs(60)), Err(FlushError::Ended));
        assert_eq!(exporter.shutdown(Duration::from_secs(60)), Err(FlushError::Ended));
    }));
    drop((dropped, shut_down));
}
