//! Compares the document of `--json` with the counts of the demo's witness.

use crate::child::{alone, demo, workspace};
use metrics_core::{HeapStorage, Snapshot, WorkerNumber};
use serde_json::Value;
use std::fs;
use std::process::Stdio;
use std::time::Duration;

/// How long each `/block` blocks its worker.
const BLOCKED: Duration = Duration::from_millis(60);

#[test]
fn the_document_agrees_with_an_independent_count() {
    let _alone = alone();
    let output = demo(&["--seconds", "10", "--json", "--port", "0"])
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo does not start");
    assert!(output.status.success(), "{}", output.status);
    // The output must be a single document: any text after it is an error here.
    let document: Value = serde_json::from_slice(&output.stdout).expect("not one JSON document");
    let parts: Vec<&String> = document.as_object().expect("not an object").keys().collect();
    assert_eq!(parts, ["interval", "requests", "snapshot", "stalls"]);
    let snapshot: Snapshot<HeapStorage> =
        serde_json::from_value(document["snapshot"].clone()).expect("not a snapshot");

    requests_were_answered(&document["requests"]);
    polls_are_those_the_futures_counted(&document["requests"]["independent"], &snapshot);
    every_worker_was_busy_for_part_of_the_time(&document["interval"], &snapshot);
    tasks_are_covered(&snapshot);
    requests_are_grouped_by_route(&document["requests"], &snapshot);
    lag_is_measured(&snapshot);
    a_stall_was_reported_while_it_lasted(&document);
}

fn requests_were_answered(requests: &Value) {
    let count = |name: &str| requests[name].as_u64().unwrap_or_else(|| panic!("no {name}"));
    // 2,000 requests per second were due. How many of them could be sent depends on the machine.
    assert!(
        (19_900..20_500).contains(&count("due")),
        "{} were due",
        count("due")
    );
    assert!(count("sent") > count("due") / 2, "{} were sent", count("sent"));
    assert_eq!(count("ok"), count("sent"));
    assert_eq!(count("failed"), 0);
    assert!(count("quick") * 100 >= count("ok") * 96, "97 % are quick");
    assert!(count("cpu") > 0 && count("disk") > 0 && count("block") > 0);
}

fn polls_are_those_the_futures_counted(independent: &Value, snapshot: &Snapshot<HeapStorage>) {
    let counted = |name: &str| independent[name].as_u64().unwrap_or_else(|| panic!("no {name}"));
    let total = snapshot.total();
    let reading = total.poll_time().expect("poll time is measured");
    assert_eq!(total.poll_count(), Some(counted("polls")));
    assert_eq!(reading.samples(), counted("polls"));
    assert_eq!(reading.polls(), counted("polls"));
    let of_workers = snapshot.workers().iter().chain(snapshot.external());
    assert_eq!(
        of_workers
            .filter_map(metrics_core::WorkerSnapshot::poll_count)
            .sum::<u64>(),
        counted("polls")
    );
    assert_eq!(
        snapshot.tasks().map(|tasks| tasks.spawned),
        Some(counted("tasks"))
    );

    // The slowest poll by the witness is in the highest non-empty bucket.
    let slowest = counted("slowest_poll_nanos");
    let reached = reading
        .histogram()
        .iter()
        .filter(|(_, samples)| *samples > 0)
        .last();
    let (highest, _) = reached.expect("there were polls");
    assert!(highest.contains(slowest), "{slowest} ns is not in {highest:?}");
    assert!(Duration::from_nanos(slowest) >= BLOCKED);
    // The metrics' wrapper is around the future's own. Its clock is another one, whose rate was measured at the start: on a busy
    // machine that is off by some 10 ppm.
    let max = reading.histogram().max().expect("there were polls");
    assert!(
        max >= slowest - slowest / 100,
        "the slowest took {max} ns, or {slowest} ns by the future's watch"
    );
}

