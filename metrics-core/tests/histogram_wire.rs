//! The serialised forms: they round-trip, are the same for every storage, and reject invalid input.

use metrics_core::histogram::{HistogramConfig, HistogramInterval, HistogramSnapshot};
use proptest::prelude::*;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

type Fixed = heapless::Vec<u64, 128>;

fn config() -> HistogramConfig {
    HistogramConfig::linear(10, 4).unwrap()
}

fn recorded(values: &[u64]) -> HistogramSnapshot<Fixed> {
    let mut snapshot = HistogramSnapshot::new(config()).unwrap();
    for &value in values {
        snapshot.record(value);
    }
    snapshot
}

#[test]
fn json_is_as_documented() {
    // 2^53 + 1 is the first integer that a double can't represent.
    let snapshot = recorded(&[12, 15, (1 << 53) + 1]);
    let json = concat!(
        r#"{"config":{"linear":{"width":"10","buckets":4}},"count":"3","sum":"9007199254741020","#,
        r#""min":"12","max":"9007199254740993","buckets":[[1,"2"],[3,"1"]]}"#
    );
    assert_eq!(serde_json::to_string(&snapshot).unwrap(), json);
    assert_eq!(
        serde_json::from_str::<HistogramSnapshot<Fixed>>(json).unwrap(),
        snapshot
    );

    let empty = recorded(&[]);
    let json = concat!(
        r#"{"config":{"linear":{"width":"10","buckets":4}},"count":"0","sum":"0","#,
        r#""min":null,"max":null,"buckets":[]}"#
    );
    assert_eq!(serde_json::to_string(&empty).unwrap(), json);
    assert_eq!(
        serde_json::from_str::<HistogramSnapshot<Fixed>>(json).unwrap(),
        empty
    );

    let interval = snapshot.since(&recorded(&[12])).unwrap();
    let json = concat!(
        r#"{"config":{"linear":{"width":"10","buckets":4}},"count":"2","sum":"9007199254741008","#,
        r#""min":{"lower":"12","upper":"19"},"#,
        r#""max":{"lower":"9007199254740993","upper":"9007199254740993"},"buckets":[[1,"1"],[3,"1"]]}"#
    );
    assert_eq!(serde_json::to_string(&interval).unwrap(), json);
    assert_eq!(
        serde_json::from_str::<HistogramInterval<Fixed>>(json).unwrap(),
        interval
    );
}

#[test]
fn a_configuration_is_its_parameters() {
    let h2 = r#"{"h2":{"min":"96","max":"60129542144","precision":2}}"#;
    assert_eq!(serde_json::to_string(&HistogramConfig::DEFAULT).unwrap(), h2);
    let power = HistogramConfig::power_of_two(1000, 12).unwrap();
    let json = r#"{"power_of_two":{"first_bucket":"1024","buckets":12}}"#;
    assert_eq!(serde_json::to_string(&power).unwrap(), json);
    for config in [HistogramConfig::DEFAULT, power, config()] {
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<HistogramConfig>(&json).unwrap(), config);
        let mut buffer = [0; 32];
        let bytes = postcard::to_slice(&config, &mut buffer).unwrap();
        assert_eq!(postcard::from_bytes::<HistogramConfig>(bytes).unwrap(), config);
    }
    // Requested parameters are accepted like rounded ones.
    let asked = r#"{"h2":{"min":"100","max":"60000000000","precision":2}}"#;
    assert_eq!(
        serde_json::from_str::<HistogramConfig>(asked).unwrap(),
        HistogramConfig::DEFAULT
    );
}

