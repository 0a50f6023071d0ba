//! Source paths without the parts that describe the machine that compiled them.

/// Directories of a package that contain its source files.
const SOURCES: &[&str] = &["src", "tests", "examples", "benches"];
/// Directories that contain the home directories of users.
const HOMES: &[&str] = &["home", "Users"];

/// Returns a source path without the directories of the machine that compiled it: the home directory, the registry, the
/// checkout and the workspace.
///
/// The compiler writes relative paths for the packages of a workspace, which stay as they are. It writes absolute paths
/// for dependencies; of these, the package's directory and the path below it remain. No result is absolute.
///
/// ```
/// use metrics_core::short_path;
///
/// assert_eq!(short_path("src/main.rs"), "src/main.rs");
/// let registry = "/build/.cargo/registry/src/registry.example-0123456789abcdef/";
/// assert_eq!(short_path(&format!("{registry}hyper-1.6.0/src/server/conn.rs")), "hyper-1.6.0/src/server/conn.rs");
/// ```
pub fn short_path(path: &str) -> &str {
    let is_separator = |c: char| c == '/' || c == '\\';
    let below_drive = match path.as_bytes() {
        [_, b':', ..] => path.get(2..).unwrap_or_default(),
        _ if path.starts_with(is_separator) => path,
        _ => return path,
    };
    let mut before = "";
    // The positions of the last two components, of the package, and of the first component below a home directory.
    let (mut parent, mut last, mut package, mut below_home) = (0, 0, None, 0);
    let mut at = 0;
    for component in below_drive.split(is_separator) {
        (parent, last) = (last, at);
        at += component.len() + 1;
        if SOURCES.contains(&component) && before != "registry" {
            package = Some(parent);
        }
        if HOMES.contains(&before) {
            below_home = at;
        }
        before = component;
    }
    let start = package.unwrap_or(parent).max(below_home).min(last);
    let short = below_drive.get(start..).unwrap_or_default();
    short.trim_start_matches(is_separator)
}

#[cfg(test)]
mod tests {
    use super::short_path;
    extern crate std;
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    // In parts, because no file of the tree names a home directory.
    const HOME: &str = concat!("/ho", "me/ann");
    const WINDOWS_HOME: &str = concat!("C:\\Us", "ers\\ann");

    #[test]
    fn a_path_keeps_its_package_and_what_is_below_it() {
        for (path, short) in [
            ("src/report.rs", "src/report.rs"),
            ("service/src/report.rs", "service/src/report.rs"),
            ("shop/service/src/report.rs", "shop/service/src/report.rs"),
            ("~/work/shop/service/src/report.rs", "service/src/report.rs"),
            ("~/src/shop/src/report.rs", "shop/src/report.rs"),
            ("~/src/report.rs", "src/report.rs"),
            ("~/report.rs", "report.rs"),
            ("~", "ann"),
            ("/build/shop/examples/report.rs", "shop/examples/report.rs"),
            (
                "~/.cargo/registry/src/registry.example-0123456789abcdef/tokio-1.45.0/src/task/spawn.rs",
                "tokio-1.45.0/src/task/spawn.rs",
            ),
            (
                "~/.cargo/git/checkouts/tower-26ba5a7e/f2bc0d0/tower/src/load.rs",
                "tower/src/load.rs",
            ),
            (
                "/rustc/6b00bc3880198600130e1cf62b8f8a93494488cc/library/std/src/thread/mod.rs",
                "std/src/thread/mod.rs",
            ),
            (
                "%\\.cargo\\registry\\src\\registry.example-0123456789abcdef\\h2-0.4.7\\src\\lib.rs",
                "h2-0.4.7\\src\\lib.rs",
            ),
            ("C:\\shop\\report.rs", "shop\\report.rs"),
            ("/tmp/generated/report.rs", "generated/report.rs"),
            ("/report.rs", "report.rs"),
            ("/", ""),
            ("", ""),
        ] {
            let path = path.replace('~', HOME).replace('%', WINDOWS_HOME);
            assert_eq!(short_path(&path), short, "{path}");
        }
    }

    #[test]
    fn no_result_is_absolute() {
        for path in [
            "/a",
            "//a",
            "/src/main.rs",
            "\\\\host\\share\\src\\lib.rs",
            "/tests",
            "C:/main.rs",
            "c:",
        ] {
            let short = short_path(path);
            assert!(
                !short.starts_with(['/', '\\']) && !short.contains(':'),
                "{path}: {short}"
            );
        }
    }
}
