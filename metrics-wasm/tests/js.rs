//! The API for JavaScript, called through JavaScript values.
#![cfg(all(target_family = "wasm", feature = "js"))]

mod common;

use common::{is_node, next_turn, now, sleep, spin, until, yield_now};
use core::cell::RefCell;
use core::ops::Range;
use metrics_wasm::Monitor;
use metrics_wasm::js::RuntimeMetrics;
use std::rc::Rc;
use wasm_bindgen::prelude::{Closure, JsCast, JsValue};
use wasm_bindgen_futures::js_sys::{Array, BigInt, Function, JSON, Object, Reflect, TypeError};
use wasm_bindgen_test::wasm_bindgen_test;

fn metrics() -> RuntimeMetrics {
    RuntimeMetrics::new(&JsValue::UNDEFINED)
        .ok()
        .expect("the defaults are valid")
}

fn get(object: &JsValue, path: &str) -> JsValue {
    path.split('.').fold(object.clone(), |object, key| {
        Reflect::get(&object, &JsValue::from_str(key)).unwrap_or_else(|_| panic!("no {key} of {path}"))
    })
}

fn big(object: &JsValue, path: &str) -> u64 {
    let value = get(object, path);
    assert!(value.is_bigint(), "{path} is {value:?}");
    u64::try_from(value.unchecked_into::<BigInt>()).expect("fits")
}

#[wasm_bindgen_test]
async fn a_snapshot_is_a_plain_object_with_the_schema_of_servers() {
    let metrics = metrics();
    let before = metrics.snapshot().ok().expect("a snapshot");
    let monitor = Monitor::current().expect("the defaults are valid");
    for _ in 0..3 {
        monitor.spawn_local(yield_now());
    }
    next_turn().await;
    let snapshot = metrics.snapshot().ok().expect("a snapshot");
    assert_eq!(get(&snapshot, "schema").as_f64(), Some(2.0));
    assert_eq!(get(&snapshot, "name").as_string().as_deref(), Some("main"));
    let polls = big(&snapshot, "total.numbers.poll_count");
    assert_eq!(polls - big(&before, "total.numbers.poll_count"), 6);
    assert_eq!(polls, big(&snapshot, "total.poll_time.histogram.count"));
    assert!(
        get(&snapshot, "total.numbers.steal_count").is_null(),
        "not measured is null"
    );
    assert_eq!(
        get(&snapshot, "workers.0.state").as_string().as_deref(),
        Some("parked")
    );
    assert!(get(&snapshot, "loop_lag.config").is_object());

    let keys = Object::keys(snapshot.unchecked_ref::<Object>())
        .join(",")
        .as_string()
        .unwrap();
    assert!(!keys.contains("toJSON"), "{keys}");
    let text = JSON::stringify(&snapshot).unwrap().as_string().unwrap();
    assert!(text.contains(&format!("\"poll_count\":\"{polls}\"")), "{text}");
    // metrics-core reads the JSON.
    let back: metrics_wasm::Snapshot = serde_json::from_str(&text).unwrap();
    assert_eq!(back.total().poll_count(), Some(polls));
    let part = JSON::stringify(&get(&snapshot, "workers.0.measurements.numbers")).unwrap();
    assert!(
        part.as_string()
            .unwrap()
            .contains(&format!("\"poll_count\":\"{polls}\""))
    );
}

#[wasm_bindgen_test]
async fn an_interval_starts_at_an_earlier_snapshot_or_its_json() {
    let metrics = metrics();
    let before = metrics.snapshot().ok().expect("a snapshot");
    let text = JSON::stringify(&before).unwrap().as_string().unwrap();
    Monitor::current()
        .expect("the defaults are valid")
        .spawn_local(yield_now());
    sleep(30.0).await;
    for previous in [before, JSON::parse(&text).unwrap()] {
        let interval = metrics.since(&previous).expect("an interval");
        assert_eq!(big(&interval, "total.numbers.poll_count"), 2);
        assert_eq!(big(&interval, "total.poll_time.count"), 2);
        assert_eq!(big(&interval, "tasks.spawned"), 1);
        assert_eq!(big(&interval, "self_wake_count"), 1);
        assert!(big(&interval, "wall") >= 20_000_000);
        assert_eq!(
            get(&interval, "event_loop.utilization").as_f64().is_some(),
            is_node(),
            "only Node measures it"
        );
    }
}

#[wasm_bindgen_test]
fn an_invalid_argument_throws_a_type_error_that_names_what_to_pass() {
    let metrics = metrics();
    let exception = |result: Result<JsValue, JsValue>| result.expect_err("an exception");
    let message = |result| {
        let error = exception(result);
        assert!(error.is_instance_of::<TypeError>(), "{error:?}");
        get(&error, "message").as_string().expect("an Error")
    };
    assert!(message(metrics.since(&JsValue::from_f64(3.0))).contains("snapshot()"));
    assert!(message(metrics.since(&JsValue::UNDEFINED)).contains("snapshot()"));
    let poll_time = JsValue::from_str("poll_time");
    assert!(message(metrics.quantile(&"pole_time".into(), &0.5.into())).contains("pole_time"));
    assert!(message(metrics.quantile(&Object::new(), &0.5.into())).contains("loop_lag"));
    assert!(message(metrics.quantile(&poll_time, &99.0.into())).contains("99"));
    assert!(message(metrics.quantile(&poll_time, &f64::NAN.into())).contains("NaN"));
    let nothing = Closure::<dyn Fn()>::new(|| ()).into_js_value();
    assert!(message(metrics.on_stall(&(-1.0).into(), &nothing)).contains("-1"));
    assert!(message(metrics.on_stall(&f64::NAN.into(), &nothing)).contains("NaN"));
    assert!(
        message(metrics.on_stall(&50.0.into(), &JsValue::UNDEFINED)).contains("callback must be a function")
    );

    let copy = || {
        let snapshot = metrics.snapshot().ok().expect("a snapshot");
        JSON::parse(&JSON::stringify(&snapshot).unwrap().as_string().unwrap()).unwrap()
    };
    let no_number = copy();
    Reflect::set(&no_number, &"self_wake_count".into(), &"many".into()).unwrap();
    assert!(message(metrics.since(&no_number)).contains("invalid digit"));
    let other_page = copy();
    Reflect::set(&other_page, &"epoch".into(), &"1".into()).unwrap();
    let error = exception(metrics.since(&other_page));
    assert!(get(&error, "message").as_string().unwrap().contains("epoch"));
}

