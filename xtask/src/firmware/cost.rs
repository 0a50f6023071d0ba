//! Measures the cost of metrics on a chip (RAM, flash, stack, instructions), checks it against limits and writes it into a document.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::image::Image;
use crate::targets::{CORTEX_M0, CORTEX_M3};
use crate::workspace;

const DOCUMENT: &str = "docs/MICROCONTROLLERS.md";
const END: &str = "<!-- end of measured -->";

/// A figure and its limit, if it has one.
struct Figure {
    what: &'static str,
    value: u64,
    limit: Option<u64>,
    unit: &'static str,
}

pub(super) struct Cost {
    /// The name of the chip, by which the document's table is found.
    chip: &'static str,
    compiler: String,
    figures: Vec<Figure>,
}

/// Returns a number that an image printed.
fn printed(said: &[String], what: &str) -> Result<u64> {
    let line = said
        .iter()
        .find_map(|line| line.strip_prefix(what)?.strip_prefix(": "));
    let value = line.ok_or_else(|| anyhow!("the image does not report \"{what}\""))?;
    value
        .trim()
        .parse()
        .with_context(|| format!("\"{value}\" is not a number"))
}

/// Checks that these statics are zeroed at startup and not copied from flash.
pub(super) fn check_no_flash(image: &Path, statics: &[&str]) -> Result<()> {
    let image = Image::read(image)?;
    for name in statics {
        ensure!(
            image.is_zeroed(name)?,
            "{name} takes as much flash as RAM: its initial value must be all zeros"
        );
    }
    Ok(())
}

impl Cost {
    /// Computes the figures of embassy from the output of `round` and `stack` and from the images of `size`.
    pub(super) fn measure_embassy(said: &[String], size: impl Fn(&str) -> Result<PathBuf>) -> Result<Self> {
        let flash = |features| Ok::<_, anyhow::Error>(Image::read(&size(features)?)?.flash());
        let hooks = flash("record")?;
        let figure = |what, value, limit, unit| Figure {
            what,
            value,
            limit,
            unit,
        };
        let (ram, stack, instructions) = ("bytes of RAM", "bytes of stack", "instructions");
        let mut figures = vec![
            figure("fixed", printed(said, "bytes of the rest")?, None, ram),
            figure("each executor", printed(said, "bytes of an executor")?, None, ram),
            figure(
                "each bucket of each executor, for two histograms",
                printed(said, "bytes of a bucket")?,
                None,
                ram,
            ),
            figure("each row of a task", printed(said, "bytes of a task")?, None, ram),
            figure(
                "each `InterruptHandler`",
                printed(said, "bytes of a handler")?,
                None,
                "bytes of RAM and of flash",
            ),
            figure(
                "the feature `record`: all hooks of embassy",
                hooks.saturating_sub(flash("")?),
                None,
                "bytes of flash",
            ),
        ];
        for (what, features) in [
            ("in addition, `trace_into` and `core_load`", "table"),
            (
                "the same, and the table printed by `Display`, with `core::fmt`",
                "print",
            ),
            ("in addition to the hooks, `snapshot_into`", "snapshot"),
            ("in addition to the hooks, both in postcard", "wire"),
        ] {
            let cost = flash(features)?.saturating_sub(hooks);
            figures.push(figure(what, cost, None, "bytes of flash"));
        }
        let snapshot = printed(said, "bytes of a snapshot")?;
        let trace = printed(said, "bytes of a trace")?;
        let events = printed(said, "bytes of events")?;
        for (what, name, limit) in [
            ("any hook", "stack of hooks", 256),
            (
                "`snapshot_into`, of 2 executors with 20 buckets",
                "stack of snapshot_into",
                1_152,
            ),
            (
                "the same, with the snapshot in a variable",
                "stack of snapshot_into a variable",
                snapshot + 1_152,
            ),
            (
                "`trace_into`, of 2 executors and 8 tasks",
                "stack of trace_into",
                512,
            ),
            ("`trace`, by value", "stack of trace", 2 * trace + 512),
            ("`since`, by value", "stack of since", 2 * trace + 512),
            (
                "`events` of `StaticDetails`, by value, with 64 places",
                "stack of events",
                2 * events + 1_280,
            ),
        ] {
            figures.push(figure(what, printed(said, name)?, Some(limit), stack));
        }
        for (what, name, limit) in [
            (
                "a wake, a poll and going idle, with one executor",
                "round of one executor",
                800,
            ),
            (
                "the same, with four executors",
                "round of the last of four executors",
                1_000,
            ),
        ] {
            figures.push(figure(what, printed(said, name)?, Some(limit), instructions));
        }
        figures.push(figure(
            "of these, each of five readings of the clock",
            printed(said, "clock reading")?,
            None,
            instructions,
        ));
        Ok(Self {
            chip: "cortex-m3",
            compiler: CORTEX_M3.compiler_version(),
            figures,
        })
    }

