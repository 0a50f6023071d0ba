//! Files that metrics-mock has from metrics-std as they are: what they do is not measuring, so it is not switched off.
//!
//! Published crates can't share a file, and the mock depends on no adapter.

use anyhow::Result;

use super::{Problem, Source};

const REAL: &str = "metrics-std/src";
const MOCK: &str = "metrics-mock/src/server";
const TWINS: &[&str] = &[
    "axum.rs",
    "hyper.rs",
    "prometheus/endpoint.rs",
    "prometheus/format.rs",
    "prometheus/text.rs",
    "runtimes.rs",
];

pub(super) fn check(sources: &[Source]) -> Result<Vec<Problem>> {
    let body = |path: &str| {
        let source = sources.iter().find(|source| source.path == path)?;
        Some(body(&source.text))
    };
    Ok(TWINS
        .iter()
        .filter_map(|twin| {
            let (real, mock) = (format!("{REAL}/{twin}"), format!("{MOCK}/{twin}"));
            let same = body(&real).is_some_and(|real| body(&mock).as_ref() == Some(&real));
            let remedy = format!("make it what {real} is, but for documentation and imports");
            (!same).then(|| Problem::new(mock, format!("differs from {real}"), remedy))
        })
        .collect())
}

/// The code behind the imports and before the tests, without comments.
fn body(text: &str) -> Vec<&str> {
    let text = text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or(text);
    let lines: Vec<&str> = text.lines().collect();
    let is_import = |line: &&str| line.starts_with("use ") || line.starts_with("pub use ");
    let last = lines.iter().rposition(is_import).unwrap_or(0);
    let ends = lines[last..].iter().position(|line| line.ends_with(';'));
    lines[last + ends.map_or(0, |lines| lines + 1)..]
        .iter()
        .map(|line| line.trim_end())
        .filter(|line| !line.is_empty() && !line.trim_start().starts_with("//"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::body;

    #[test]
    fn only_documentation_and_imports_may_differ() {
        let real = "//! Real.\nuse a::{\n    b,\n};\n\n/// Says.\nfn f() {\n    b()\n}\n\n#[cfg(test)]\nmod tests {}\n";
        let mock = "use alloc::c;\nuse a::b;\nfn f() {\n    // Why.\n    b()\n}\n";
        assert_eq!(body(real), ["fn f() {", "    b()", "}"]);
        assert_eq!(body(real), body(mock));
        assert_ne!(body(real), body("use a::b;\nfn f() {\n    c()\n}\n"));
    }
}
