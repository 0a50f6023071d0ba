//! Every panel of the dashboard has data.

use crate::prometheus::{Prometheus, free_address, wait_for};
use crate::served::{Victim, demo, read, serve, settings};
use metrics_std::Runtimes;
use serde_json::Value;
use std::time::Duration;

/// The titles of the panels and their queries, with the variables replaced by what Grafana would put there.
fn queries() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&read("dashboard.json")).expect("it is JSON");
    let panels = dashboard["panels"].as_array().expect("a list");
    let mut queries = Vec::new();
    for panel in panels {
        let title = panel["title"].as_str().expect("it has a title");
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().expect("it has a query");
            let query = query
                .replace("$job", ".+")
                .replace("$runtime", ".+")
                .replace("$__rate_interval", "10s");
            assert!(!query.contains('$'), "{title}: a variable is left in {query}");
            queries.push((title.to_owned(), query));
        }
    }
    queries
}

#[test]
fn every_panel_has_data() {
    let Some(program) = outside::program("prometheus") else {
        return;
    };
    let list = Runtimes::new();
    let victim = Victim::start(&list, "victim");
    // A worker that is always in a poll: its state and its task are seen by every scrape.
    let polls = victim.spawner.spawn(async {
        loop {
            std::thread::sleep(Duration::from_millis(30));
            tokio::task::yield_now().await;
        }
    });
    let address = free_address();
    let _demo = demo(&address);
    let folder = tempfile::tempdir().expect("no temporary folder");
    let settings = settings(&[("demo", &address), ("victim", &serve(&list))], "");
    let prometheus = Prometheus::start(&program, folder.path(), &settings);
    let queries = queries();
    assert!(queries.len() > 25, "{queries:?}");
    for (title, query) in queries {
        wait_for(&format!("data for the panel {title:?}: {query}"), || {
            let results = prometheus.results(&query);
            let is_number = |result: &Value| result["value"][1].as_str() != Some("NaN");
            results.iter().any(is_number).then_some(())
        });
    }
    polls.abort();
}
