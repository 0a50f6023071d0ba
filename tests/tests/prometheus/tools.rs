//! Programs from outside that these tests compare with, and where they find them.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// The program's path if this machine has it.
///
/// Without it the test can't judge: it says so where the test's output is shown and is over, unless `REQUIRE_ALL` is
/// set, as where everything was installed on purpose.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let found = std::env::var_os("PATH").and_then(|path| {
        std::env::split_paths(&path)
            .map(|folder| folder.join(name))
            .find(|file| file.is_file())
    });
    if found.is_none() {
        missing(name);
    }
    found
}

/// Debian's Python if it has the reference client.
pub(crate) fn python() -> Option<Command> {
    let has_client = |python: &&str| {
        Command::new(python)
            .args(["-c", "import prometheus_client"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    let found = ["/usr/bin/python3", "python3"]
        .into_iter()
        .find(has_client)
        .map(Command::new);
    if found.is_none() {
        missing("Python with prometheus_client");
    }
    found
}

fn missing(what: &str) {
    assert!(
        std::env::var_os("REQUIRE_ALL").is_none(),
        "{what} is not installed, and REQUIRE_ALL asks for it"
    );
    eprintln!("skipped: {what} is not installed");
}

/// The standard output of a program that must succeed and have nothing to say on standard error.
#[track_caller]
pub(crate) fn silent_success(output: Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8(output.stdout).expect("not UTF-8");
    assert!(
        output.status.success() && error.is_empty(),
        "{}: {error}{stdout}",
        output.status
    );
    stdout
}
