//! Where each second is shown: on the terminal, as lines, or nowhere.

use crate::cli::Cli;
use crate::screen::{Screen, line};
use crate::view::View;
use anyhow::{Context, Result};
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

/// How the demo shows itself while it runs.
pub(crate) enum Show {
    /// A terminal, redrawn each second.
    Screen(Screen),
    /// No terminal: a line a second.
    Lines,
    /// Only the document at the end.
    Silent,
}

impl Show {
    /// On a terminal it is drawn on from here on, until this is dropped.
    pub(crate) fn open(cli: &Cli, address: SocketAddr) -> Result<Self> {
        if cli.json {
            return Ok(Self::Silent);
        }
        if io::stdout().is_terminal() && io::stdin().is_terminal() {
            return Screen::open(&address.to_string())
                .map(Self::Screen)
                .context("can't draw on this terminal");
        }
        say(&format!(
            "serving http://{address}/ with /metrics and /snapshot; Ctrl-C ends"
        ))?;
        Ok(Self::Lines)
    }

    /// Shows what `sample` gives, once a second, until `duration` is over or somebody ends it.
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
                self.show(&view)?;
            }
            if duration.is_some_and(|duration| Duration::from_secs(second) >= duration) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Waits for `deadline`; says whether somebody ended it before.
    fn ends_before(&self, deadline: Instant, interrupted: &Receiver<()>) -> Result<bool> {
        if let Self::Screen(_) = self {
            let asked = Screen::quits_before(deadline).context("can't read this terminal")?;
            return Ok(asked || interrupted.try_recv() != Err(TryRecvError::Empty));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        Ok(interrupted.recv_timeout(left) != Err(RecvTimeoutError::Timeout))
    }

    fn show(&mut self, view: &View) -> Result<()> {
        match self {
            Self::Screen(screen) => screen.draw(view).context("can't draw on this terminal"),
            Self::Lines => say(&line(view)),
            Self::Silent => Ok(()),
        }
    }
}

/// A line on standard output, whose reader may have gone.
fn say(line: &str) -> Result<()> {
    writeln!(io::stdout(), "{line}").context("can't write to standard output")
}
