//! A restart under load is neither a negative nor a doubled rate.

use crate::prometheus::{Prometheus, free_address, wait_for};
use crate::served::{demo, settings};

const POLLS: &str = "async_runtime_worker_polls_total";
const START: &str = "async_runtime_start_time_seconds";

/// The values of a series that Prometheus has scraped, in order.
fn scraped(prometheus: &Prometheus, metric: &str) -> Vec<f64> {
    let results = prometheus.results(&format!("{metric}[10m]"));
    let values = results.first().and_then(|series| series["values"].as_array());
    let values = values.into_iter().flatten();
    values
        .map(|pair| {
            pair[1]
                .as_str()
                .and_then(|value| value.parse().ok())
                .expect("a number")
        })
        .collect()
}

#[test]
fn a_restart_is_neither_a_negative_nor_a_doubled_rate() {
    let Some(program) = outside::program("prometheus") else {
        return;
    };
    let address = free_address();
    let folder = tempfile::tempdir().expect("no temporary folder");
    let prometheus = Prometheus::start(&program, folder.path(), &settings(&[("demo", &address)], ""));
    // Each run is scraped at least three times under load.
    for run in 1..=3 {
        let _demo = demo(&address);
        wait_for("scrapes of this run", || {
            let starts = scraped(&prometheus, START);
            let last = *starts.last()?;
            let is_new = starts.iter().filter(|start| **start == last).count() >= 3;
            let runs = starts.windows(2).filter(|pair| pair[0] != pair[1]).count() + 1;
            (is_new && runs == run).then_some(())
        });
    }
    let (polls, starts) = (scraped(&prometheus, POLLS), scraped(&prometheus, START));
    assert_eq!(polls.len(), starts.len());

    // The counter goes back exactly where the start time moves on, and `rate` takes every such step for a restart from 0.
    let mut expected = 0.0;
    for (polls, starts) in polls.windows(2).zip(starts.windows(2)) {
        let is_restart = starts[0] != starts[1];
        assert!(starts[0] <= starts[1], "the start time went back");
        assert_eq!(is_restart, polls[1] < polls[0], "{polls:?} {starts:?}");
        let grown = if is_restart { polls[1] } else { polls[1] - polls[0] };
        expected += grown;
    }
    assert_eq!(prometheus.ask(&format!("resets({POLLS}[10m])")), Some(2.0));
    assert_eq!(prometheus.ask(&format!("changes({START}[10m])")), Some(2.0));
    let increase = prometheus
        .ask(&format!("increase({POLLS}[10m])"))
        .expect("it has data");
    // Prometheus extrapolates by at most half a scrape interval at each end, or a tenth of the covered time.
    assert!(
        (expected..=expected * 1.25).contains(&increase),
        "{increase} polls by `increase`, {expected} by the scrapes {polls:?}"
    );
    let lowest = prometheus.results(&format!("min_over_time(rate({POLLS}[5s])[10m:1s])"));
    let lowest = lowest
        .iter()
        .filter_map(|result| result["value"][1].as_str()?.parse::<f64>().ok());
    assert!(lowest.into_iter().all(|rate| rate >= 0.0));
}
