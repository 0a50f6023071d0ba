//! The rules by themselves, and their runbooks.

use crate::served::{OPS, read};
use metrics_core::{GROUP_METRICS, LOCATION_METRICS, METRICS};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

#[test]
fn promtool_accepts_the_rules_and_their_tests() {
    let Some(promtool) = outside::program("promtool") else {
        return;
    };
    for arguments in [
        ["check", "rules", "rules.yml"],
        ["test", "rules", "rules_test.yml"],
    ] {
        let output = Command::new(&promtool).args(arguments).current_dir(OPS).output();
        let output = outside::silent_success(output.expect("promtool does not start"));
        assert!(output.contains("SUCCESS"), "{output}");
    }
}

/// The alerts of the rules.
pub(crate) fn alerts() -> BTreeSet<String> {
    let rules = read("rules.yml");
    let names = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    names.map(str::to_owned).collect()
}

#[test]
fn each_alert_has_a_runbook_and_a_test() {
    let (rules, tests) = (read("rules.yml"), read("rules_test.yml"));
    let alerts = alerts();
    let files = fs::read_dir(format!("{OPS}/runbooks")).expect("the folder is there");
    let runbooks = files.map(|file| {
        file.expect("it can be listed")
            .file_name()
            .into_string()
            .expect("it is text")
    });
    let expected: BTreeSet<String> = alerts.iter().map(|alert| format!("{alert}.md")).collect();
    assert_eq!(runbooks.collect::<BTreeSet<_>>(), expected);
    for alert in alerts {
        assert!(
            rules.contains(&format!("runbook: runbooks/{alert}.md")),
            "{alert}"
        );
        assert!(tests.contains(&format!("alertname: {alert}")), "{alert}");
        let runbook = read(&format!("runbooks/{alert}.md"));
        assert!(runbook.starts_with(&format!("# {alert}: ")), "{alert}");
        for part in ["## What it means", "## What to look at", "## What to do"] {
            assert!(runbook.contains(part), "{alert} has no {part:?}");
        }
    }
}

/// A rule or a panel that names a metric which does not exist never has data.
#[test]
fn rules_panels_and_runbooks_name_metrics_that_exist() {
    let mut known: BTreeSet<String> = BTreeSet::new();
    for name in METRICS
        .iter()
        .chain(LOCATION_METRICS)
        .chain(GROUP_METRICS)
        .filter_map(|metric| metric.exported)
    {
        known.insert(name.to_owned());
        known.insert(name.replace("_seconds", "_max_seconds"));
        known.extend(["bucket", "sum", "count"].map(|suffix| format!("{name}_{suffix}")));
    }
    let runbooks = alerts().into_iter().map(|alert| format!("runbooks/{alert}.md"));
    for file in ["rules.yml", "rules_test.yml", "dashboard.json"]
        .map(str::to_owned)
        .into_iter()
        .chain(runbooks)
    {
        let text = read(&file);
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for word in words.filter(|word| word.starts_with("async_runtime_")) {
            assert!(known.contains(word), "{file} names {word}, which is not exported");
        }
    }
}
