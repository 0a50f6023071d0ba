//! Prints the traces that firmware sends over a serial line.
//!
//! Firmware sends `postcard::to_slice_cobs(&METRICS.trace(), ..)`: each trace in postcard, with a zero byte after it and none in it. Each is
//! printed as a table of the interval since the one before.

use core::error::Error;
use metrics_std::metrics_core::embassy::{HeapTrace, TraceSnapshot};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::process::ExitCode;

const USAGE: &str = "usage: metrics-decode [FILE]\n\n\
    FILE is a serial device, set to raw bytes with stty, or a file. Without it, the program reads the standard input.";

type Trace = TraceSnapshot<HeapTrace>;

/// The largest frame. A stream of something else may have no end of a frame for hours.
const FRAME: u64 = 1 << 20;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let to = &mut io::stdout().lock();
    let decoded = match arguments.as_slice() {
        [] => decode(io::stdin().lock(), to),
        [flag] if flag == "-h" || flag == "--help" => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        [path] if !path.as_encoded_bytes().starts_with(b"-") => match File::open(path) {
            Ok(file) => decode(file, to),
            Err(error) => Err(format!("can't open {}: {error}", path.display()).into()),
        },
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match decoded {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Decodes a stream to its end. The first frame may be cut off at its start.
fn decode(from: impl Read, to: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let mut from = BufReader::new(from);
    let mut before: Option<Trace> = None;
    loop {
        let mut frame = Vec::new();
        let bytes = (from.by_ref().take(FRAME).read_until(0, &mut frame))
            .map_err(|error| format!("can't read the stream: {error}"))?;
        if bytes == 0 {
            return Ok(());
        }
        match postcard::from_bytes_cobs::<Trace>(&mut frame) {
            Ok(now) => {
                if before.take_if(|before| has_restarted(before, &now)).is_some() {
                    writeln!(to, "the firmware has restarted")?;
                }
                let since = before.as_ref().map(|before| now.since(before));
                let table = since.as_ref().unwrap_or(&now).to_string();
                // A damaged frame may hold characters that a terminal would execute.
                writeln!(
                    to,
                    "{}",
                    table.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}")
                )?;
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

/// Returns whether a count went back, which happens only if the firmware restarted.
fn has_restarted(before: &Trace, now: &Trace) -> bool {
    before.executors.iter().any(|before| {
        let row = now.executors.iter().find(|row| row.id == before.id);
        row.is_none_or(|row| row.polls < before.polls)
    })
}
