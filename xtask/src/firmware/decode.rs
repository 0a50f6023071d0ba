//! Prints the traces that firmware sends over a serial line.
//!
//! Firmware sends `postcard::to_slice_cobs(&METRICS.trace(), ..)`: each trace in postcard, with a zero byte after it and none in it. Each is
//! printed as a table of the interval since the one before.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use metrics_core::embassy::{HeapTrace, TraceSnapshot};

#[derive(Args)]
pub(super) struct Cli {
    /// A serial device or a file (default: standard input)
    path: Option<PathBuf>,
}

type Trace = TraceSnapshot<HeapTrace>;

pub(super) fn run(flags: &Cli) -> Result<()> {
    let to = &mut std::io::stdout().lock();
    match flags.path.as_deref() {
        Some(path) => decode(open(path)?, to),
        None => decode(std::io::stdin().lock(), to),
    }
}

fn open(path: &Path) -> Result<File> {
    File::open(path).with_context(|| format!("can't open {}", path.display()))
}

/// Decodes a stream to its end. The first frame may be cut off at its start.
fn decode(from: impl Read, to: &mut impl Write) -> Result<()> {
    let mut from = BufReader::new(from);
    let mut before: Option<Trace> = None;
    loop {
        let mut frame = Vec::new();
        if from.read_until(0, &mut frame).context("can't read the stream")? == 0 {
            return Ok(());
        }
        let bytes = frame.len();
        match postcard::from_bytes_cobs::<Trace>(&mut frame) {
            Ok(now) => {
                let since = before.as_ref().map(|before| now.since(before));
                writeln!(to, "{}", since.as_ref().unwrap_or(&now))?;
                before = Some(now);
            }
            Err(error) => writeln!(
                to,
                "skipped {bytes} bytes that are not a trace ({error}): does the firmware use this version of metrics-core?"
            )?,
        }
        to.flush()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics_core::embassy::{ExecutorRow, TaskName, TaskRow};

    fn trace(polls: u64) -> Trace {
        let mut trace = Trace::default();
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
            ..TaskRow::default()
        });
        trace
    }

    #[test]
    fn a_stream_is_decoded_into_a_table_for_each_interval() {
        // The end of a frame, two whole frames, and a stray byte.
        let mut stream = vec![7, 8, 9, 0];
        for polls in [10, 12] {
            stream.extend(postcard::to_allocvec_cobs(&trace(polls)).expect("it fits"));
        }
        stream.extend([3, 0]);
        let mut printed = Vec::new();
        decode(&*stream, &mut printed).expect("a stream in memory");
        let printed = String::from_utf8(printed).expect("text");
        assert!(printed.starts_with("skipped 4 bytes"), "{printed}");
        assert!(printed.contains("idle  50.0 %  poll  50.0 %"), "{printed}");
        let polls: Vec<&str> = printed
            .lines()
            .filter_map(|line| line.strip_suffix(" polls")?.split_whitespace().last())
            .collect();
        assert_eq!(polls, ["10", "2"], "the second table is of the interval");
        assert_eq!(printed.matches("  blink ").count(), 2);
        assert!(printed.trim_end().ends_with("metrics-core?"), "{printed}");
    }
}
