//! `cargo xtask ops`: the exporters, the dashboard, the rules and the runbooks against real servers and parsers.

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};

use crate::flags::exit_code;
use crate::needs::{self, Need};
use crate::toolchain::Toolchain;

/// The programs that the tests run. The row `host` wants them too.
pub(crate) static NEEDS: &[Need] = &[
    Need::Program("prometheus", "prometheus"),
    Need::Program("promtool", "prometheus"),
    Need::Python("prometheus_client", "python3-prometheus-client"),
    Need::Pip("opentelemetry.proto.collector.metrics.v1", "opentelemetry-proto"),
];

/// A test that uses it is skipped without it.
static OPTIONAL: &[Need] = &[Need::Prometheus3];

static TESTS: &[&str] = &[
    "test --package metrics-std --features prometheus,otlp,metrics,serde --test prometheus --test otlp --test facade",
    "test --package demo --test ops",
];

pub(crate) fn run() -> Result<ExitCode> {
    needs::install(NEEDS);
    needs::install(OPTIONAL);
    if !needs::missing(OPTIONAL).is_empty() {
        println!("the conversion to native histograms is not tested: it needs Prometheus 3 on the path");
    }
    let missing = needs::missing(NEEDS);
    ensure!(missing.is_empty(), "run first:\n    {}", missing.join("\n    "));
    for test in TESTS {
        let words: Vec<&str> = test.split(' ').collect();
        let mut command = Toolchain::host().cargo(&words);
        let status = command
            .env("REQUIRE_ALL", "1")
            .status()
            .context("can't start cargo")?;
        if !status.success() {
            return Ok(exit_code(false));
        }
    }
    Ok(exit_code(true))
}
