//! A crate's public API as a flat list: a path for each item that a user can name, with its shape.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, anyhow};
use serde_json::{Value, json};

use super::docs::{Docs, Item};
use super::shape;

/// The paths of an API, each with what is there.
#[derive(Default)]
pub(super) struct Surface(BTreeMap<String, Entry>);

struct Entry {
    shape: Value,
    place: String,
}

impl Surface {
    /// The surface below a module of a crate, without those names at its top.
    pub(super) fn of(docs: &Docs, name: &str, module: &[&str], without: &[&str]) -> Result<Self> {
        let mut root = docs.root(name)?;
        for part in module {
            root = root
                .members(&root.value["inner"]["module"]["items"])
                .find(|item| item.name() == Some(part) && item.value["inner"].get("module").is_some())
                .ok_or_else(|| anyhow!("{name} has no module `{part}`"))?;
        }
        let mut surface = Self::default();
        surface.add_module(docs, root, "", without);
        Ok(surface)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// What a person has to put right so that `mock` is equal to this.
    pub(super) fn differences(&self, mock: &Self) -> Vec<String> {
        let paths: BTreeSet<&String> = self.0.keys().chain(mock.0.keys()).collect();
        paths
            .into_iter()
            .filter_map(|path| match (self.0.get(path), mock.0.get(path)) {
                (Some(real), None) => Some(format!("{path} ({}) is not in the mock", real.place)),
                (None, Some(mock)) => Some(format!("{path} ({}) is in the mock only", mock.place)),
                (Some(real), Some(mock)) => {
                    let what = first_difference("", &real.shape, &mock.shape)?;
                    Some(format!(
                        "{path} ({}) differs from {}: {what}",
                        real.place, mock.place
                    ))
                }
                (None, None) => None,
            })
            .collect()
    }

    fn add(&mut self, path: String, item: Item<'_>, shape: Value) {
        let place = item.place();
        self.0.insert(path, Entry { shape, place });
    }

    fn add_module(&mut self, docs: &Docs, module: Item<'_>, prefix: &str, without: &[&str]) {
        let mut names: BTreeSet<(&str, String)> = BTreeSet::new();
        let mut globs = vec![];
        let mut found = vec![];
        for item in module.members(&module.value["inner"]["module"]["items"]) {
            let used = &item.value["inner"]["use"];
            if used["is_glob"] == true {
                globs.push(item);
            } else {
                found.push(item);
            }
        }
        // What a module says itself goes before what it takes from everywhere.
        while !(found.is_empty() && globs.is_empty()) {
            let mut fresh = BTreeSet::new();
            for item in found.drain(..) {
                let used = &item.value["inner"]["use"];
                let name = used["name"].as_str().or(item.name()).unwrap_or_default();
                let Some(target) = resolve(docs, item) else {
                    self.add(join(prefix, name), item, json!({ "from": used["source"] }));
                    continue;
                };
                let place = (namespace(target), name.to_owned());
                if without.contains(&name) || names.contains(&place) {
                    continue;
                }
                self.add_item(docs, target, join(prefix, name));
                fresh.insert(place);
            }
            names.append(&mut fresh);
            for glob in globs.drain(..) {
                if let Some(target) = docs.find(glob.home, &glob.value["inner"]["use"]["id"]) {
                    found.extend(target.members(&target.value["inner"]["module"]["items"]));
                }
            }
            for item in core::mem::take(&mut found) {
                if item.value["inner"]["use"]["is_glob"] == true {
                    globs.push(item);
                } else {
                    found.push(item);
                }
            }
        }
    }

    fn add_item(&mut self, docs: &Docs, item: Item<'_>, path: String) {
        let Some((kind, inner)) = item.inner() else { return };
        let home = item.home;
        match kind {
            "module" => {
                self.add_module(docs, item, &path, &[]);
                self.add(path, item, json!("module"));
            }
            "function" => self.add(path, item, shape::of_function(item, inner)),
            "struct" | "union" | "enum" => {
                self.add_impls(item, &path, &inner["impls"]);
                for variant in item.members(&inner["variants"]) {
                    self.add_variant(variant, &path);
                }
                let fields = self.add_fields(item, &path, inner);
                let shape = json!({
                    "kind": kind,
                    "generics": shape::of(home, &inner["generics"]),
                    "fields": fields,
                    "non_exhaustive": item.has_attribute("nonexhaustive"),
                    "must_use": item.has_attribute("mustuse"),
                });
                self.add(path, item, shape);
            }
            "trait" => {
                for member in item.members(&inner["items"]) {
                    self.add_member(member, &path, &Value::Null);
                }
                let mut shape = shape::of(home, inner);
                if let Some(shape) = shape.as_object_mut() {
                    shape.remove("items");
                    shape.remove("implementations");
                }
                self.add(path, item, json!({ "trait": shape }));
            }
            // Of constants and statics the type; their value is what the real thing is about.
            "constant" | "static" => self.add(path, item, json!({ kind: shape::of(home, &inner["type"]) })),
            // What stands behind it has its methods under this name.
            "type_alias" => {
                let target = &inner["type"]["resolved_path"]["id"];
                if let Some((target, impls)) = docs
                    .find(home, target)
                    .and_then(|target| Some((target, &target.inner()?.1["impls"])))
                {
                    self.add_impls(target, &path, impls);
                }
                self.add(path, item, json!({ kind: shape::of(home, inner) }));
            }
            "macro" | "proc_macro" => self.add(path, item, json!(kind)),
            _ => self.add(path, item, json!({ kind: shape::of(home, inner) })),
        }
    }

    /// How a struct is made and taken apart: its kind if every field is public, else only that some are not.
    fn add_fields(&mut self, item: Item<'_>, path: &str, inner: &Value) -> Value {
        let (kind, fields, hidden) = match &inner["kind"] {
            unit @ Value::String(_) => (unit.clone(), &Value::Null, false),
            Value::Object(kind) if kind.contains_key("tuple") => {
                let fields = &kind["tuple"];
                let hidden = fields
                    .as_array()
                    .is_some_and(|fields| fields.iter().any(Value::is_null));
                (json!("tuple"), fields, hidden)
            }
            kind => (
                json!("plain"),
                &kind["plain"]["fields"],
                kind["plain"]["has_stripped_fields"] == true,
            ),
        };
        for field in item.members(fields) {
            let shape = shape::of(field.home, &field.value["inner"]);
            self.add(join(path, field.name().unwrap_or_default()), field, shape);
        }
        if hidden { json!("some are private") } else { kind }
    }

    fn add_variant(&mut self, variant: Item<'_>, path: &str) {
        let path = join(path, variant.name().unwrap_or_default());
        let inner = &variant.value["inner"]["variant"];
        let fields = inner["kind"]["tuple"]
            .as_array()
            .or(inner["kind"]["struct"]["fields"].as_array());
        for field in fields
            .into_iter()
            .flatten()
            .filter_map(|id| variant.home.item(id))
        {
            let shape = shape::of(field.home, &field.value["inner"]);
            self.add(join(&path, field.name().unwrap_or_default()), field, shape);
        }
        let kind = match &inner["kind"] {
            Value::Object(kind) => json!(kind.keys().collect::<Vec<_>>()),
            plain => plain.clone(),
        };
        self.add(path, variant, kind);
    }

    fn add_impls(&mut self, item: Item<'_>, path: &str, impls: &Value) {
        for block in item.members(impls) {
            let inner = &block.value["inner"]["impl"];
            if !inner["blanket_impl"].is_null() {
                continue;
            }
            // What `derive` asks of the types of private fields is about these.
            let derived = block.has_attribute("automaticallyderived");
            let generics = if derived {
                Value::Null
            } else {
                shape::of(block.home, &inner["generics"])
            };
            if inner["trait"].is_null() {
                for member in block.members(&inner["items"]) {
                    self.add_member(member, path, &generics);
                }
                continue;
            }
            let of = shape::of(block.home, &inner["trait"]);
            let name = of["path"].as_str().unwrap_or_default().to_owned();
            let short = name.rsplit("::").next().unwrap_or_default();
            if inner["is_synthetic"] == true {
                // Under which conditions a generic type is so is what its fields are about.
                if ["Send", "Sync", "Unpin"].contains(&short) {
                    let negative = inner["is_negative"].clone();
                    self.add(
                        format!("{path} as {short}"),
                        item,
                        json!({ "negative": negative }),
                    );
                }
                continue;
            }
            // How it is dropped is nobody's business; `derive` adds markers of its own.
            if ["Drop", "StructuralPartialEq"].contains(&short) {
                continue;
            }
            let types: BTreeMap<&str, Value> = block
                .members(&inner["items"])
                .filter(|member| member.value["inner"].get("assoc_type").is_some())
                .filter_map(|member| Some((member.name()?, shape::of(member.home, &member.value["inner"]))))
                .collect();
            let arguments = match &of["args"] {
                Value::Null => String::new(),
                arguments => arguments.to_string(),
            };
            let shape = json!({
                "generics": generics,
                "for": shape::of(block.home, &inner["for"]),
                "types": types,
            });
            self.add(format!("{path} as {short}{arguments}"), block, shape);
        }
    }

    /// A function, constant or type of a type or trait.
    fn add_member(&mut self, member: Item<'_>, path: &str, generics: &Value) {
        let Some((kind, inner)) = member.inner() else {
            return;
        };
        let shape = match kind {
            "function" => shape::of_function(member, inner),
            _ => shape::of(member.home, inner),
        };
        let shape = json!({ kind: shape, "within": generics, "provided": inner["has_body"] });
        self.add(join(path, member.name().unwrap_or_default()), member, shape);
    }
}

/// What a `use` stands for, however many lie between; anything else stands for itself.
fn resolve<'a>(docs: &'a Docs, item: Item<'a>) -> Option<Item<'a>> {
    let mut item = item;
    while let Some(used) = item.value["inner"].get("use") {
        item = docs.find(item.home, &used["id"])?;
    }
    Some(item)
}

fn namespace(item: Item<'_>) -> &'static str {
    match item.inner() {
        Some(("function" | "constant" | "static", _)) => "value",
        Some(("macro" | "proc_macro", _)) => "macro",
        _ => "type",
    }
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}::{name}")
    }
}

/// Where two shapes first differ, and what each has there.
fn first_difference(at: &str, real: &Value, mock: &Value) -> Option<String> {
    match (real, mock) {
        (Value::Object(reals), Value::Object(mocks)) => {
            let keys: BTreeSet<&String> = reals.keys().chain(mocks.keys()).collect();
            keys.into_iter().find_map(|key| {
                let at = join(at, key);
                first_difference(&at, &real[key], &mock[key])
            })
        }
        (Value::Array(reals), Value::Array(mocks)) if reals.len() == mocks.len() => {
            let mut pairs = reals.iter().zip(mocks).enumerate();
            pairs.find_map(|(i, (real, mock))| first_difference(&join(at, &i.to_string()), real, mock))
        }
        _ if real == mock => None,
        _ => Some(format!("{at} is {real}, in the mock {mock}")),
    }
}
