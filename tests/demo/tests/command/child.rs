//! The demo as a child process.

use outside::Killed;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The root of the workspace.
pub(crate) fn workspace() -> &'static Path {
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    folders.nth(2).expect("the workspace is two folders above")
}

/// `cargo xtask demo ARGUMENTS`, at the top of the workspace. The child is the demo itself: each of these programs becomes the
/// next. It is not optimised, because its tests take seconds and an optimised build takes minutes.
pub(crate) fn demo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command
        .current_dir(workspace())
        .args(["xtask", "demo"])
        .args(arguments)
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
        .stdin(Stdio::null());
    command
}

/// Held by a test while its demo is under load: two at once would measure each other.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static LOADED: Mutex<()> = Mutex::new(());
    LOADED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A demo that serves.
pub(crate) struct Demo {
    /// Host and port.
    pub(crate) address: String,
    pub(crate) lines: Lines<BufReader<ChildStdout>>,
    pub(crate) child: Killed,
}

impl Demo {
    /// Starts one on a free port, and waits until it serves.
    pub(crate) fn start() -> Self {
        let mut child = demo(&["--port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("cargo does not start");
        let stdout = child.stdout.take().expect("it was piped");
        let child = Killed(child);
        let mut lines = BufReader::new(stdout).lines();
        let first = lines.next().expect("the demo ended at once").expect("not text");
        let address = first
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split('/').next());
        let address = address
            .unwrap_or_else(|| panic!("no address in {first:?}"))
            .to_owned();
        Self {
            address,
            lines,
            child,
        }
    }
}
