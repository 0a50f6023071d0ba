//! Runs the programs from outside that tests compare with, and kills the children of a test.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

/// The program's path if this machine has it.
///
/// Without it a test can't judge: it says so where its output is shown and is over, unless `REQUIRE_ALL` is set, as by
/// `cargo xtask test-matrix --require-all`.
///
/// # Panics
/// If the program lacks and `REQUIRE_ALL` is set.
pub fn program(name: &str) -> Option<PathBuf> {
    let found = std::env::var_os("PATH").and_then(|path| {
        let mut files = std::env::split_paths(&path).map(|folder| folder.join(name));
        files.find(|file| file.is_file())
    });
    if found.is_none() {
        missing(name);
    }
    found
}

/// A Python that has the reference client of Prometheus, Debian's before others.
///
/// # Panics
/// As [`program`].
pub fn python() -> Option<Command> {
    let has_client = |python: &&str| {
        let import = Command::new(python)
            .args(["-c", "import prometheus_client"])
            .stderr(Stdio::null())
            .status();
        import.is_ok_and(|status| status.success())
    };
    let found = ["/usr/bin/python3", "python3"].into_iter().find(has_client);
    if found.is_none() {
        missing("Python with prometheus_client");
    }
    found.map(Command::new)
}

fn missing(what: &str) {
    assert!(
        std::env::var_os("REQUIRE_ALL").is_none(),
        "{what} is not installed, and REQUIRE_ALL asks for it"
    );
    eprintln!("skipped: {what} is not installed");
}

/// The standard output of a program that must succeed and have nothing to say on standard error.
///
/// # Panics
/// If it failed or complained.
#[track_caller]
pub fn silent_success(output: Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8(output.stdout).expect("not UTF-8");
    assert!(
        output.status.success() && error.is_empty(),
        "{}: {error}{stdout}",
        output.status
    );
    stdout
}

/// A child process that is killed when it is dropped.
#[derive(Debug)]
pub struct Killed(pub Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
