//! Builds the images of `tests/firmware`, runs them in QEMU, and measures the cost of metrics.

mod cost;
mod image;
mod off;
mod reach;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;

use crate::children::Outcome;
use crate::flags::{Chip, Firmware, FirmwareAction};
use crate::targets::{CORTEX_M0, CORTEX_M3, RISCV32IMC, Target};
use crate::toolchain::Toolchain;
use crate::{children, needs, programs, workspace};

/// A run of each program takes a second, so one that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);
/// A run on two cores takes some seconds, and longer if other programs need the processors: a core that waits for the other one spins.
const TWO_CORES_LIMIT: Duration = Duration::from_secs(300);
/// Building one, core included, takes a minute or two on two slow cores.
const BUILD_LIMIT: Duration = Duration::from_secs(15 * 60);

impl Chip {
    fn name(self) -> &'static str {
        match self {
            Self::CortexM0 => "cortex-m0",
            Self::CortexM3 => "cortex-m3",
            Self::Riscv32imc => "riscv32imc",
        }
    }

    fn target(self) -> &'static Target {
        match self {
            Self::CortexM0 => &CORTEX_M0,
            Self::CortexM3 => &CORTEX_M3,
            Self::Riscv32imc => &RISCV32IMC,
        }
    }

    /// QEMU's program and arguments for the board, up to the path of the image.
    fn qemu(self) -> (&'static str, &'static [&'static str]) {
        const SEMIHOSTING: &str = "enable=on,target=native";
        match self {
            Self::CortexM0 => (
                "qemu-system-arm",
                &["-M", "microbit", "-semihosting-config", SEMIHOSTING, "-kernel"],
            ),
            Self::CortexM3 => (
                "qemu-system-arm",
                &["-M", "lm3s6965evb", "-semihosting-config", SEMIHOSTING, "-kernel"],
            ),
            // Without the extension A, an atomic instruction is illegal.
            Self::Riscv32imc => (
                "qemu-system-riscv32",
                &[
                    "-M",
                    "virt",
                    "-cpu",
                    "rv32,a=false,f=false,d=false",
                    "-bios",
                    "none",
                    "-kernel",
                ],
            ),
        }
    }

    /// Builds one of its programs, optimised for release, and returns its path.
    fn build(self, program: &str, features: &str) -> Result<PathBuf> {
        let Some(toolchain) = self.target().toolchain() else {
            bail!(
                "no compiler for {}: see `cargo xtask test-matrix --list`",
                self.name()
            );
        };
        let manifest = workspace::root()
            .join("tests/firmware")
            .join(self.name())
            .join("Cargo.toml");
        let dir = workspace::target_dir().join("firmware");
        let mut command = toolchain.cargo(&["build", "--release", "--locked", "--bin", program]);
        command
            .args(["--features", features])
            .arg("--manifest-path")
            .arg(manifest);
        command
            .env("CARGO_TARGET_DIR", &dir)
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_TERM_COLOR", "never");
        let (built, said) = children::output(command, BUILD_LIMIT)?;
        if !built.success() {
            bail!("can't build {program} for {}:\n{}", self.name(), said.join("\n"));
        }
        let built = dir
            .join(self.target().triple.unwrap_or_default())
            .join("release")
            .join(program);
        // A later build of the program with other features replaces the file.
        let kept = built.with_file_name(format!("{program}-{features}.elf"));
        fs::copy(&built, &kept).with_context(|| format!("no image at {}", built.display()))?;
        Ok(kept)
    }

    /// Runs an image to its end and returns its output. Its exit status must be success.
    ///
    /// Every instruction takes 64 ns of the emulated machine's time, so that runs are repeatable.
    fn run(self, image: &Path) -> Result<Vec<String>> {
        self.emulate(image, &["-icount", "shift=6,sleep=off"], LIMIT)
    }

    /// Runs a program that must fail, and returns the report.
    fn failure(self, program: &str) -> Result<String> {
        let end = self.run(&self.build(program, "record")?);
        Ok(end.err().map(|error| error.to_string()).unwrap_or_default())
    }

    /// Like [`run`](Self::run), on two cores. Each is a thread of QEMU, so that they run at the same time.
    fn run_on_two_cores(self, image: &Path) -> Result<Vec<String>> {
        self.emulate(
            image,
            &["-smp", "2", "-accel", "tcg,thread=multi"],
            TWO_CORES_LIMIT,
        )
    }

    fn emulate(self, image: &Path, machine: &[&str], limit: Duration) -> Result<Vec<String>> {
        let (program, board) = self.qemu();
        let mut command = Command::new(program);
        command.arg("-nographic").args(machine).args(board).arg(image);
        let (outcome, mut said) = children::output(command, limit)?;
        // A message of QEMU about a timer that is being set up.
        said.retain(|line| line != "Timer with period zero, disabling");
        if !outcome.success() {
            let end = match outcome {
                Outcome::TimedOut => "did not end",
                Outcome::Exited(_) => "failed",
            };
            bail!("{} in QEMU {end}:\n{}", image.display(), said.join("\n"));
        }
        Ok(said)
    }
}

