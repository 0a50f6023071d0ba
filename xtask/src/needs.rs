//! The requirements of a row: how to detect whether they are installed, and how to install them.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::toolchain::{DEBIAN_PACKAGES, Toolchain, output};
use crate::{children, workspace};

/// Runs JavaScript and WebAssembly.
pub(crate) const NODE: Need = Need::Program("node", "nodejs");

/// A requirement of a row.
#[derive(Clone, Copy)]
pub(crate) enum Need {
    /// A program, and the Debian package that contains it.
    Program(&'static str, &'static str),
    /// A file, and the Debian package that contains it.
    File(&'static str, &'static str),
    /// Prometheus in version 3 or later, unpacked under `target/tools`: that of Debian 12 is older.
    Prometheus3,
    /// A module of Debian's Python, and the Debian package that contains it.
    Python(&'static str, &'static str),
    /// A module of the Python registry, and its package, which is installed under `target/tools/python`.
    Pip(&'static str, &'static str),
    /// A compiler that can build for a triple.
    Compiler(&'static str),
    /// A compiler with the sources of the standard library, from which it is built for a triple.
    LibrarySources(&'static str),
    /// A component of the Rust toolchain in use, and its subcommand of cargo.
    Component(&'static str, &'static str),
    /// rustup's nightly toolchain.
    Nightly,
    /// Miri, for rustup's nightly toolchain. The row needs that too.
    Miri,
    /// A program from the package registry, built under `target/tools`, in this version if it is available.
    CargoTool(&'static str, &'static str),
    /// wasm-bindgen's command-line tools, in exactly the version of `Cargo.lock`.
    WasmBindgen,
    /// A library of Windows that Wine 8 lacks, compiled from `tests/wine` into this file.
    WineLibrary(&'static str),
    /// An npm package in exactly this version, installed under `target/tools`.
    Npm(&'static str, &'static str),
}

/// A way to install a requirement.
pub(crate) enum Fix {
    Apt(Vec<&'static str>),
    /// The ways to install a program with one command, in order of preference.
    Run(&'static str, Vec<Vec<String>>),
}

impl Need {
    /// Returns whether the requirement is installed.
    pub(crate) fn is_met(&self) -> bool {
        match self {
            Self::Program(name, _) => on_path(name),
            Self::File(path, _) | Self::WineLibrary(path) => Path::new(path).exists(),
            Self::Prometheus3 => {
                let is_3 = |program: &str| {
                    output(program, &["--version"])
                        .is_some_and(|version| version.starts_with("prometheus, version 3."))
                };
                is_3("prometheus") || is_3(&prometheus_dir().join("usr/bin/prometheus").to_string_lossy())
            }
            Self::Python(module, _) => {
                output("/usr/bin/python3", &["-c", &format!("import {module}")]).is_some()
            }
            Self::Pip(module, _) => {
                let python = python_dir().join("bin/python");
                output(&python.to_string_lossy(), &["-c", &format!("import {module}")]).is_some()
            }
            Self::Compiler(triple) => Toolchain::for_triple(triple, "core").is_some(),
            Self::LibrarySources(triple) => Toolchain::from_source(triple, "core").is_some(),
            Self::Component(_, program) => output("cargo", &[program, "--version"]).is_some(),
            Self::Nightly => output("rustup", &["run", "nightly", "rustc", "--version"]).is_some(),
            Self::Miri => output("rustup", &["run", "nightly", "cargo", "miri", "--version"]).is_some(),
            Self::CargoTool(name, _) => {
                workspace::tools_dir().join("bin").join(name).is_file() || on_path(name)
            }
            Self::WasmBindgen => workspace::locked_version("wasm-bindgen").is_ok_and(|locked| {
                let tool = workspace::tools_dir().join("bin/wasm-bindgen");
                output(&tool.to_string_lossy(), &["--version"])
                    .is_some_and(|version| version.trim().ends_with(&format!(" {locked}")))
            }),
            Self::Npm(name, version) => {
                let manifest = workspace::npm_dir(name).join("package.json");
                std::fs::read_to_string(manifest)
                    .is_ok_and(|text| text.contains(&format!("\"version\": \"{version}\"")))
            }
        }
    }

    /// Returns the ways to install it, in order of preference.
    pub(crate) fn fixes(&self) -> Vec<Fix> {
        let rustup =
            |args: &[&str]| Fix::Run("rustup", vec![args.iter().map(|&arg| arg.to_owned()).collect()]);
        match self {
            Self::Program(_, apt) | Self::File(_, apt) | Self::Python(_, apt) => vec![Fix::Apt(vec![apt])],
            Self::Prometheus3 => {
                let directory = prometheus_dir().to_string_lossy().into_owned();
                let args = ["-c", UNPACK_PROMETHEUS, &directory];
                vec![Fix::Run("sh", vec![args.map(str::to_owned).into()])]
            }
            Self::Pip(_, package) => {
                let install =
                    "python3 -m venv $0 && $0/bin/pip install --quiet --disable-pip-version-check $1";
                let python = python_dir().to_string_lossy().into_owned();
                let args = ["-c", install, &python, package];
                vec![
                    Fix::Run("sh", vec![args.map(str::to_owned).into()]),
                    Fix::Apt(vec!["python3-venv"]),
                ]
            }
            Self::Compiler(triple) => vec![
                rustup(&["target", "add", triple]),
                Fix::Apt(DEBIAN_PACKAGES.to_vec()),
            ],
            Self::LibrarySources(_) => vec![
                rustup(&["component", "add", "rust-src"]),
                Fix::Apt(DEBIAN_PACKAGES.to_vec()),
            ],
            Self::Component(name, _) => vec![rustup(&["component", "add", name])],
            Self::Nightly => vec![rustup(&[
                "toolchain",
                "install",
                "nightly",
                "--profile",
                "minimal",
            ])],
            // Miri builds the standard library from its sources.
            Self::Miri => vec![rustup(&[
                "component",
                "add",
                "--toolchain",
                "nightly",
                "miri",
                "rust-src",
            ])],
            // A mirror may lack the newest release, and a lock file may name a yanked version.
            Self::CargoTool(name, version) => {
                let ways = vec![
                    cargo_install(&["--locked", "--version", version, name]),
                    cargo_install(&["--version", version, name]),
                    cargo_install(&[name]),
                ];
                vec![Fix::Run("cargo", ways)]
            }
            Self::WasmBindgen => {
                let version = workspace::locked_version("wasm-bindgen").unwrap_or_default();
                let ways = vec![
                    cargo_install(&["--locked", "--version", &version, "wasm-bindgen-cli"]),
                    cargo_install(&["--version", &version, "wasm-bindgen-cli"]),
                ];
                vec![Fix::Run("cargo", ways)]
            }
            Self::WineLibrary(path) => {
                let compile = "mkdir -p $(dirname $0) && \
                     x86_64-w64-mingw32-gcc -shared -o $0 tests/wine/bcryptprimitives.c -ladvapi32";
                vec![Fix::Run(
                    "sh",
                    vec![["-c", compile, path].map(str::to_owned).into()],
                )]
            }
            Self::Npm(name, version) => {
                let prefix = workspace::npm_prefix(name).to_string_lossy().into_owned();
                let package = format!("{name}@{version}");
                let args = [
                    "install",
                    "--silent",
                    "--no-save",
                    "--no-audit",
                    "--no-fund",
                    "--prefix",
                    &prefix,
                    &package,
                ];
                vec![Fix::Run("npm", vec![args.map(str::to_owned).into()])]
            }
        }
    }
}

impl Fix {
    /// Returns whether this machine allows it: apt needs root on Debian, and rustup may be configured not to install.
    pub(crate) fn is_allowed(&self) -> bool {
        match self {
            Self::Apt(_) => {
                on_path("apt-get")
                    && Path::new("/etc/debian_version").exists()
                    && output("id", &["-u"]).is_some_and(|uid| uid.trim() == "0")
            }
            Self::Run("rustup", _)
                if env::var_os("RUSTUP_AUTO_INSTALL").is_some_and(|value| value == "0") =>
            {
                false
            }
            Self::Run(program, _) => on_path(program),
        }
    }

    /// Returns the command that a user can run.
    pub(crate) fn command(&self) -> String {
        match self {
            Self::Apt(packages) => format!("sudo apt-get install {}", packages.join(" ")),
            Self::Run(program, ways) => format!("{program} {}", ways[0].join(" ")),
        }
    }
}

/// Installs the missing requirements as far as this machine allows, and prints each command first.
///
/// A failed installation is not an error here: the caller checks again and prints the commands for the user.
pub(crate) fn install(needs: &[Need]) {
    // The second round tries the next way for a requirement whose preferred way failed.
    for round in 0..2 {
        let fixes: Vec<Fix> = needs
            .iter()
            .filter(|need| !need.is_met())
            .filter_map(|need| need.fixes().into_iter().filter(Fix::is_allowed).nth(round))
            .collect();
        let mut packages = BTreeSet::new();
        let mut commands: Vec<(&str, &[Vec<String>])> = Vec::new();
        for fix in &fixes {
            match fix {
                Fix::Apt(names) => packages.extend(names.iter().copied()),
                Fix::Run(program, ways) if commands.contains(&(*program, ways)) => {}
                Fix::Run(program, ways) => commands.push((program, ways)),
            }
        }
        if !packages.is_empty() {
            apt(&packages.into_iter().collect::<Vec<_>>());
        }
        for (program, ways) in commands {
            _ = ways.iter().any(|args| announce(Command::new(program).args(args)));
        }
    }
}

/// Returns the commands that install the missing requirements.
pub(crate) fn missing(needs: &[Need]) -> Vec<String> {
    let missing = needs.iter().filter(|need| !need.is_met());
    missing
        .filter_map(|need| Some(need.fixes().first()?.command()))
        .collect()
}

fn apt(packages: &[&str]) {
    let apt_get = || {
        let mut command = Command::new("apt-get");
        // On a machine that has just started, another apt process may be running.
        command
            .args(["-qq", "-o", "DPkg::Lock::Timeout=600"])
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    // A new machine has no package lists before its first update.
    announce(apt_get().arg("update"));
    announce(
        apt_get()
            .args(["install", "-y", "--no-install-recommends"])
            .args(packages),
    );
}

/// Prints a command, runs it, and prints its errors.
fn announce(command: &mut Command) -> bool {
    println!("installing: {}", children::shown(command));
    command
        .current_dir(workspace::root())
        .env_remove("LD_LIBRARY_PATH")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn cargo_install(args: &[&str]) -> Vec<String> {
    // Unoptimised: these tools run for seconds, and an optimised build takes minutes.
    let tools = workspace::tools_dir();
    let root = tools
        .strip_prefix(workspace::root())
        .unwrap_or(&tools)
        .to_string_lossy()
        .into_owned();
    ["install", "--quiet", "--debug", "--root", &root]
        .iter()
        .chain(args)
        .map(|&arg| arg.to_owned())
        .collect()
}

/// Unpacks Prometheus of Debian unstable without installing it, from the mirror that this machine uses.
const UNPACK_PROMETHEUS: &str = r#"
set -e
mkdir -p "$0/lists/partial" "$0/archives/partial"
mirror=$(apt-get indextargets --format '$(REPO_URI)' | grep -v security | head -n 1)
echo "deb $mirror unstable main" > "$0/sources.list"
apt="apt-get -qq -o Dir::Etc::sourcelist=$0/sources.list -o Dir::Etc::sourceparts=- -o Dir::State::lists=$0/lists -o Dir::Cache=$0"
$apt update
cd "$0"
$apt download prometheus
dpkg -x prometheus_*.deb .
rm -r prometheus_*.deb lists archives
"#;

fn prometheus_dir() -> PathBuf {
    workspace::tools_dir().join("prometheus")
}

/// A virtual environment, because Debian's Python refuses other packages than Debian's.
fn python_dir() -> PathBuf {
    workspace::tools_dir().join("python")
}

fn on_path(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}
