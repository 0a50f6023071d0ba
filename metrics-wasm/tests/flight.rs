//! Spawn locations and the flight recorder of a monitor, with a load whose answer is known.
#![cfg(all(target_family = "wasm", feature = "record"))]

mod common;

use common::{next_turn, spin};
use core::time::Duration;
use metrics_wasm::Monitor;
use metrics_wasm::metrics_core::{Culprit, FlightEventKind, NamedCulprit};
use wasm_bindgen_test::wasm_bindgen_test;

/// How long the hog polls, in milliseconds. Much longer than the resolution of any clock.
const HOG: f64 = 40.0;
const AT_LEAST: Duration = Duration::from_millis(30);

/// Spawns a hog, and two tasks that wait for it.
async fn play(monitor: &Monitor) {
    monitor.spawn_local(async { spin(HOG) });
    for _ in 0..2 {
        monitor.spawn_local(async {});
    }
    next_turn().await;
}

#[wasm_bindgen_test]
async fn each_spawn_location_has_its_polls_and_its_waits() {
    let monitor = Monitor::builder().locations(8).build().unwrap();
    play(&monitor).await;
    let snapshot = monitor.snapshot();
    let locations: Vec<_> = snapshot.locations().unwrap().iter().collect();
    let counts: Vec<_> = locations
        .iter()
        .map(|row| (row.spawned(), row.ended(), row.poll_count()))
        .collect();
    assert_eq!(counts, [(1, 1, 1), (2, 2, 2)]);
    let [hog, starved] = [&locations[0], &locations[1]];
    assert!(hog.poll_time() >= Some(AT_LEAST), "{hog:?}");
    assert!(starved.schedule_latency() >= Some(AT_LEAST * 2), "{starved:?}");
    for row in locations {
        assert!(
            row.name().contains("flight.rs:") && !row.name().starts_with('/'),
            "{row:?}"
        );
    }
}

#[wasm_bindgen_test]
async fn the_flight_recorder_explains_the_waits() {
    let monitor = Monitor::builder().flight_recorder(64).build().unwrap();
    play(&monitor).await;
    let recording = monitor.metrics().flight_recording().unwrap();
    let events: Vec<_> = recording.threads[0].events().collect();
    let kinds: Vec<_> = events.iter().map(|event| (event.kind, event.polls)).collect();
    assert_eq!(
        kinds,
        [
            (FlightEventKind::Park, 0),
            (FlightEventKind::Unpark, 0),
            (FlightEventKind::Poll, 1),
            // Short, but they have waited.
            (FlightEventKind::Poll, 1),
            (FlightEventKind::Poll, 1),
            (FlightEventKind::Park, 0),
        ]
    );
    let (hog, starved) = (events[2].location, events[3].location);
    assert_eq!(events[4].location, starved);
    assert!(events[2].duration >= AT_LEAST && recording.span() >= Some(AT_LEAST));
    let blame = recording.blame();
    let mut rows = blame.rows.iter();
    let row = rows.find(|row| (row.victim, row.culprit) == (starved, Culprit::Polls(hog)));
    assert!(row.unwrap().waited >= AT_LEAST * 2, "{blame:?}");
    let report = recording.blame_report(usize::MAX);
    let culprit = NamedCulprit::Polls(recording.location_name(hog).into());
    assert!(report.rows.iter().any(|row| row.culprit == culprit));
    let mut trace = String::new();
    recording.write_chrome_trace(&mut trace).unwrap();
    assert!(trace.contains(recording.location_name(hog)), "{trace}");
}

#[wasm_bindgen_test]
async fn neither_is_kept_by_default() {
    let monitor = Monitor::builder().build().unwrap();
    play(&monitor).await;
    assert!(monitor.snapshot().locations().is_none());
    assert!(monitor.metrics().flight_recording().is_none());
}

#[cfg(feature = "js")]
mod js {
    use super::{AT_LEAST, play};
    use metrics_wasm::Monitor;
    use metrics_wasm::js::RuntimeMetrics;
    use wasm_bindgen::prelude::{JsCast, JsValue};
    use wasm_bindgen_futures::js_sys::{Array, BigInt, JSON, Reflect, TypeError};
    use wasm_bindgen_test::wasm_bindgen_test;

    fn metrics(options: &str) -> Result<RuntimeMetrics, JsValue> {
        RuntimeMetrics::new(&JSON::parse(options).unwrap())
    }

    fn get(object: &JsValue, path: &str) -> JsValue {
        path.split('.').fold(object.clone(), |object, key| {
            Reflect::get(&object, &key.into()).unwrap()
        })
    }

    #[wasm_bindgen_test]
    async fn options_keep_locations_a_trace_and_blame() {
        let error = metrics(r#"{ "flight_recorder_threshold": -1 }"#).err().unwrap();
        assert!(error.has_type::<TypeError>(), "{error:?}");
        let options = r#"{ "locations": 8, "flight_recorder": 64, "flight_recorder_threshold": 0.005 }"#;
        let metrics = metrics(options).ok().unwrap();
        play(&Monitor::current().unwrap()).await;

        let snapshot = metrics.snapshot().ok().unwrap();
        let name = get(&snapshot, "locations.0.name").as_string().unwrap();
        assert!(name.contains("flight.rs:"), "{name}");
        let is_hog = |value: &JsValue| value.as_string().as_deref() == Some(name.as_str());
        // The host's own parser reads the trace.
        let trace = JSON::parse(&metrics.trace().unwrap()).unwrap();
        let slices = get(&trace, "traceEvents").unchecked_into::<Array>();
        let slice = slices.iter().find(|slice| is_hog(&get(slice, "name"))).unwrap();
        let micros = get(&slice, "dur").as_f64().unwrap();
        assert!(micros >= AT_LEAST.as_secs_f64() * 1e6, "{micros}");
        let blame = metrics.blame(&16.into()).ok().unwrap();
        let rows = get(&blame, "rows").unchecked_into::<Array>();
        let polls = |row: &JsValue| Reflect::get(&get(row, "culprit"), &"polls".into());
        let row = rows
            .iter()
            .find(|row| polls(row).is_ok_and(|polls| is_hog(&polls)));
        let waited = get(&row.unwrap(), "waited").unchecked_into::<BigInt>();
        assert!(u128::from(u64::try_from(waited).unwrap()) >= 2 * AT_LEAST.as_nanos());
        assert!(metrics.blame(&JsValue::NULL).is_err());
    }
}
