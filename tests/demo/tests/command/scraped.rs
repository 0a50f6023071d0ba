//! A real Prometheus server scrapes the demo and computes quantiles.

use crate::child::{Demo, alone};
use crate::prometheus::{Prometheus, wait_for};
use metrics_core::{HeapStorage, HistogramSnapshot, Snapshot};
use metrics_std::export::Edges;
use std::thread;
use std::time::Duration;

#[test]
fn prometheus_answers_what_the_snapshot_says() {
    let Some(program) = outside::program("prometheus") else {
        return;
    };
    let _alone = alone();
    let mut demo = Demo::start();
    let address = demo.address.clone();
    // A full pipe would block it.
    let lines = thread::spawn(move || demo.lines.by_ref().for_each(drop));

    let folder = tempfile::tempdir().expect("no temporary folder");
    let settings = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: demo, static_configs: [{{targets: ['{address}']}}]}}]\n"
    );
    let prometheus = Prometheus::start(&program, folder.path(), &settings);

    // A value that is scraped after `before` is read, and queried before `after` is read, lies between the two.
    let before = wait_for("10000 polls", || {
        Some(snapshot(&address)).filter(|now| polls(now) >= 10_000)
    });
    wait_for("a scrape", || {
        let count = prometheus.ask("sum(async_runtime_poll_duration_seconds_count)")?;
        (count >= polls(&before) as f64).then_some(())
    });
    let picks: [(&str, Pick); 2] = [
        ("poll_duration", poll_time),
        ("schedule_latency", schedule_latency),
    ];
    for (name, pick) in picks {
        for quantile in [0.5, 0.9, 0.99, 0.999] {
            let query = format!("histogram_quantile({quantile}, async_runtime_{name}_seconds_bucket)");
            let answer = prometheus
                .ask(&query)
                .unwrap_or_else(|| panic!("no answer to {query}"));
            let after = snapshot(&address);
            let buckets = [&before, &after].map(|snapshot| {
                let said = pick(snapshot).quantile(quantile).expect("there were samples");
                bucket(&pick(snapshot), said.estimate)
            });
            let asked = bucket(&pick(&after), nanos(answer));
            let (lowest, highest) = (buckets[0].min(buckets[1]), buckets[0].max(buckets[1]));
            assert!(
                (lowest.saturating_sub(1)..=highest + 1).contains(&asked),
                "{query} is {answer} s, in bucket {asked}; the snapshots say {lowest} to {highest}"
            );
        }
    }
    drop(demo.child);
    lines.join().expect("reading lines does not panic");
}

type Pick = fn(&Snapshot<HeapStorage>) -> HistogramSnapshot<Vec<u64>>;

fn poll_time(snapshot: &Snapshot<HeapStorage>) -> HistogramSnapshot<Vec<u64>> {
    snapshot
        .total()
        .poll_time()
        .expect("poll time is measured")
        .histogram()
        .clone()
}

fn schedule_latency(snapshot: &Snapshot<HeapStorage>) -> HistogramSnapshot<Vec<u64>> {
    snapshot
        .total()
        .schedule_latency()
        .expect("schedule latency is measured")
        .histogram()
        .clone()
}

fn nanos(seconds: f64) -> u64 {
    let nanos = Duration::from_secs_f64(seconds).as_nanos();
    u64::try_from(nanos).expect("less than five centuries")
}

fn polls(snapshot: &Snapshot<HeapStorage>) -> u64 {
    snapshot.total().poll_count().expect("polls are counted")
}

/// Returns the index of the exported bucket that contains this many nanoseconds.
fn bucket(histogram: &HistogramSnapshot<Vec<u64>>, nanos: u64) -> usize {
    let exported = Edges::round().counts(histogram);
    exported
        .iter()
        .position(|(edge, _)| edge.is_none_or(|edge| nanos <= edge))
        .expect("the last bucket has no end")
}

fn snapshot(address: &str) -> Snapshot<HeapStorage> {
    let mut answer = ureq::get(format!("http://{address}/snapshot"))
        .call()
        .expect("the demo serves");
    answer.body_mut().read_json().expect("it is a snapshot")
}
