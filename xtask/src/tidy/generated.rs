//! Documents generated from code.

use anyhow::Result;

use super::{FIX, Problem, Source, exporters_doc, metrics_doc, number_types, text_of, write};

/// A document and its generator.
struct Generated {
    path: &'static str,
    text: fn() -> String,
}

/// Add an entry to add a generated document.
static GENERATED: &[Generated] = &[
    Generated {
        path: "docs/EXPORTERS.md",
        text: exporters_doc::text,
    },
    Generated {
        path: "docs/METRICS.md",
        text: metrics_doc::text,
    },
    Generated {
        path: "metrics-wasm/src/js/numbers.ts",
        text: number_types::text,
    },
];

pub(super) fn check(sources: &[Source]) -> Result<Vec<Problem>> {
    Ok(GENERATED
        .iter()
        .filter(|document| text_of(sources, document.path) != (document.text)())
        .map(|document| Problem::new(document.path, "differs from its generator", FIX))
        .collect())
}

pub(super) fn fix() -> Result<()> {
    GENERATED
        .iter()
        .try_for_each(|document| write(document.path, &(document.text)()))
}
