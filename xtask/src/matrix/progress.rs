//! Shows the progress of a row: the last line of output on a terminal, else one line per minute.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

const WIDTH: usize = 100;
const TAIL: usize = 60;
const HEARTBEAT: Duration = Duration::from_secs(60);

pub(super) struct Progress {
    terminal: bool,
    started: Instant,
    last_shown: Instant,
    last_line: String,
}

impl Progress {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            terminal: io::stdout().is_terminal(),
            started: now,
            last_shown: now,
            last_line: String::new(),
        }
    }

    pub(super) fn step(&mut self, command: &str) {
        println!("    $ {command}");
        self.last_line.clear();
    }

    pub(super) fn line(&mut self, line: &str) {
        if !line.trim().is_empty() {
            line.trim()
                .chars()
                .take(WIDTH)
                .collect::<String>()
                .clone_into(&mut self.last_line);
        }
        self.quiet();
    }

    pub(super) fn quiet(&mut self) {
        let every = if self.terminal {
            Duration::from_millis(100)
        } else {
            HEARTBEAT
        };
        if self.last_shown.elapsed() < every {
            return;
        }
        self.last_shown = Instant::now();
        let seconds = self.started.elapsed().as_secs();
        if self.terminal {
            print!("\r\x1b[K    {seconds} s: {}", self.last_line);
            // A status line that can't be written must not fail a row.
            let _ = io::stdout().flush();
        } else {
            println!("    {seconds} s: {}", self.last_line);
        }
    }

    pub(super) fn clear(&self) {
        if self.terminal {
            print!("\r\x1b[K");
        }
    }

    /// Returns the relevant output of a failed row: the failed tests and the last lines. The first failure is rarely near the end.
    pub(super) fn show_tail(log: &Path) {
        let text = fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let (before, tail) = lines.split_at(lines.len().saturating_sub(TAIL));
        println!("    from {}:", log.display());
        for line in before
            .iter()
            .filter(|line| tells_a_failure(line))
            .take(TAIL)
            .chain(tail)
        {
            println!("    | {line}");
        }
    }
}

fn tells_a_failure(line: &str) -> bool {
    (line.starts_with("test ") && line.ends_with("FAILED"))
        || line.contains("panicked at")
        || line.starts_with("error")
        || line.starts_with("warning: ")
}
