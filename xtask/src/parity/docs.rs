//! rustdoc's JSON of the crates that are compared.
//!
//! Its format is unstable and changes with the compiler, so it is read as plain values, and only the few keys that a walk
//! needs by name.

use core::fmt;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;

use crate::toolchain::Toolchain;
use crate::workspace;

/// The crates whose items belong to one of the compared surfaces.
const CRATES: &[&str] = &["metrics-core", "metrics-std", "metrics-wasm", "metrics-mock"];

/// How the crates are built. Each has an API of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variant {
    Stable,
    TokioUnstable,
}

impl Variant {
    fn flags(self) -> &'static str {
        match self {
            Self::Stable => "",
            Self::TokioUnstable => "--cfg tokio_unstable",
        }
    }

    fn directory(self) -> &'static str {
        match self {
            Self::Stable => "matrix/parity/stable",
            Self::TokioUnstable => "matrix/parity/tokio-unstable",
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stable => Ok(()),
            Self::TokioUnstable => f.write_str(" under --cfg tokio_unstable"),
        }
    }
}

/// The JSON of every crate, by its name.
pub(super) struct Docs(BTreeMap<String, Crate>);

/// One crate's JSON.
pub(super) struct Crate {
    json: Value,
    /// The items of this crate by the path of their definition, which is how other crates name them.
    by_path: BTreeMap<Vec<String>, String>,
}

/// An item and the crate whose JSON has it.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) home: &'a Crate,
    pub(super) value: &'a Value,
}

impl Docs {
    /// Has rustdoc write them, with every feature.
    pub(super) fn make(variant: Variant) -> Result<Self> {
        let directory = workspace::target_dir().join(variant.directory());
        let mut crates = BTreeMap::new();
        for package in CRATES {
            let status = Toolchain::host()
                .cargo(&[
                    "rustdoc",
                    "--quiet",
                    "--lib",
                    "--all-features",
                    "--package",
                    package,
                ])
                .args(["--target-dir".as_ref(), directory.as_os_str()])
                .args([
                    "--",
                    "-Zunstable-options",
                    "--output-format=json",
                    "--cap-lints=allow",
                ])
                // What lets a released rustdoc write JSON. It is a change of environment that build scripts see,
                // hence a directory of its own.
                .env("RUSTC_BOOTSTRAP", "1")
                .env("RUSTFLAGS", variant.flags())
                .env("RUSTDOCFLAGS", variant.flags())
                .env("CARGO_INCREMENTAL", "0")
                .env("CARGO_PROFILE_DEV_DEBUG", "0")
                .status()
                .context("can't start cargo")?;
            ensure!(status.success(), "rustdoc failed on {package}: {status}");
            let name = package.replace('-', "_");
            let path = directory.join("doc").join(&name).with_extension("json");
            let file = File::open(&path).with_context(|| format!("can't read {}", path.display()))?;
            let json = serde_json::from_reader(BufReader::new(file))
                .with_context(|| format!("{} is not rustdoc's JSON", path.display()))?;
            crates.insert(name, Crate::new(json));
        }
        Ok(Self(crates))
    }

    /// The root module of a crate.
    pub(super) fn root(&self, name: &str) -> Result<Item<'_>> {
        self.0
            .get(name)
            .and_then(|home| home.item(&home.json["root"]))
            .ok_or_else(|| anyhow!("rustdoc's JSON of {name} has no root module"))
    }

    /// The item that `home` calls `id`, in the JSON of the crate that defines it. `None` for what other crates define.
    pub(super) fn find<'a>(&'a self, home: &'a Crate, id: &Value) -> Option<Item<'a>> {
        if let Some(item) = home.item(id) {
            return Some(item);
        }
        let path = home.path(id)?;
        let definer = self.0.get(path.first()?)?;
        if path.len() == 1 {
            return definer.item(&definer.json["root"]);
        }
        definer.item(&Value::String(definer.by_path.get(&path)?.clone()))
    }
}

impl Crate {
    fn new(json: Value) -> Self {
        let by_path = json["paths"]
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, summary)| summary["crate_id"] == 0)
            .filter_map(|(id, summary)| Some((strings(&summary["path"])?, id.clone())))
            .collect();
        Self { json, by_path }
    }

    /// The item of that id, if this crate defines it.
    pub(super) fn item(&self, id: &Value) -> Option<Item<'_>> {
        let value = self.json["index"].get(key(id)?)?;
        Some(Item { home: self, value })
    }

    /// The path of the definition of whatever has that id, in whichever crate it is.
    pub(super) fn path(&self, id: &Value) -> Option<Vec<String>> {
        strings(&self.json["paths"].get(key(id)?)?["path"])
    }
}

impl<'a> Item<'a> {
    /// What kind of thing it is, and the value that describes it.
    pub(super) fn inner(&self) -> Option<(&'a str, &'a Value)> {
        let (kind, inner) = self.value["inner"].as_object()?.iter().next()?;
        Some((kind, inner))
    }

    pub(super) fn name(&self) -> Option<&'a str> {
        self.value["name"].as_str()
    }

    /// The items with the ids in `list`, as far as this crate's JSON has them.
    pub(super) fn members(&self, list: &'a Value) -> impl Iterator<Item = Item<'a>> + use<'a> {
        let home = self.home;
        list.as_array()
            .into_iter()
            .flatten()
            .filter_map(move |id| home.item(id))
    }

    /// Whether an attribute of this name is on it, as rustdoc spells it now (`TrackCaller`) or once did (`track_caller`).
    pub(super) fn has_attribute(&self, name: &str) -> bool {
        let spelt = |text: &str| text.to_lowercase().replace('_', "").contains(name);
        self.value["attrs"]
            .as_array()
            .is_some_and(|attributes| attributes.iter().any(|attribute| spelt(&attribute.to_string())))
    }

    /// `file:line`.
    pub(super) fn place(&self) -> String {
        let span = &self.value["span"];
        let file = span["filename"].as_str().unwrap_or("?");
        format!("{file}:{}", span["begin"][0])
    }
}

/// An id as a key of the index: a number in some versions of the format, a string in others.
fn key(id: &Value) -> Option<String> {
    match id {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

fn strings(list: &Value) -> Option<Vec<String>> {
    list.as_array()?
        .iter()
        .map(|part| part.as_str().map(str::to_owned))
        .collect()
}
