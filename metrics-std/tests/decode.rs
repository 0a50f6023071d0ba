//! The program `metrics-decode` on a recorded serial line.
#![allow(missing_docs)]

use metrics_std::metrics_core::embassy::{ExecutorRow, HeapTrace, TaskName, TaskRow, TraceSnapshot};
use std::fs;
use std::process::{Command, Output};
use tempfile::NamedTempFile;

fn run(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_metrics-decode");
    Command::new(program).args(arguments).output().unwrap()
}

/// A trace of an executor that polls a task for half a second per poll, and is idle as long.
fn trace(polls: u64) -> TraceSnapshot<HeapTrace> {
    let mut trace = TraceSnapshot::<HeapTrace>::default();
    trace.executors.push(ExecutorRow {
        idle: 500_000_000 * polls,
        polling: 500_000_000 * polls,
        core: 0,
        polls,
        ..ExecutorRow::default()
    });
    trace.tasks.push(TaskRow {
        name: TaskName::new("blink"),
        polls,
        active: 500_000_000 * polls,
        longest: 500_000_000,
        ..TaskRow::default()
    });
    trace
}

#[test]
fn a_stream_is_decoded_into_a_table_for_each_interval() {
    // The end of a frame, two whole frames, and a stray byte.
    let mut stream = vec![7, 8, 9, 0];
    for polls in [10, 12] {
        stream.extend(postcard::to_allocvec_cobs(&trace(polls)).unwrap());
    }
    stream.extend([3, 0]);
    let file = NamedTempFile::new().unwrap();
    fs::write(&file, stream).unwrap();
    let output = run(&[file.path().to_str().unwrap()]);
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.starts_with("skipped 4 bytes"), "{printed}");
    assert!(printed.contains("idle  50.0 %  poll  50.0 %"), "{printed}");
    let polls: Vec<&str> = printed
        .lines()
        .filter_map(|line| line.strip_suffix(" polls")?.split_whitespace().last())
        .collect();
    assert_eq!(polls, ["10", "2"], "the second table is of the interval");
    let longest: Vec<&str> = printed.lines().filter(|line| line.contains("  blink ")).collect();
    assert_eq!(longest.len(), 2);
    assert!(longest[0].ends_with(" 10    500.0 ms"), "{printed}");
    assert!(
        longest[1].ends_with(" 2 <= 500.0 ms"),
        "no poll was longer: {printed}"
    );
    assert!(printed.trim_end().ends_with("metrics-core?"), "{printed}");
}

#[test]
fn without_a_file_the_standard_input_is_decoded() {
    let file = NamedTempFile::new().unwrap();
    fs::write(&file, postcard::to_allocvec_cobs(&trace(10)).unwrap()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_metrics-decode"))
        .stdin(file.reopen().unwrap())
        .output()
        .unwrap();
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains(" 10 polls"), "{printed}");
}

#[test]
fn help_is_no_mistake() {
    for flag in ["-h", "--help"] {
        let output = run(&[flag]);
        assert!(output.status.success(), "{flag}");
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(printed.starts_with("usage: metrics-decode [FILE]"), "{printed}");
    }
}

#[test]
fn an_interval_without_polls_is_no_restart() {
    let file = NamedTempFile::new().unwrap();
    let stream = [10, 10].map(|polls| postcard::to_allocvec_cobs(&trace(polls)).unwrap());
    fs::write(&file, stream.concat()).unwrap();
    let printed = String::from_utf8(run(&[file.path().to_str().unwrap()]).stdout).unwrap();
    assert!(!printed.contains("has restarted"), "{printed}");
    assert!(printed.contains(" 0 polls"), "{printed}");
}

#[test]
fn a_restart_of_the_firmware_begins_anew() {
    let file = NamedTempFile::new().unwrap();
    let stream = [10, 3].map(|polls| postcard::to_allocvec_cobs(&trace(polls)).unwrap());
    fs::write(&file, stream.concat()).unwrap();
    let printed = String::from_utf8(run(&[file.path().to_str().unwrap()]).stdout).unwrap();
    let (before, after) = printed
        .split_once("the firmware has restarted")
        .expect("it says so");
    assert!(before.contains(" 10 polls"), "{printed}");
    assert!(after.contains(" 3 polls"), "{printed}");
}

#[test]
fn a_stream_without_frames_takes_little_memory_and_moves_no_cursor() {
    let file = NamedTempFile::new().unwrap();
    // A log in ASCII instead of traces, and a trace with a name that a terminal would obey.
    let mut stream = b"log\n".repeat(1 << 19);
    stream.push(0);
    let mut named = trace(1);
    named.tasks[0].name = TaskName::new("a\x1b[2Jb");
    stream.extend(postcard::to_allocvec_cobs(&named).unwrap());
    fs::write(&file, stream).unwrap();
    let printed = String::from_utf8(run(&[file.path().to_str().unwrap()]).stdout).unwrap();
    assert!(printed.contains("skipped 1048576 bytes"), "{}", &printed[..200]);
    assert!(
        printed.contains("a\u{fffd}[2Jb"),
        "{}",
        &printed[printed.len() - 400..]
    );
    assert!(!printed.contains('\x1b'));
}

#[test]
fn mistakes_of_the_caller_are_explained() {
    let missing = run(&["/does/not/exist"]);
    assert_eq!(missing.status.code(), Some(1));
    let error = String::from_utf8(missing.stderr).unwrap();
    assert!(
        error.starts_with("error: can't open /does/not/exist: "),
        "{error}"
    );
    let flag = run(&["--port"]);
    assert_eq!(flag.status.code(), Some(2));
    assert!(
        String::from_utf8(flag.stderr)
            .unwrap()
            .starts_with("usage: metrics-decode [FILE]")
    );
}
