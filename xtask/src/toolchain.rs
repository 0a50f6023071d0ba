//! Finds a toolchain on this machine that builds for a target.
//!
//! Two kinds of machine are supported: one where rustup installed the target's standard library, and one where the
//! library is built from the compiler's own sources (`-Zbuild-std`), such as Debian's `rustc-web` with `rust-web-src`.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::workspace;

/// Debian's compiler with its sources, for machines where rustup can't install a target.
pub(crate) const DEBIAN_PACKAGES: &[&str] = &[
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "rust-web-llvm",
    "lld-22",
];

/// A cargo, and the flags with which it builds for one target.
#[derive(Clone, Debug, Default)]
pub(crate) struct Toolchain {
    /// The program and the arguments before cargo's own (`rustup run nightly cargo`).
    cargo: Vec<OsString>,
    pub(crate) env: Vec<(String, OsString)>,
    /// Flags that follow the subcommand.
    flags: Vec<String>,
}

impl Toolchain {
    /// The toolchain that runs this program, building for this machine.
    pub(crate) fn host() -> Self {
        Self {
            cargo: vec![env::var_os("CARGO").unwrap_or_else(|| "cargo".into())],
            ..Self::default()
        }
    }

    /// rustup's nightly, building for this machine.
    pub(crate) fn nightly() -> Self {
        Self {
            cargo: ["rustup", "run", "nightly", "cargo"].map(OsString::from).into(),
            ..Self::default()
        }
    }

    /// A toolchain that builds for `triple`, or `None` if nothing on this machine can. Where no prebuilt standard library is
    /// installed, it builds `build_std` from source.
    pub(crate) fn for_triple(triple: &str, build_std: &str) -> Option<Self> {
        if !has_library(triple) {
            return Self::from_source(triple, build_std);
        }
        Some(Self {
            flags: vec![format!("--target={triple}")],
            ..Self::host()
        })
    }

    /// A toolchain that builds `build_std` for `triple` from source, or `None` if the sources are not installed.
    pub(crate) fn from_source(triple: &str, build_std: &str) -> Option<Self> {
        let toolchain = if has_sources("rustc") {
            Self {
                env: vec![bootstrap()],
                ..Self::host()
            }
        } else if has_sources("/usr/bin/rustc") {
            Self::debian()
        } else {
            return None;
        };
        Some(Self {
            flags: vec![format!("--target={triple}"), format!("-Zbuild-std={build_std}")],
            ..toolchain
        })
    }

    fn debian() -> Self {
        Self {
            cargo: vec!["/usr/bin/cargo".into()],
            env: vec![
                bootstrap(),
                ("RUSTC".into(), "/usr/bin/rustc".into()),
                ("RUSTDOC".into(), "/usr/bin/rustdoc".into()),
            ],
            flags: Vec::new(),
        }
    }

    /// Returns what its compiler prints for `--version`.
    pub(crate) fn version(&self) -> Option<String> {
        let rustc = self.env.iter().find(|(name, _)| name == "RUSTC");
        let rustc = rustc.map_or("rustc".into(), |(_, path)| path.to_string_lossy());
        output(&rustc, &["--version"])
    }

    /// `cargo ARGS` at the top of the tree, with this toolchain's flags behind the subcommand.
    pub(crate) fn cargo(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.cargo[0]);
        command.current_dir(workspace::root()).args(&self.cargo[1..]);
        if let Some((subcommand, rest)) = args.split_first() {
            command.arg(subcommand).args(&self.flags).args(rest);
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        // `cargo run` sets the library path of its own compiler, which must not reach other compilers.
        command.env_remove("LD_LIBRARY_PATH");
        command
    }
}

/// Makes a released compiler accept `-Zbuild-std`.
fn bootstrap() -> (String, OsString) {
    ("RUSTC_BOOTSTRAP".into(), "1".into())
}

/// The triple of this machine, as the compiler names it.
pub(crate) fn host_triple() -> Option<String> {
    let version = output("rustc", &["-vV"])?;
    version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
}

/// Returns whether the toolchain in use has a prebuilt `core` for `triple`.
pub(crate) fn has_library(triple: &str) -> bool {
    let Some(dir) = output("rustc", &["--print", "target-libdir", "--target", triple]) else {
        return false;
    };
    Path::new(dir.trim()).read_dir().is_ok_and(|files| {
        files
            .flatten()
            .any(|file| file.file_name().to_string_lossy().starts_with("libcore-"))
    })
}

/// Returns whether the sources of the standard library are installed with `rustc`.
fn has_sources(rustc: &str) -> bool {
    output(rustc, &["--print", "sysroot"]).is_some_and(|dir| {
        Path::new(dir.trim())
            .join("lib/rustlib/src/rust/library/Cargo.lock")
            .is_file()
    })
}

/// Returns the output of a program, if it is installed and succeeds.
pub(crate) fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(args)
        .env_remove("LD_LIBRARY_PATH")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
