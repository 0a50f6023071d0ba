//! Each alert fires by trouble that is made on purpose, and resolves after it.

use crate::prometheus::{Prometheus, free_address, wait_for};
use crate::rules;
use crate::served::{Victim, demo, read, serve, settings};
use metrics_std::Runtimes;
use metrics_std::tokio::Spawner;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::future::{pending, poll_fn};
use std::task::Poll;
use std::thread;
use std::time::Duration;
use tokio::task::JoinHandle;

/// The rules, with times that a test can wait for. `promtool test rules` runs them with their own.
fn quick_rules() -> String {
    let mut rules = read("rules.yml")
        .replace("[5m]", "[10s]")
        .replace("[15m]", "[20s]")
        // In ten seconds, one timer that is late because the machine is busy is 1 % of all.
        .replace("> 0.01", "> 0.3");
    for time in ["1m", "5m", "10m"] {
        rules = rules.replace(&format!("for: {time}"), "for: 1s");
    }
    rules
}

/// The alerts of this runtime that fire.
fn firing(prometheus: &Prometheus, runtime: &str) -> BTreeSet<String> {
    let alerts = prometheus.results(&format!("ALERTS{{alertstate=\"firing\", runtime=\"{runtime}\"}}"));
    let names = alerts
        .iter()
        .filter_map(|alert| alert.pointer("/metric/alertname").and_then(Value::as_str));
    names.map(str::to_owned).collect()
}

/// Tasks that block the worker, tasks that wait behind them, closures that wait for the one thread of the blocking pool, tasks that
/// panic, and one that nobody can wake.
fn make_trouble(spawner: &Spawner) -> Vec<JoinHandle<()>> {
    // A task that wakes itself is queued again at once, so the queue never empties. `yield_now` would wait until it is empty.
    let blocking = (0..16).map(|_| {
        spawner.spawn(poll_fn(|cx| {
            thread::sleep(Duration::from_millis(25));
            cx.waker().wake_by_ref();
            Poll::Pending
        }))
    });
    let closures = (0..4).map(|_| {
        let spawner = spawner.clone();
        spawner.clone().spawn(async move {
            loop {
                // It fails at the shutdown.
                let _ = spawner
                    .spawn_blocking(|| thread::sleep(Duration::from_millis(150)))
                    .await;
            }
        })
    });
    let panics = (0..1).map(|_| {
        let spawner = spawner.clone();
        spawner.clone().spawn(async move {
            loop {
                let panicked = spawner.spawn(async { panic!("on purpose: the alert for panics must fire") });
                let () = panicked.await.unwrap_or_default();
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        })
    });
    let unwakeable = [spawner.spawn(pending())];
    blocking.chain(closures).chain(panics).chain(unwakeable).collect()
}

#[test]
fn each_alert_fires_in_trouble_and_resolves_after_it() {
    let Some(program) = outside::program("prometheus") else {
        return;
    };
    let list = Runtimes::new();
    let mut victim = Victim::start(&list, "victim");
    let mut restarted = Victim::start(&list, "restarted");
    let address = free_address();
    let _demo = demo(&address);
    let folder = tempfile::tempdir().expect("no temporary folder");
    let rules = folder.path().join("rules.yml");
    fs::write(&rules, quick_rules()).expect("can't write the rules");
    let settings = settings(
        &[("demo", &address), ("victim", &serve(&list))],
        &rules.display().to_string(),
    );
    let prometheus = Prometheus::start(&program, folder.path(), &settings);
    let start_of = |runtime: &str| {
        prometheus.ask(&format!(
            "async_runtime_start_time_seconds{{runtime=\"{runtime}\"}}"
        ))
    };
    wait_for("scrape of the victim", || start_of("victim"));
    wait_for("time without an alert", || {
        firing(&prometheus, "victim").is_empty().then_some(())
    });

    // Two restarts, each seen by a scrape.
    for _ in 0..2 {
        let before = wait_for("scrape", || start_of("restarted"));
        drop(restarted);
        restarted = Victim::start(&list, "restarted");
        wait_for("scrape after a restart", || {
            start_of("restarted").filter(|now| *now > before)
        });
    }
    wait_for("alert for restarts", || {
        firing(&prometheus, "restarted")
            .contains("AsyncRuntimeRestarts")
            .then_some(())
    });

    let trouble = make_trouble(&victim.spawner);
    let mut missing = rules::alerts();
    missing.remove("AsyncRuntimeRestarts");
    while !missing.is_empty() {
        let what = format!("alert of {missing:?}");
        let found = wait_for(&what, || {
            victim.throttle();
            let found = firing(&prometheus, "victim");
            (!found.is_disjoint(&missing)).then_some(found)
        });
        missing.retain(|alert| !found.contains(alert));
    }
    for task in trouble {
        task.abort();
    }
    // Each on its own: on a busy machine, one alert or another may fire again.
    for runtime in ["victim", "restarted"] {
        for alert in rules::alerts() {
            wait_for(&format!("end of {alert}"), || {
                (!firing(&prometheus, runtime).contains(&alert)).then_some(())
            });
        }
    }
    // The names of the demo's alerts are those of its own faults: it blocks a worker now and then.
    assert!(!firing(&prometheus, "main").contains("AsyncRuntimeTasksPanic"));
    drop(restarted);
}
