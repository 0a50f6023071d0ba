//! Runs the external programs with which tests compare, and kills the child processes of a test.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

/// Returns the program's path if it is installed.
///
/// If it is not installed, prints that the test is skipped, unless `REQUIRE_ALL` is set, as by
/// `cargo xtask test-matrix --require-all`.
///
/// # Panics
/// Panics if the program is not installed and `REQUIRE_ALL` is set.
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

/// Returns a Python that has `module`: that of `cargo xtask`'s tools, Debian's, or another one.
///
/// # Panics
/// Panics as [`program`] does.
pub fn python(module: &str) -> Option<Command> {
    let has_module = |python: &&str| {
        let import = Command::new(python)
            .args(["-c", &format!("import {module}")])
            .stderr(Stdio::null())
            .status();
        import.is_ok_and(|status| status.success())
    };
    let tools = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../target/tools/python/bin/python"
    );
    let found = [tools, "/usr/bin/python3", "python3"]
        .into_iter()
        .find(has_module);
    if found.is_none() {
        missing(&format!("Python with {module}"));
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

/// Returns the standard output of a program, which must succeed and print nothing to standard error.
///
/// # Panics
/// Panics if it fails or prints to standard error.
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
        // Both fail only if the process has already ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