fn every_worker_was_busy_for_part_of_the_time(interval: &Value, snapshot: &Snapshot<HeapStorage>) {
    let wall = snapshot.uptime().expect("there is a clock");
    assert!(wall >= Duration::from_millis(9_900), "{wall:?}");
    assert!(snapshot.workers().len() >= 2);
    for worker in snapshot.workers() {
        let busy = worker.busy_duration_total().expect("busy time is measured");
        assert!(
            busy > Duration::ZERO && busy <= wall,
            "worker {}: {busy:?} of {wall:?}",
            worker.index()
        );
        let parks = (
            worker.counter(WorkerNumber::ParkCount),
            worker.counter(WorkerNumber::ParkUnparkCount),
        );
        assert!(parks.0 > Some(0) && parks.1 >= parks.0, "{parks:?}");
    }
    let nanos = |value: &Value| value.as_str().and_then(|nanos| nanos.parse::<u64>().ok());
    let wall = nanos(&interval["wall"]).expect("the interval has a length");
    let workers = interval["workers"].as_array().expect("the interval has workers");
    assert_eq!(workers.len(), snapshot.workers().len());
    for worker in workers {
        let busy = nanos(&worker["numbers"]["busy_duration_total"]).expect("busy time is measured");
        assert!(busy <= wall, "busy for {busy} of {wall} ns");
    }
}

fn tasks_are_covered(snapshot: &Snapshot<HeapStorage>) {
    // The connections are closed by now, and the server has ended.
    assert_eq!(snapshot.num_alive_tasks(), Some(0));
    assert_eq!(snapshot.covered_tasks(), Some(0));
    let tasks = snapshot.tasks().expect("tasks are counted");
    assert_eq!(
        (tasks.completed, tasks.cancelled, tasks.panicked),
        (tasks.spawned, 0, 0)
    );
}

fn requests_are_grouped_by_route(requests: &Value, snapshot: &Snapshot<HeapStorage>) {
    let rows = snapshot.locations().expect("locations are kept");
    for route in ["quick", "cpu", "disk", "block"] {
        let name = format!("/{route}");
        let group = rows.iter().find(|row| row.is_group() && row.name() == name);
        let group = group.unwrap_or_else(|| panic!("no group {name}"));
        let answered = requests[route].as_u64();
        assert_eq!((Some(group.spawned()), group.alive()), (answered, 0), "{name}");
        assert!(
            group.poll_count() >= group.spawned() && group.poll_time().is_some(),
            "{name}"
        );
    }
}

fn lag_is_measured(snapshot: &Snapshot<HeapStorage>) {
    for lag in [snapshot.loop_lag(), snapshot.wake_latency()] {
        assert!(lag.is_some_and(|lag| lag.count() > 0));
    }
}

fn a_stall_was_reported_while_it_lasted(document: &Value) {
    let nanos = |value: &Value| value.as_u64();
    let blocks = document["requests"]["independent"]["blocks"]
        .as_array()
        .expect("a list");
    assert!(!blocks.is_empty());
    // Compares the watchdog's report with that of the handler, which reads the clock before and after its sleep.
    let in_time = |stall: &&Value| {
        let reported = nanos(&stall["reported_nanos"]);
        let lasted = |began: &Value, ended: &Value| nanos(began) < reported && reported < nanos(ended);
        lasted(&stall["began_nanos"], &stall["ended_nanos"])
            && blocks
                .iter()
                .any(|block| lasted(&block["began_nanos"], &block["ended_nanos"]))
    };
    // On a busy machine other tasks and workers stall too.
    let of_the_handler =
        |stall: &&Value| stall["kind"] == "poll" && spawns_the_work(&stall["spawn_location"]);
    let stalls = document["stalls"].as_array().expect("a list");
    let Some(stall) = stalls.iter().filter(in_time).find(of_the_handler) else {
        panic!("no stall was reported while a handler blocked: {stalls:#?} {blocks:#?}");
    };
    let length = nanos(&stall["ended_nanos"])
        .zip(nanos(&stall["began_nanos"]))
        .map(|(ended, began)| ended - began);
    assert!(length.map(Duration::from_nanos) >= Some(BLOCKED), "{stall:#}");
    assert!(
        stall["worker"].is_u64() && stall["thread"] == "worker",
        "{stall:#}"
    );
}

/// Returns whether the location is the line of the handler that spawns its work.
fn spawns_the_work(spawn_location: &Value) -> bool {
    let source = |(file, line): (&str, &str)| {
        let source = fs::read_to_string(workspace().join(file)).ok()?;
        let line = source.lines().nth(line.parse::<usize>().ok()? - 1)?;
        Some(line.contains(".spawn(work)"))
    };
    let location = spawn_location.as_str().and_then(|name| name.rsplit_once(':'));
    location.and_then(source) == Some(true)
}
