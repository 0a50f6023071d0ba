//! Counts instructions per operation. Unlike times, counts are repeatable on a noisy machine.
//!
//! callgrind does not run the vDSO, so it misses most of the cost of `Instant::now`. Only sides that read no OS clock are
//! counted. Our sides advance a clock of their own.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The function of the benchmark programs in which instructions are counted.
const REGION: &str = "*measured_region*";

/// Returns whether valgrind is installed.
pub(crate) fn installed() -> bool {
    Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Returns the instructions per operation of one side.
pub(crate) fn count(program: &Path, side: &str, scratch: &Path) -> Result<f64> {
    fs::create_dir_all(scratch).with_context(|| format!("can't create {}", scratch.display()))?;
    let file = scratch.join(format!("{}.callgrind", side.replace('/', "-")));
    // The environment affects the stack's layout, and so the instructions that functions like `memcpy` execute.
    let output = Command::new("valgrind")
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .args([
            "--tool=callgrind",
            "--quiet",
            "--collect-atstart=no",
            "--combine-dumps=yes",
        ])
        .arg(format!("--toggle-collect={REGION}"))
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(program)
        .args(["count", side])
        .stdin(Stdio::null())
        .output()
        .context("can't start valgrind")?;
    if !output.status.success() {
        bail!(
            "counting `{side}` failed: {}",
            String::from_utf8_lossy(&output.stderr)
                .lines()
                .next()
                .unwrap_or("it said nothing")
        );
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    let ops: f64 = printed
        .trim()
        .parse()
        .with_context(|| format!("`{side}` printed `{}`", printed.trim()))?;
    let profile = fs::read_to_string(&file).with_context(|| format!("no profile of `{side}`"))?;
    fs::remove_file(&file)?;
    let total = instructions(&profile).with_context(|| format!("the profile of `{side}`"))?;
    if total == 0 || ops < 1.0 {
        bail!("`{side}` counted {total} instructions in {ops} operations: was `{REGION}` inlined away?");
    }
    Ok(total as f64 / ops)
}

/// Returns the instructions of a profile: the count of the event `Ir`, at any position among the events.
///
/// A profile has an `events:` line that names the columns and one `summary:` or `totals:` line with their sums; older
/// and newer releases write either or both, and several parts of one program each have their own.
fn instructions(profile: &str) -> Result<u64> {
    let events = profile
        .lines()
        .find_map(|line| line.strip_prefix("events:"))
        .context("has no events")?;
    let column = events
        .split_whitespace()
        .position(|event| event == "Ir")
        .context("counts no Ir")?;
    let sums = |prefix: &str| -> Result<Option<u64>> {
        let mut sum = None;
        for line in profile.lines().filter_map(|line| line.strip_prefix(prefix)) {
            // A part in which nothing was collected has fewer columns than events.
            let value = line.split_whitespace().nth(column).unwrap_or("0");
            let value: u64 = value.parse().with_context(|| format!("`{value}` is no count"))?;
            sum = Some(sum.unwrap_or(0) + value);
        }
        Ok(sum)
    };
    match sums("totals:")? {
        Some(total) => Ok(total),
        None => sums("summary:")?.context("has no sum"),
    }
}

#[cfg(test)]
mod tests {
    use super::instructions;

    #[test]
    fn reads_the_column_named_ir() {
        assert_eq!(
            instructions("events: Ir\nsummary: 12\n\nfn=(1) a\n1 12\ntotals: 12\n").expect("good"),
            12
        );
        assert_eq!(instructions("events: Dr Ir\nsummary: 3 40\n").expect("good"), 40);
        assert_eq!(
            instructions("events: Ir\ntotals: 7\nevents: Ir\ntotals: 5\n").expect("good"),
            12
        );
        assert_eq!(
            instructions("events: Ir Dr\ntotals:\n").expect("nothing collected"),
            0
        );
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        assert!(instructions("").is_err());
        assert!(instructions("events: Dr\ntotals: 1\n").is_err());
        assert!(instructions("events: Ir\n").is_err());
        assert!(instructions("events: Ir\ntotals: many\n").is_err());
    }
}
