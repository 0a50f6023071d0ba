//! Checks that read every file.

use std::env;

use anyhow::Result;

use super::{Problem, Source};
use crate::workspace;

const MAX_LINES: usize = 600;
/// The usual maximum number of lines of a file.
const USUAL_LINES: usize = 400;

/// Returns whether a file is our own code, to which the limits apply. Bundled and generated code is excluded.
fn is_code(source: &Source) -> bool {
    [".rs", ".js", ".ts", ".css", ".html"]
        .iter()
        .any(|ending| source.path.ends_with(ending))
        && !source.path.contains("/vendor/")
}

pub(super) fn check_length(sources: &[Source]) -> Result<Vec<Problem>> {
    let lengths: Vec<_> = sources
        .iter()
        .filter(|source| is_code(source))
        .map(|source| (&source.path, source.text.lines().count()))
        .collect();
    let mut problems: Vec<_> = lengths
        .iter()
        .filter(|(_, lines)| *lines > MAX_LINES)
        .map(|(path, lines)| {
            Problem::new(
                *path,
                format!("{lines} lines, the limit is {MAX_LINES}"),
                "split it by concept",
            )
        })
        .collect();
    let long = lengths.iter().filter(|(_, lines)| *lines > USUAL_LINES).count();
    if long * 5 > lengths.len() {
        let what = format!(
            "{long} of {} files have more than {USUAL_LINES} lines, few should",
            lengths.len()
        );
        problems.push(Problem::new("the tree", what, "split the longest by concept"));
    }
    Ok(problems)
}

/// loom models replace the atomics, which works only if a single file names them.
pub(super) fn check_atomics(sources: &[Source]) -> Result<Vec<Problem>> {
    const FACADE: &str = "metrics-core/src/sync.rs";
    let names = ["sync::atomic", "portable_atomic", "loom::"];
    Ok(find(
        sources,
        |source| source.path.starts_with("metrics-core/src/") && source.path != FACADE,
        // An example in the documentation is a program of a user.
        |line| !line.trim_start().starts_with("///") && names.iter().any(|name| line.contains(name)),
        "atomics outside the facade",
        "take them from crate::sync",
    ))
}

/// Node has no libtest: a test that is not a `wasm_bindgen_test` silently does not run. Models run only on a host.
pub(super) fn check_node(sources: &[Source]) -> Result<Vec<Problem>> {
    let runs_in_node = ["wasm_bindgen_test as test", "target_arch = \"wasm32\""];
    let left_out = |source: &&Source| {
        source.path.starts_with("metrics-core/")
            && !source.path.contains("/models/")
            && source.text.lines().any(|line| line.trim() == "#[test]")
            && !runs_in_node.iter().any(|mark| source.text.contains(mark))
    };
    let what = "its tests don't run in Node";
    let remedy = "#[cfg(target_arch = \"wasm32\")] use wasm_bindgen_test::wasm_bindgen_test as test;";
    let problem = |source: &Source| Problem::new(&*source.path, what, remedy);
    Ok(sources.iter().filter(left_out).map(problem).collect())
}

/// Postponed work belongs in an issue.
pub(super) fn check_unfinished(sources: &[Source]) -> Result<Vec<Problem>> {
    // Concatenated, so that the check does not find this file.
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
    ];
    let ignored = concat!("#[ig", "nore");
    Ok(find(
        sources,
        is_code,
        |line| marks.iter().any(|mark| line.contains(mark)) || line.trim_start().starts_with(ignored),
        "unfinished",
        "finish it or file an issue",
    ))
}

/// A path on the author's machine is wrong on every other machine.
pub(super) fn check_paths(sources: &[Source]) -> Result<Vec<Problem>> {
    let mut needles: Vec<String> = vec!["/home/".into(), "/Users/".into(), "C:\\Users\\".into()];
    needles.push(workspace::root().to_string_lossy().into_owned());
    needles.extend(env::var("HOME").map(|home| format!("{}/", home.trim_end_matches('/'))));
    needles.retain(|needle| needle.len() > 2);
    Ok(find(
        sources,
        |source| source.path != "xtask/src/tidy/sources.rs",
        |line| needles.iter().any(|needle| line.contains(needle)),
        "a path of one machine",
        "name it relative to the tree",
    ))
}

/// Returns a problem for each line for which `is_found` returns true, in the files that `of` selects.
fn find(
    sources: &[Source],
    of: impl Fn(&Source) -> bool,
    is_found: impl Fn(&str) -> bool,
    what: &str,
    remedy: &str,
) -> Vec<Problem> {
    let in_source = |source: &Source| -> Vec<Problem> {
        let lines = source.text.lines().enumerate().filter(|(_, line)| is_found(line));
        lines
            .map(|(index, _)| Problem::new(format!("{}:{}", source.path, index + 1), what, remedy))
            .collect()
    };
    sources
        .iter()
        .filter(|source| of(source))
        .flat_map(in_source)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Source, check_atomics, check_length, check_paths, check_unfinished};

    fn source(path: &str, text: &str) -> Vec<Source> {
        vec![Source {
            path: path.into(),
            text: text.into(),
        }]
    }

    #[test]
    fn a_file_over_the_limit_is_found() {
        let problems = check_length(&source("a/src/lib.rs", &"//\n".repeat(601))).unwrap();
        assert_eq!(problems[0].place, "a/src/lib.rs");
        assert_eq!(
            check_length(&source("a/data.json", &"1\n".repeat(601))).unwrap(),
            []
        );
    }

    #[test]
    fn atomics_belong_to_the_facade() {
        let text = "fn a() {}\nuse core::sync::atomic::AtomicU32;\n";
        let problems = check_atomics(&source("metrics-core/src/slot.rs", text)).unwrap();
        assert_eq!(problems[0].place, "metrics-core/src/slot.rs:2");
        assert_eq!(
            check_atomics(&source("metrics-core/src/sync.rs", text)).unwrap(),
            []
        );
    }

    #[test]
    fn what_was_put_off_is_found() {
        for text in [
            concat!("// TO", "DO: later"),
            concat!("    #[ig", "nore]"),
            concat!("to", "do!()"),
        ] {
            assert_eq!(
                check_unfinished(&source("tests/src/lib.rs", text)).unwrap().len(),
                1,
                "{text}"
            );
        }
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        let text = format!("see {}", concat!("/ho", "me/somebody/x"));
        assert_eq!(check_paths(&source("README.md", &text)).unwrap().len(), 1);
        assert_eq!(
            check_paths(&source("README.md", "see docs/METRICS.md")).unwrap(),
            []
        );
    }
}
