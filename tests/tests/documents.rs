//! The files that documents name exist.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns every file below `dir`, relative to the root, except build output and hidden directories.
fn files(dir: &Path, name: &str, to: &mut Vec<String>) {
    for entry in fs::read_dir(dir).expect("it can be listed") {
        let path = entry.expect("it can be read").path();
        let last = path.file_name().expect("it has a name").to_string_lossy();
        if last.starts_with('.') || last == "target" {
            continue;
        }
        let name = if name.is_empty() {
            last.to_string()
        } else {
            format!("{name}/{last}")
        };
        if path.is_dir() {
            to.push(format!("{name}/"));
            files(&path, &name, to);
        } else {
            to.push(name);
        }
    }
}

/// Returns each text in backticks or in the target of a link that looks like a file or directory of the tree.
fn named(document: &str) -> impl Iterator<Item = &str> {
    let in_code = document
        .split("```")
        .step_by(2)
        .flat_map(|text| text.split('`').skip(1).step_by(2));
    let links = document
        .split("](")
        .skip(1)
        .filter_map(|link| link.split(')').next());
    in_code.chain(links).filter(|name| {
        let is_path = !name.contains([' ', ':', '*', '<', '(']) && !name.starts_with(['.', '-', '#', '/']);
        let is_built = name.starts_with("target/") || *name == "pkg/";
        let ends = [
            ".rs", ".md", ".js", ".ts", ".svg", ".png", ".toml", ".json", ".txt", ".patch", "/",
        ];
        is_path
            && !is_built
            && (name.contains('/') || has_extension(name, "rs"))
            && ends.iter().any(|end| name.ends_with(end))
    })
}

fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|found| found == extension)
}

#[test]
fn the_files_that_documents_name_exist() {
    let mut tree = Vec::new();
    files(&root(), "", &mut tree);
    let mut missing = Vec::new();
    let mut checked = 0;
    for document in tree
        .iter()
        .filter(|name| has_extension(name, "md") && *name != "CHANGELOG.md")
    {
        let text = fs::read_to_string(root().join(document)).expect("it can be read");
        for name in named(&text) {
            checked += 1;
            // Many names are relative to the directory of a crate or of the document.
            let end = format!("/{}", name.trim_start_matches("../"));
            if !tree.iter().any(|file| file == name || file.ends_with(&end)) {
                missing.push(format!("{document} names {name}"));
            }
        }
    }
    assert!(checked > 50, "{checked} names were found: the search is blind");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
