//! A mutation: a patch whose header names the invariant that it breaks and the test that must fail.

use std::fs;

use anyhow::{Context, Result, bail, ensure};

use crate::workspace;

/// The directory of the patches, relative to the root of the tree. Its `README.md` describes the format.
pub(super) const DIR: &str = "tests/mutations";

#[derive(Debug)]
pub(super) struct Mutation {
    /// The file name without `.patch`.
    pub(super) name: String,
    /// The invariant that it breaks.
    pub(super) breaks: String,
    /// The description of the change.
    pub(super) how: String,
    pub(super) command: TestCommand,
    pub(super) expect: Expect,
    /// The whole file, which `git apply` accepts unchanged.
    pub(super) text: String,
}

/// A cargo command that runs tests. Mutations with the same one share what it builds.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TestCommand {
    pub(super) env: Vec<(String, String)>,
    pub(super) args: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expect {
    /// The tree compiles and this test fails.
    Fails(String),
    /// The compiler rejects it with this message.
    Refused(String),
}

/// Returns every mutation of the tree, grouped by command.
pub(super) fn all() -> Result<Vec<Mutation>> {
    let dir = workspace::root().join(DIR);
    let mut mutations = Vec::new();
    for entry in fs::read_dir(&dir).with_context(|| format!("can't list {DIR}"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "patch") {
            let name = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let text = fs::read_to_string(&path).with_context(|| format!("can't read {name}.patch"))?;
            mutations.push(parse(&name, text).with_context(|| format!("{DIR}/{name}.patch"))?);
        }
    }
    mutations.sort_by(|a, b| (&a.command, &a.name).cmp(&(&b.command, &b.name)));
    Ok(mutations)
}

fn parse(name: &str, patch: String) -> Result<Mutation> {
    let mut header: Vec<(&str, &str)> = Vec::new();
    for line in patch.lines().take_while(|line| !line.starts_with("diff ")) {
        if line.trim().is_empty() {
            continue;
        }
        header.push(
            line.split_once(": ")
                .with_context(|| format!("`{line}` is not a `Key: value` pair"))?,
        );
    }
    let known = ["Breaks", "How", "Cargo", "Env", "Fails", "Refused"];
    if let Some((key, _)) = header.iter().find(|(key, _)| !known.contains(key)) {
        bail!("unknown key `{key}`; known are {}", known.join(", "));
    }
    let all = |wanted: &str| {
        header
            .iter()
            .filter(|(key, _)| *key == wanted)
            .map(|(_, value)| value.trim())
            .collect::<Vec<_>>()
    };
    let one = |key: &str| match all(key)[..] {
        [value] => Ok(value.to_owned()),
        ref values => bail!("{} lines `{key}: ...`, one is needed", values.len()),
    };
    let expect = match (&all("Fails")[..], &all("Refused")[..]) {
        ([name], []) => Expect::Fails((*name).to_owned()),
        ([], [message]) => Expect::Refused((*message).to_owned()),
        _ => bail!("it needs exactly one line, `Fails: <test>` or `Refused: <message>`"),
    };
    let env = all("Env").into_iter().map(|pair| {
        let (name, value) = pair
            .split_once('=')
            .with_context(|| format!("`Env: {pair}` has no `=`"))?;
        Ok((name.to_owned(), value.to_owned()))
    });
    let command = TestCommand {
        env: env.collect::<Result<_>>()?,
        args: one("Cargo")?.split_whitespace().map(str::to_owned).collect(),
    };
    ensure!(
        command.args.first().is_some_and(|arg| arg == "test"),
        "`Cargo:` is no `test` command"
    );
    ensure!(
        patch.lines().any(|line| line.starts_with("diff ")),
        "it has no `diff` line"
    );
    Ok(Mutation {
        name: name.to_owned(),
        breaks: one("Breaks")?,
        how: one("How")?,
        command,
        expect,
        text: patch,
    })
}

#[cfg(test)]
mod tests {
    use super::{Expect, parse};

    const PATCH: &str = "Breaks: invariant 2: a worker's state in a snapshot is coherent\n\
                         How: the fence is dropped\n\
                         Cargo: test --package tests --test loom\n\
                         Env: RUSTFLAGS=--cfg metrics_core_loom -Copt-level=2\n\
                         Fails: slot::coherent\n\n\
                         diff --git a/x b/x\n";

    #[test]
    fn a_header_says_what_must_notice() {
        let mutation = parse("fence", PATCH.into()).unwrap();
        assert_eq!(mutation.expect, Expect::Fails("slot::coherent".into()));
        assert_eq!(
            mutation.command.args,
            ["test", "--package", "tests", "--test", "loom"]
        );
        let env = [(
            "RUSTFLAGS".to_owned(),
            "--cfg metrics_core_loom -Copt-level=2".to_owned(),
        )];
        assert_eq!(mutation.command.env, env);
    }

    #[test]
    fn every_invariant_is_broken_by_some_mutation() {
        let architecture = crate::workspace::read("ARCHITECTURE.md").unwrap();
        let (_, invariants) = architecture.split_once("\n## Invariants\n").unwrap();
        let (invariants, _) = invariants.split_once("\n## ").unwrap();
        let numbered = invariants.lines().filter_map(|line| line.split_once(". "));
        let numbers: Vec<u32> = numbered.filter_map(|(number, _)| number.parse().ok()).collect();
        assert!(numbers.iter().copied().eq(1..=15), "{numbers:?}");
        let mutations = super::all().unwrap();
        for number in numbers {
            let prefix = format!("invariant {number}: ");
            assert!(
                mutations
                    .iter()
                    .any(|mutation| mutation.breaks.starts_with(&prefix)),
                "no patch breaks invariant {number}"
            );
        }
    }

    #[test]
    fn every_patch_still_applies() {
        let shell = xshell::Shell::new().unwrap();
        shell.change_dir(crate::workspace::root());
        for mutation in super::all().unwrap() {
            let patch = format!("{}/{}.patch", super::DIR, mutation.name);
            let checked = xshell::cmd!(shell, "git apply --check {patch}")
                .quiet()
                .ignore_stderr()
                .run();
            assert!(
                checked.is_ok(),
                "{patch} does not apply to the code any more: recreate it"
            );
        }
    }

    #[test]
    fn a_mistake_in_a_header_is_told() {
        let error = |from: &str, to: &str| parse("x", PATCH.replace(from, to)).unwrap_err().to_string();
        assert!(error("Fails: slot::coherent\n", "").contains("`Fails: <test>`"));
        assert!(error("How:", "Why:").contains("unknown key `Why`"));
        assert!(error("Cargo: test", "Cargo: build").contains("no `test` command"));
        assert!(error("Breaks: ", "Breaks invariant 1\nBreaks: ").contains("is not a `Key: value` pair"));
        assert!(error("diff --git", "Fails: again\ndiff --git").contains("one line"));
    }
}