#[wasm_bindgen_test]
async fn a_quantile_lies_between_its_bounds() {
    let metrics = metrics();
    Monitor::current()
        .expect("the defaults are valid")
        .spawn_local(async { spin(8.0) });
    next_turn().await;
    let longest = metrics
        .quantile(&"poll_time".into(), &1.0.into())
        .expect("a quantile");
    assert!(big(&longest, "upper") >= 7_000_000);
    assert!(big(&longest, "lower") <= big(&longest, "estimate"));
    assert!(big(&longest, "estimate") <= big(&longest, "upper"));
}

/// Collects the stalls of at least `ms` milliseconds until the returned function is called.
fn listen(metrics: &RuntimeMetrics, ms: f64) -> (Array, Function) {
    let heard = Array::new();
    let list = heard.clone();
    let callback = Closure::<dyn Fn(JsValue)>::new(move |stall| {
        list.push(&stall);
    });
    let stop = metrics
        .on_stall(&ms.into(), &callback.into_js_value())
        .expect("timers are there");
    (heard, stop.unchecked_into())
}

/// The stalls that overlap a time in milliseconds of the page. A busy machine causes others.
fn over(heard: &Array, time: &Range<f64>) -> Vec<JsValue> {
    let number = |stall: &JsValue, key| get(stall, key).as_f64().expect("a number");
    let is_over = |stall: &JsValue| {
        let start = number(stall, "start");
        start < time.end && time.start < start + number(stall, "duration")
    };
    heard.iter().filter(is_over).collect()
}

#[wasm_bindgen_test]
async fn a_stall_callback_is_called_until_it_is_removed() {
    let metrics = metrics();
    let (heard, stop) = listen(&metrics, 100.0);
    let (all, _) = listen(&metrics, 100.0);
    let blocked = Rc::new(RefCell::new(0.0..0.0));
    let out = Rc::clone(&blocked);
    let spawned = now();
    Monitor::current()
        .expect("the defaults are valid")
        .spawn_local(async move {
            let start = now();
            spin(150.0);
            *out.borrow_mut() = start..now();
        });
    until("the task is polled", || blocked.borrow().end > 0.0).await;
    let blocked = blocked.take();
    until("the stall is reported", || !over(&heard, &blocked).is_empty()).await;
    let [stall] = &over(&heard, &blocked)[..] else {
        panic!("{heard:?}")
    };
    assert_eq!(get(stall, "source").as_string().as_deref(), Some("poll"));
    let [start, duration] = ["start", "duration"].map(|key| get(stall, key).as_f64().unwrap());
    // Times of the page, from a clock that counts whole nanoseconds.
    let rounding = 1e-5;
    assert!(
        start >= spawned - rounding && start <= blocked.start + rounding,
        "{stall:?} for {blocked:?}, spawned at {spawned}"
    );
    assert!(
        start + duration >= blocked.end - rounding,
        "{stall:?} for {blocked:?}"
    );
    assert!(
        get(stall, "spawn_location")
            .as_string()
            .unwrap()
            .contains("js.rs")
    );

    stop.call0(&JsValue::NULL).unwrap();
    let before = heard.length();
    let start = now();
    spin(300.0);
    let blocked = start..now();
    until("the other callback is called", || {
        !over(&all, &blocked).is_empty()
    })
    .await;
    assert_eq!(heard.length(), before);
}

#[wasm_bindgen_test]
async fn the_prometheus_text_has_the_exported_names() {
    let metrics = metrics();
    Monitor::current()
        .expect("the defaults are valid")
        .spawn_local(yield_now());
    next_turn().await;
    let text = metrics.prometheus();
    for line in [
        "# TYPE async_runtime_worker_polls_total counter",
        "# TYPE async_runtime_worker_busy_seconds_total counter",
        "# TYPE async_runtime_poll_duration_seconds histogram",
        "# TYPE async_runtime_alive_tasks gauge",
        "# TYPE async_runtime_loop_lag_seconds histogram",
        "async_runtime_workers{runtime=\"main\"} 1",
    ] {
        assert!(text.lines().any(|known| known == line), "no {line:?} in\n{text}");
    }
    assert!(
        !text.contains("async_runtime_worker_stolen"),
        "what is not measured is left out"
    );
    let counts: Vec<u64> = text
        .lines()
        .filter(|line| line.starts_with("async_runtime_poll_duration_seconds_bucket"))
        .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
        .collect();
    assert!(counts.len() <= 20 && counts.is_sorted(), "{counts:?}");
    let count = format!(
        "async_runtime_poll_duration_seconds_count{{runtime=\"main\"}} {}",
        counts.last().unwrap()
    );
    assert!(text.contains(&count));
}
