//! `cargo xtask wasm` and `cargo xtask wasm-demo`: builds and tests metrics-wasm as a module for JavaScript.

mod bench;
mod build;
mod node;
mod package;
mod serve;
mod size;
mod threads;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::flags::{Wasm, WasmDemo, WasmTest, exit_code};
use crate::libtest::Tally;
use crate::needs::{self, NODE, Need};
use crate::targets::{Target, WASM_THREADS, WASM32};
use crate::workspace;

/// Chromium and its driver. Their versions must match.
pub(crate) const CHROMIUM: &[Need] = &[
    Need::Program("chromium", "chromium"),
    Need::Program("chromedriver", "chromium-driver"),
];
/// Optimises modules for size.
pub(crate) const BINARYEN: Need = Need::Npm("binaryen", "132.0.0");
/// Drives the system's Chromium. It does not install a browser.
pub(crate) const PLAYWRIGHT: Need = Need::Npm("playwright-core", "1.65.1");
/// Checks the accessibility of the dashboard.
pub(crate) const AXE: Need = Need::Npm("axe-core", "4.14.1");
/// Checks the generated types.
pub(crate) const TYPESCRIPT: Need = Need::Npm("typescript", "5.9.3");

/// Builds the package, or runs the tests or the benchmark that the flags select.
pub(crate) fn run(flags: &Wasm) -> Result<ExitCode> {
    if flags.bench {
        require(&[&[NODE, BINARYEN, PLAYWRIGHT], CHROMIUM].concat())?;
        bench::run(flags.json.as_deref())?;
        return Ok(ExitCode::SUCCESS);
    }
    if flags.tests.is_empty() {
        require(&[NODE, BINARYEN])?;
        package::build()?.print();
        return Ok(ExitCode::SUCCESS);
    }
    let mut tally = Tally::default();
    for test in &flags.tests {
        tally += match test {
            WasmTest::Size => {
                require(&[NODE, BINARYEN])?;
                size::test()?
            }
            WasmTest::Package => {
                require(&[NODE, BINARYEN, TYPESCRIPT])?;
                package::test("package.test.mjs")?
            }
            WasmTest::Browser => {
                require(&[&[NODE, BINARYEN], CHROMIUM].concat())?;
                package::test("browser.test.mjs")?
            }
            WasmTest::Page => {
                require(&[&[NODE, BINARYEN, PLAYWRIGHT, AXE], CHROMIUM].concat())?;
                node::test("page.test.mjs", &[("PICTURE", picture(flags).as_os_str())])?
            }
            WasmTest::Threads => {
                require_for(&WASM_THREADS, &[&[NODE, BINARYEN], CHROMIUM].concat())?;
                threads::test()?
            }
        };
    }
    println!("{tally}");
    Ok(exit_code(tally.failed == 0))
}

/// The path at which the page's test stores its picture of the dashboard.
fn picture(flags: &Wasm) -> PathBuf {
    if flags.picture {
        workspace::root().join("docs/dashboard.png")
    } else {
        node::artefacts().join("dashboard.png")
    }
}

/// Builds the demo and serves it until it is interrupted.
pub(crate) fn demo(flags: &WasmDemo) -> Result<ExitCode> {
    require(&[NODE, BINARYEN])?;
    let module = build::demo()?;
    serve::demo(&module, flags.port)?;
    Ok(ExitCode::SUCCESS)
}

/// Installs what is missing, or returns an error with the commands that do.
fn require(needs: &[Need]) -> Result<()> {
    require_for(&WASM32, needs)
}

/// The same for a build for `target`.
fn require_for(target: &Target, needs: &[Need]) -> Result<()> {
    let needs = [needs, target.needs, target.compiler().as_slice()].concat();
    needs::install(&needs);
    let missing = needs::missing(&needs);
    if !missing.is_empty() {
        bail!("a tool is missing; install it with: {}", missing.join(" && "));
    }
    Ok(())
}