pub(crate) fn run(flags: &Firmware) -> Result<ExitCode> {
    if let Some(FirmwareAction::Decode(flags)) = &flags.action {
        return programs::decode(flags);
    }
    let chips = match flags.chip {
        Some(chip) => vec![chip],
        None => Chip::value_variants().to_vec(),
    };
    if !flags.no_install {
        for chip in &chips {
            let target = chip.target();
            needs::install(&[target.needs, target.compiler().as_slice()].concat());
        }
    }
    let mut passed = 0;
    for chip in chips {
        println!("{}", chip.name());
        passed += match chip {
            Chip::CortexM0 => cortex_m0(flags.write)?,
            Chip::CortexM3 => cortex_m3(flags.write)?,
            Chip::Riscv32imc => riscv32imc()?,
        };
    }
    println!("{passed} passed, 0 failed");
    Ok(ExitCode::SUCCESS)
}

/// Checks the loop's own assertions, that the costs are within their limits and zero without the feature `record`, and that nothing on the
/// hot path masks interrupts.
fn cortex_m0(write: bool) -> Result<u32> {
    let chip = Chip::CortexM0;
    for line in chip.run(&chip.build("loop", "record")?)? {
        println!("{line}");
    }
    let instructions = chip.build("instructions", "record")?;
    reach::check(&instructions)?;
    println!("no critical section is reached from the hot path\n");
    off::check(&["hooks"], |features| chip.build("size", features))?;
    let cost = cost::Cost::measure(&chip.run(&instructions)?, |features| chip.build("size", features))?;
    println!("{}", cost.table());
    cost.check_limits()?;
    cost.check_document(write)?;
    Ok(5)
}

/// The images' own assertions, that a fault ends a run at once, no cost without the feature `record`, that the costs are within their limits, and
/// the postcard snapshot decoded by the host's types and compared with its table.
fn cortex_m3(write: bool) -> Result<u32> {
    let chip = Chip::CortexM3;
    let report = chip.failure("fault")?;
    ensure!(
        report.contains("failed:\nhard fault at "),
        "a fault must be reported and end the run with failure: {report}"
    );
    off::check(&["hooks", "hooks,trace"], |features| chip.build("size", features))?;
    let said = chip.run(&chip.build("firmware-cortex-m3", "record")?)?;
    for line in said.iter().filter(|line| !line.starts_with("postcard ")) {
        println!("{line}");
    }
    let output = workspace::target_dir().join("firmware/cortex-m3.txt");
    fs::write(&output, said.join("\n") + "\n")?;
    // The test that also decodes the committed output.
    let status = Toolchain::host()
        .cargo(&["test", "--quiet", "--package", "tests", "--test", "firmware"])
        .env("FIRMWARE_OUTPUT", &output)
        // The matrix uses another target directory for cross builds. Artefacts for this machine are in the usual one.
        .env_remove("CARGO_TARGET_DIR")
        .stdin(Stdio::null())
        .status()?;
    if !status.success() {
        bail!("the snapshot in {} and its table differ", output.display());
    }
    // Runs a million rounds of a stamp that an interrupt marks. With a lock instead of an atomic, they do not end.
    let wakes = chip.build("wakes", "record")?;
    reach::check_no_lock(&wakes)?;
    for line in chip.run(&wakes)? {
        println!("{line}");
    }
    for program in ["superloop", "priorities"] {
        for line in chip.run(&chip.build(program, "record")?)? {
            println!("{line}");
        }
    }
    let mut said = chip.run(&chip.build("round", "record")?)?;
    let stack = chip.build("stack", "record")?;
    cost::check_no_flash(&stack, &["SNAPSHOT", "TRACE"])?;
    said.extend(chip.run(&stack)?);
    cost::check_no_flash(&chip.build("size", "record")?, &["METRICS"])?;
    let cost = cost::Cost::measure_embassy(&said, |features| chip.build("size", features))?;
    println!("{}", cost.table());
    cost.check_limits()?;
    cost.check_document(write)?;
    Ok(9)
}

/// The images' own assertions. A trap ends a run at once with failure. Two cores count exactly with a critical section that locks out the
/// other core, and lose counts with one that only masks interrupts.
fn riscv32imc() -> Result<u32> {
    let chip = Chip::Riscv32imc;
    // Runs an atomic instruction, which is illegal: exception 2.
    let report = chip.failure("trap")?;
    ensure!(
        report.contains("failed:\ntrap at ") && report.contains("Exception(2)"),
        "a trap must be reported and end the run with failure: {report}"
    );
    for line in chip.run(&chip.build("firmware-riscv32imc", "record")?)? {
        println!("{line}");
    }
    for (program, features) in [
        ("two_cores", "two-cores"),
        ("two_cores", "masking"),
        ("two_executors", "two-cores"),
    ] {
        for line in chip.run_on_two_cores(&chip.build(program, features)?)? {
            println!("{line}");
        }
    }
    Ok(5)
}
