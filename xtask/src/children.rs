//! Runs a program with a time limit and reads its output line by line.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// An event of a running program.
pub(crate) enum Event<'a> {
    /// The program wrote a line to its standard output or standard error.
    Line(&'a str),
    /// The program wrote nothing for a second.
    Quiet,
}

/// How a program ended.
pub(crate) enum Outcome {
    Exited(ExitStatus),
    TimedOut,
}

impl Outcome {
    pub(crate) fn success(&self) -> bool {
        matches!(self, Self::Exited(status) if status.success())
    }
}

/// The process group of the running program, for the Ctrl-C handler.
static RUNNING: Mutex<Option<u32>> = Mutex::new(None);

/// Runs `command` to its end, or kills it and its child processes after `limit`.
///
/// The command has no standard input and leads its own process group: a test that hangs is a grandchild, and
/// killing only cargo would leave it running. Ctrl-C is forwarded to that group.
pub(crate) fn watch(
    mut command: Command,
    limit: Duration,
    mut on_event: impl FnMut(Event<'_>),
) -> Result<Outcome> {
    pass_on_ctrl_c();
    let what = format!("{}", command.get_program().display());
    let (output, writer) = std::io::pipe().context("can't create a pipe")?;
    command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().with_context(|| format!("can't start `{what}`"))?;
    // The command holds the write ends of the pipe: reading ends only when they are closed.
    drop(command);
    *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = Some(child.id());

    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            if sender.send(text).is_err() {
                return;
            }
            line.clear();
        }
    });

    let deadline = Instant::now() + limit;
    let outcome = loop {
        match lines.recv_timeout(Duration::from_secs(1)) {
            Ok(line) => on_event(Event::Line(&line)),
            Err(RecvTimeoutError::Timeout) => {
                // A service that a test left running keeps the pipe open after its parent has ended.
                if let Some(status) = child.try_wait()? {
                    break Outcome::Exited(status);
                }
                on_event(Event::Quiet);
            }
            Err(RecvTimeoutError::Disconnected) => break Outcome::Exited(child.wait()?),
        }
        if Instant::now() > deadline {
            kill_group(child.id());
            reap(&mut child)?;
            // The last line may lack its end: with one thread a test's name is printed before its result.
            let drained = Instant::now() + Duration::from_secs(1);
            while let Ok(line) = lines.recv_timeout(drained.saturating_duration_since(Instant::now())) {
                on_event(Event::Line(&line));
            }
            break Outcome::TimedOut;
        }
    };
    *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = None;
    Ok(outcome)
}

/// Returns a command as a user types it, without its environment.
pub(crate) fn shown(command: &Command) -> String {
    let words: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
    format!("{} {}", command.get_program().display(), words.join(" "))
}

/// Runs `command` as [`watch`] does, and returns the lines that it wrote.
pub(crate) fn output(command: Command, limit: Duration) -> Result<(Outcome, Vec<String>)> {
    let mut lines = Vec::new();
    let outcome = watch(command, limit, |event| {
        if let Event::Line(line) = event {
            lines.push(line.to_owned());
        }
    })?;
    Ok((outcome, lines))
}

fn reap(child: &mut Child) -> Result<()> {
    child.kill().or_else(|error| match error.kind() {
        std::io::ErrorKind::InvalidInput => Ok(()),
        _ => Err(error),
    })?;
    child.wait()?;
    Ok(())
}

/// Kills a process group. The shell has a built-in `kill` even if no `kill` program is installed.
fn kill_group(leader: u32) {
    let _ = Command::new("sh")
        .args(["-c", &format!("kill -KILL -{leader}")])
        .status();
}

fn pass_on_ctrl_c() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Without a handler, Ctrl-C still ends this program, but not the group.
        let _ = ctrlc::set_handler(|| {
            if let Some(leader) = *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) {
                kill_group(leader);
            }
            std::process::exit(130);
        });
    });
}
