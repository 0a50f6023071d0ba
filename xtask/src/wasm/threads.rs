//! Tests a worker and a reader on two web workers that share the memory of one module.

use anyhow::Result;

use super::build::{Source, module};
use super::node;
use crate::libtest::Tally;
use crate::targets::WASM_THREADS;
use crate::workspace;

pub(super) fn test() -> Result<Tally> {
    let source = Source {
        target: &WASM_THREADS,
        cargo: &["build", "--package", "wasm-threads"],
        module: "wasm_threads.wasm",
    };
    let dir = workspace::target_dir().join("wasm-threads");
    let module = module(&source, &dir, "threads")?;
    node::test("threads.test.mjs", &[("MODULE", module.dir.as_os_str())])
}
