//! A copy of the tree in which mutations are applied, so that nobody's work is touched.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use super::patch::Mutation;
use crate::workspace;

pub(super) struct Tree {
    dir: PathBuf,
}

impl Tree {
    /// Brings the copy up to date with the tree as it is, committed or not. Only what differs is written: the time of a
    /// file tells cargo whether to build it again.
    pub(super) fn copy() -> Result<Self> {
        let dir = workspace::target_dir().join("mutate/tree");
        fs::create_dir_all(&dir).with_context(|| format!("can't make {}", dir.display()))?;
        let shell = Shell::new()?;
        shell.change_dir(&dir);
        // A repository of its own: inside another one `git apply` ignores what it takes for files of that.
        if !dir.join(".git").exists() {
            cmd!(shell, "git init --quiet").quiet().run()?;
        }
        let tree = Self { dir };
        let wanted = list(workspace::root())?;
        for path in list(&tree.dir)?.difference(&wanted) {
            fs::remove_file(tree.dir.join(path)).with_context(|| format!("can't remove {path}"))?;
        }
        wanted.iter().try_for_each(|path| tree.restore(path))?;
        Ok(tree)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Applies a mutation. A patch that does not fit the tree any more is an error: nobody knows what it would prove.
    pub(super) fn apply(&self, mutation: &Mutation) -> Result<()> {
        let mut git = Command::new("git")
            .args(["apply", "--whitespace=nowarn", "-"])
            .current_dir(&self.dir)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("can't start git")?;
        // Dropped at once: the end of its input is what git waits for.
        git.stdin
            .take()
            .context("git has no input")?
            .write_all(mutation.text.as_bytes())?;
        let output = git.wait_with_output()?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "{}.patch no longer applies: {}",
            mutation.name,
            complaint.trim()
        );
        Ok(())
    }

    /// Takes a mutation back.
    pub(super) fn revert(&self, mutation: &Mutation) -> Result<()> {
        let sides = mutation.text.lines().filter_map(|line| {
            line.strip_prefix("--- a/")
                .or_else(|| line.strip_prefix("+++ b/"))
                .map(str::to_owned)
        });
        for path in sides.collect::<BTreeSet<_>>() {
            if workspace::root().join(&path).exists() {
                self.restore(&path)?;
            } else {
                fs::remove_file(self.dir.join(&path)).with_context(|| format!("can't remove {path}"))?;
            }
        }
        Ok(())
    }

    fn restore(&self, path: &str) -> Result<()> {
        let (from, to) = (workspace::root().join(path), self.dir.join(path));
        let text = fs::read(&from).with_context(|| format!("can't read {path}"))?;
        if fs::read(&to).is_ok_and(|old| old == text) {
            return Ok(());
        }
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&to, text).with_context(|| format!("can't write {}", to.display()))
    }
}

/// The files in `dir` that git knows or would add.
fn list(dir: &Path) -> Result<BTreeSet<String>> {
    let shell = Shell::new()?;
    shell.change_dir(dir);
    let listed = cmd!(shell, "git ls-files --cached --others --exclude-standard")
        .quiet()
        .read()?;
    // What was deleted but not yet committed is still listed; a link to a directory is no file.
    Ok(listed
        .lines()
        .filter(|path| dir.join(path).is_file())
        .map(str::to_owned)
        .collect())
}
