//! Shows each second on the terminal, as a line, or not at all.

use crate::cli::Cli;
use anyhow::{Context, Result};
use metrics_std::top::{Action, Screen, View};
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

/// How the demo shows the metrics while it runs.
pub(crate) enum Show {
    /// A terminal, redrawn once per second.
    Screen(Box<Screen>),
    /// One line per second, if there is no terminal.
    Lines,
    /// Only the document at the end.
    Silent,
}

impl Show {
    /// Starts drawing, if there is a terminal, until this is dropped.
    pub(crate) fn open(cli: &Cli, address: SocketAddr) -> Result<Self> {
        if cli.json {
            return Ok(Self::Silent);
        }
        if io::stdout().is_terminal() && io::stdin().is_terminal() {
            return Screen::open(&format!("demo on http://{address}"))
                .map(|screen| Self::Screen(Box::new(screen)))
                .context("can't draw on this terminal");
        }
        say(&format!(
            "serving http://{address}/ with /metrics and /snapshot; Ctrl-C ends"
        ))?;
        Ok(Self::Lines)
    }

    /// Shows the result of `sample` once per second, until `duration` is over or the user ends the demo.
    pub(crate) fn every_second(
        &mut self,
        duration: Option<Duration>,
        interrupted: &Receiver<()>,
        mut sample: impl FnMut() -> Option<View>,
    ) -> Result<()> {
        let start = Instant::now();
        for second in 1.. {
            if self.ends_before(start + Duration::from_secs(second), interrupted)? {
                return Ok(());
            }
            if let Some(view) = sample() {
                self.show(view)?;
            }
            if duration.is_some_and(|duration| Duration::from_secs(second) >= duration) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Waits for `deadline` and returns whether the user ended the demo before it.
    fn ends_before(&mut self, deadline: Instant, interrupted: &Receiver<()>) -> Result<bool> {
        if let Self::Screen(screen) = self {
            let action = screen.run_until(deadline).context("can't read this terminal")?;
            return Ok(action == Action::Quit || interrupted.try_recv() != Err(TryRecvError::Empty));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        Ok(interrupted.recv_timeout(left) != Err(RecvTimeoutError::Timeout))
    }

    fn show(&mut self, view: View) -> Result<()> {
        match self {
            Self::Screen(screen) => screen.draw(view).context("can't draw on this terminal"),
            Self::Lines => say(&view.line()),
            Self::Silent => Ok(()),
        }
    }
}

/// Writes a line to standard output. Ignores errors, because the reader may have closed it.
fn say(line: &str) -> Result<()> {
    writeln!(io::stdout(), "{line}").context("can't write to standard output")
}
