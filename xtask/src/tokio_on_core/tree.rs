//! A copy of Tokio's package with our files and patches.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::{metadata, workspace};

/// The patches, in the order in which they are applied.
const MANIFEST: &str = "manifest.patch";
const TOKIO: &str = "tokio.patch";
const ADJUSTED: &str = "adjusted.patch";

pub(super) struct Tree {
    dir: PathBuf,
}

impl Tree {
    /// Copies and patches Tokio, unless that was done with the same files before: cargo would build it again.
    pub(super) fn prepare() -> Result<Self> {
        let tree = Self {
            dir: workspace::target_dir().join("tokio-on-core/tokio"),
        };
        let ours = workspace::root().join("tests/tokio-on-core");
        let package = metadata::package("tokio")?.dir().to_owned();
        let made_of = tree.dir.with_file_name("made-of");
        let inputs = inputs(&ours, &package)?;
        if fs::read_to_string(&made_of).is_ok_and(|before| before == inputs) {
            return Ok(tree);
        }
        if tree.dir.exists() {
            fs::remove_file(&made_of).ok();
            fs::remove_dir_all(&tree.dir).with_context(|| format!("can't remove {}", tree.dir.display()))?;
        }
        copy(&package, &tree.dir)?;
        // The versions that the workspace uses. cargo adds what only Tokio's tests need.
        copy(
            &workspace::root().join("Cargo.lock"),
            &tree.dir.join("Cargo.lock"),
        )?;
        let metrics = tree.dir.join("src/runtime/metrics");
        fs::remove_dir_all(&metrics).context("Tokio has no runtime metrics")?;
        copy(&ours.join("metrics"), &metrics)?;
        tree.apply(&ours, &[MANIFEST, TOKIO])?;
        let suite = |name: &str| tree.dir.join("tests").join(name).with_extension("rs");
        copy(
            &suite("rt_unstable_metrics"),
            &suite("rt_unstable_metrics_adjusted"),
        )?;
        copy(&ours.join("rt_every_poll.rs"), &suite("rt_every_poll"))?;
        tree.apply(&ours, &[ADJUSTED])?;
        fs::write(&made_of, inputs).with_context(|| format!("can't write {}", made_of.display()))?;
        Ok(tree)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    fn apply(&self, ours: &Path, patches: &[&str]) -> Result<()> {
        let shell = Shell::new()?;
        shell.change_dir(&self.dir);
        // Inside another repository, `git apply` ignores files that it does not track.
        cmd!(shell, "git init --quiet").quiet().run()?;
        for name in patches {
            let patch = ours.join(name);
            cmd!(shell, "git apply {patch}").quiet().run().with_context(|| {
                format!("{name} does not apply to the Tokio of Cargo.lock: recreate the patch")
            })?;
        }
        Ok(())
    }
}

/// Returns all that a tree is made of: our files, and the directory of the package, whose name has the version.
fn inputs(ours: &Path, package: &Path) -> Result<String> {
    let mut inputs = vec![package.display().to_string()];
    let mut files: Vec<PathBuf> = [MANIFEST, TOKIO, ADJUSTED, "rt_every_poll.rs"]
        .map(|name| ours.join(name))
        .into();
    for entry in fs::read_dir(ours.join("metrics"))? {
        files.push(entry?.path());
    }
    files.sort();
    for file in files {
        let text = fs::read_to_string(&file).with_context(|| format!("can't read {}", file.display()))?;
        inputs.extend([file.display().to_string(), text]);
    }
    Ok(inputs.join("\n"))
}

/// Copies a file, or a directory with all that is in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if from.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    let text = fs::read(from).with_context(|| format!("can't read {}", from.display()))?;
    // Not `fs::copy`: files of the registry may be read-only.
    fs::write(to, text).with_context(|| format!("can't write {}", to.display()))
}