#[test]
fn a_wrong_configuration_is_refused_with_its_error() {
    for (json, reason) in [
        (r#"{"linear":{"width":"0","buckets":4}}"#, "at least 1, but"),
        (r#"{"linear":{"width":"1","buckets":0}}"#, "at least 1 bucket"),
        (r#"{"linear":{"width":"1","buckets":4294967295}}"#, "65536"),
        (
            r#"{"power_of_two":{"first_bucket":"18446744073709551615","buckets":2}}"#,
            "9223372036854775808",
        ),
        (
            r#"{"h2":{"min":"6","max":"5","precision":2}}"#,
            "above the maximum",
        ),
        (
            r#"{"h2":{"min":"5","max":"6","precision":4294967295}}"#,
            "10 or less",
        ),
        (r#"{"h2":{"min":"-5","max":"6","precision":1}}"#, "decimal digits"),
        (r#"{"h2":{"min":"+5","max":"6","precision":1}}"#, "decimal digits"),
        (r#"{"h2":{"min":"","max":"6","precision":1}}"#, "decimal digits"),
        (r#"{"h2":{"min":5,"max":"6","precision":1}}"#, "decimal digits"),
        (
            r#"{"h2":{"min":"5","max":"18446744073709551616","precision":1}}"#,
            "decimal digits",
        ),
    ] {
        let error = serde_json::from_str::<HistogramConfig>(json)
            .unwrap_err()
            .to_string();
        assert!(error.contains(reason), "{json}: {error}");
    }
}

#[test]
fn a_wrong_snapshot_is_refused() {
    let json = |count: &str, sum: &str, extremes: &str, buckets: &str| {
        format!(
            r#"{{"buckets":{buckets},{extremes},"sum":"{sum}","count":"{count}",
                "config":{{"linear":{{"width":"10","buckets":4}}}}}}"#
        )
    };
    let read = |json: &str| serde_json::from_str::<HistogramSnapshot<Fixed>>(json);
    let extremes = r#""min":"12","max":"25""#;
    // Fields in another order and a count of 0 are accepted.
    let right = read(&json("2", "37", extremes, r#"[[0,"0"],[1,"1"],[2,"1"]]"#)).unwrap();
    assert_eq!(right, recorded(&[12, 25]));

    let max = u64::MAX.to_string();
    let many = |count: u64| {
        let buckets = format!(r#"[[1,"{}"],[2,"1"]]"#, count - 1);
        read(&json(&count.to_string(), &max, extremes, &buckets))
    };
    let limit = HistogramSnapshot::<Fixed>::MAX_COUNT;
    assert_eq!(many(limit).unwrap().count(), limit);
    assert!(many(limit + 1).unwrap_err().to_string().contains("are more than"));
    for (wrong, reason) in [
        (json("3", "37", extremes, r#"[[1,"1"],[2,"1"]]"#), "add up"),
        (
            json("1", "37", extremes, &format!(r#"[[1,"{max}"],[2,"2"]]"#)),
            "add up",
        ),
        (
            json(
                &max,
                "37",
                extremes,
                &format!(r#"[[1,"1"],[2,"{}"]]"#, u64::MAX - 1),
            ),
            "more than",
        ),
        (json("2", "37", extremes, r#"[[2,"1"],[1,"1"]]"#), "out of order"),
        (json("2", "37", extremes, r#"[[1,"1"],[1,"1"]]"#), "out of order"),
        (json("2", "37", extremes, r#"[[1,"1"],[4,"1"]]"#), "4 buckets"),
        (
            json("2", "37", extremes, r#"[[1,"1"],[200,"1"]]"#),
            "exceeds the storage",
        ),
        (
            json("2", "37", extremes, r#"[[1,"1"],[65536,"1"]]"#),
            "no histogram",
        ),
        (
            json("2", "37", extremes, r#"[[1,"1"],[4294967295,"1"]]"#),
            "no histogram",
        ),
        (json("2", "23", extremes, r#"[[1,"1"],[2,"1"]]"#), "not possible"),
        (json("2", "51", extremes, r#"[[1,"1"],[2,"1"]]"#), "not possible"),
        (
            json("2", "37", r#""min":"9","max":"25""#, r#"[[1,"1"],[2,"1"]]"#),
            "not possible",
        ),
        (
            json("2", "37", r#""min":"12","max":"30""#, r#"[[1,"1"],[2,"1"]]"#),
            "not possible",
        ),
        (
            json("2", "30", r#""min":"18","max":"12""#, r#"[[1,"2"]]"#),
            "not possible",
        ),
        (
            json("2", "37", r#""min":null,"max":"25""#, r#"[[1,"1"],[2,"1"]]"#),
            "not possible",
        ),
        (json("0", "1", r#""min":null,"max":null"#, "[]"), "not possible"),
        (json("0", "0", r#""min":"1","max":"1""#, "[]"), "not possible"),
    ] {
        let error = read(&wrong).unwrap_err().to_string();
        assert!(error.contains(reason), "{wrong}: {error}");
    }
    // The lower bound of an interval must not be above the upper bound.
    let bounds = |lower: u64, upper: u64| {
        let extremes =
            format!(r#""min":{{"lower":"{lower}","upper":"{upper}"}},"max":{{"lower":"20","upper":"25"}}"#);
        serde_json::from_str::<HistogramInterval<Fixed>>(&json("2", "37", &extremes, r#"[[1,"1"],[2,"1"]]"#))
    };
    assert!(bounds(12, 15).is_ok());
    assert!(bounds(15, 12).is_err());
    assert!(bounds(9, 12).is_err());
    assert!(bounds(12, 20).is_err());
}

#[test]
fn a_sum_that_saturated_is_possible() {
    for values in [[u64::MAX, u64::MAX - 1], [u64::MAX, 3]] {
        let snapshot = recorded(&values);
        assert_eq!(snapshot.sum(), u64::MAX);
        let json = serde_json::to_string(&snapshot).unwrap();
        assert_eq!(
            serde_json::from_str::<HistogramSnapshot<Fixed>>(&json).unwrap(),
            snapshot
        );
    }
}

proptest! {
    /// A server reads what a microcontroller writes, and the other way round.
    #[test]
    fn every_way_round_is_the_same(
        earlier in prop::collection::vec((any::<u64>(), 0..64_u32), 0..30),
        later in prop::collection::vec((any::<u64>(), 0..64_u32), 0..30),
    ) {
        let mut fixed = HistogramSnapshot::<Fixed>::new(HistogramConfig::DEFAULT).unwrap();
        let mut heap = HistogramSnapshot::<Vec<u64>>::new(HistogramConfig::DEFAULT).unwrap();
        let mut record = |values: Vec<(u64, u32)>| {
            for (value, shift) in values {
                fixed.record(value >> shift);
                heap.record(value >> shift);
            }
            (fixed.clone(), heap.clone())
        };
        let before = record(earlier);
        let (fixed, heap) = record(later);

        let json = serde_json::to_string(&fixed).unwrap();
        prop_assert_eq!(&json, &serde_json::to_string(&heap).unwrap());
        prop_assert_eq!(&serde_json::from_str::<HistogramSnapshot<Vec<u64>>>(&json).unwrap(), &heap);
        prop_assert_eq!(&serde_json::from_str::<HistogramSnapshot<Fixed>>(&json).unwrap(), &fixed);

        let mut buffer = [0; 2048];
        let bytes = postcard::to_slice(&fixed, &mut buffer).unwrap();
        prop_assert_eq!(&postcard::from_bytes::<HistogramSnapshot<Vec<u64>>>(bytes).unwrap(), &heap);
        prop_assert_eq!(&postcard::from_bytes::<HistogramSnapshot<Fixed>>(bytes).unwrap(), &fixed);

        let fixed = fixed.since(&before.0).unwrap();
        let heap = heap.since(&before.1).unwrap();
        let bytes = postcard::to_slice(&fixed, &mut buffer).unwrap();
        prop_assert_eq!(&postcard::from_bytes::<HistogramInterval<Vec<u64>>>(bytes).unwrap(), &heap);
        let json = serde_json::to_string(&heap).unwrap();
        prop_assert_eq!(&serde_json::from_str::<HistogramInterval<Fixed>>(&json).unwrap(), &fixed);
    }

    /// Any bytes decode to a consistent histogram or to an error.
    #[test]
    fn any_bytes_are_read_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..80), kind in 0..3_u8) {
        if let Some(first) = bytes.first_mut() {
            *first = kind;
        }
        if let Ok(read) = postcard::from_bytes::<HistogramSnapshot<Vec<u64>>>(&bytes) {
            prop_assert_eq!(read.buckets().len(), read.config().num_buckets());
            prop_assert_eq!(read.min().is_some(), read.count() > 0);
            prop_assert_eq!(read.quantile(0.5).is_some(), read.count() > 0);
        }
    }

    /// One changed byte in a valid message.
    #[test]
    fn a_damaged_message_is_read_or_refused(at in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let snapshot = recorded(&[1, 12, 12, 25, 1 << 40]);
        let mut buffer = [0; 128];
        let bytes = postcard::to_slice(&snapshot, &mut buffer).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(read) = postcard::from_bytes::<HistogramSnapshot<Vec<u64>>>(bytes) {
            prop_assert_eq!(read.buckets().len(), read.config().num_buckets());
            prop_assert_eq!(read.min().is_some(), read.count() > 0);
            prop_assert_eq!(read.quantile(0.5).is_some(), read.count() > 0);
        }
    }
}
