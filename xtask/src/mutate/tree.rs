//! A copy of the tree to which mutations are applied, so that the working tree is not modified.

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
    /// Updates the copy from the working tree, including uncommitted changes. Only files that differ are written, because cargo
    /// rebuilds a file by its modification time.
    pub(super) fn copy() -> Result<Self> {
        let dir = workspace::target_dir().join("mutate/tree");
        fs::create_dir_all(&dir).with_context(|| format!("can't create {}", dir.display()))?;
        let shell = Shell::new()?;
        shell.change_dir(&dir);
        // The copy is a repository of its own: inside another repository, `git apply` ignores files that it does not track.
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

    /// Applies a mutation. Returns an error if the patch does not apply to the tree.
    pub(super) fn apply(&self, mutation: &Mutation) -> Result<()> {
        let mut git = Command::new("git")
            .args(["apply", "--whitespace=nowarn", "-"])
            .current_dir(&self.dir)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("can't start git")?;
        // Dropped at once, because git waits for the end of its input.
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

    /// Reverts a mutation.
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
        #[cfg(unix)]
        if let Ok(target) = fs::read_link(&from) {
            if fs::read_link(&to).is_ok_and(|old| old == target) {
                return Ok(());
            }
            // A file of an older copy may be in its place.
            let _ = fs::remove_file(&to);
            return std::os::unix::fs::symlink(target, &to)
                .with_context(|| format!("can't link {}", to.display()));
        }
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

/// Returns the files in `dir` that git tracks or would add.
fn list(dir: &Path) -> Result<BTreeSet<String>> {
    let shell = Shell::new()?;
    shell.change_dir(dir);
    let listed = cmd!(shell, "git ls-files --cached --others --exclude-standard")
        .quiet()
        .read()?;
    // Git still lists files whose deletion is not committed.
    Ok(listed
        .lines()
        .filter(|path| dir.join(path).is_file() || dir.join(path).is_symlink())
        .map(str::to_owned)
        .collect())
}