    /// Computes the figures from the output of `instructions` and from the images of `size` with features.
    pub(super) fn measure(said: &[String], size: impl Fn(&str) -> Result<PathBuf>) -> Result<Self> {
        let said = |what: &str| printed(said, what);
        let image = |features| Image::read(&size(features)?);
        let bare = image("")?.flash();
        let (record, getters, snapshot) = (image("record")?, image("getters")?, image("snapshot")?);
        let figure = |what, value, limit, unit| Figure {
            what,
            value,
            limit,
            unit,
        };
        Ok(Self {
            chip: "cortex-m0",
            compiler: CORTEX_M0.compiler_version(),
            figures: vec![
                figure(
                    "registry of one worker, two histograms of 20 64-bit buckets",
                    record.object("METRICS")?,
                    Some(768),
                    "bytes of RAM",
                ),
                figure(
                    "all hooks of the worker",
                    record.flash() - bare,
                    None,
                    "bytes of flash",
                ),
                figure(
                    "the same, and every counter and both histograms read by getters",
                    getters.flash() - bare,
                    Some(6 * 1024),
                    "bytes of flash",
                ),
                figure(
                    "the same, read as one whole snapshot instead",
                    snapshot.flash() - bare,
                    None,
                    "bytes of flash",
                ),
                figure(
                    "a poll without a clock",
                    said("poll without a clock")?,
                    Some(150),
                    "instructions",
                ),
                figure(
                    "a poll with its time recorded",
                    said("poll with its time recorded")?,
                    Some(300),
                    "instructions",
                ),
                figure(
                    "of these, a reading of the clock",
                    said("clock reading")?,
                    None,
                    "instructions",
                ),
            ],
        })
    }

    /// Formats the figures as a Markdown table.
    pub(super) fn table(&self) -> String {
        let mut table = String::from("| what | cost | limit |\n|---|---|---|\n");
        for Figure {
            what,
            value,
            limit,
            unit,
        } in &self.figures
        {
            let limit = limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
            // Writing to a string can't fail.
            let _ = writeln!(table, "| {what} | {value} {unit} | {limit} |");
        }
        let _ = writeln!(table, "\nMeasured with {}, release, opt-level s.", self.compiler);
        table
    }

    pub(super) fn check_limits(&self) -> Result<()> {
        for Figure {
            what,
            value,
            limit,
            unit,
        } in &self.figures
        {
            if let Some(limit) = limit {
                ensure!(
                    value <= limit,
                    "{what}: {value} {unit}, at most {limit} are allowed"
                );
            }
        }
        Ok(())
    }

    /// Checks that the document contains the measured figures. With another compiler the figures differ, and only the limits apply.
    pub(super) fn check_document(&self, write: bool) -> Result<()> {
        let path = workspace::root().join(DOCUMENT);
        let text = fs::read_to_string(&path).with_context(|| format!("no {DOCUMENT}"))?;
        let command = format!("cargo xtask firmware {} --write", self.chip);
        let begin = format!("<!-- measured: `{command}` -->\n");
        let (before, rest) = text
            .split_once(&begin)
            .ok_or_else(|| anyhow!("{DOCUMENT} has no measured part for {}", self.chip))?;
        let (old, after) = rest
            .split_once(END)
            .ok_or_else(|| anyhow!("the measured part of {DOCUMENT} has no end"))?;
        let new = format!("\n{}\n", self.table());
        if write {
            fs::write(&path, format!("{before}{begin}{new}{END}{after}"))?;
        } else if old.contains(&self.compiler) && old != new {
            bail!("{DOCUMENT} differs from the measured figures; to update it: {command}");
        }
        Ok(())
    }
}
