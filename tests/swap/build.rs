//! Takes over the README of metrics-std. Its examples are compiled here and not run: they say what is measured.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let readme = "../../metrics-std/README.md";
    println!("cargo::rerun-if-changed={readme}");
    let text = fs::read_to_string(readme)?.replace("```rust\n", "```rust,no_run\n");
    let out = env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    fs::write(Path::new(&out).join("README.md"), text)
}
