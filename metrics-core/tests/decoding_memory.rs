//! The memory that decoding needs at most, whatever the bytes are.
#![cfg(all(
    feature = "alloc",
    feature = "serde",
    target_has_atomic = "ptr",
    not(metrics_core_loom),
    not(target_arch = "wasm32")
))]
#![allow(missing_docs)]

#[path = "common/clock.rs"]
mod clock;

use clock::TestClock;
use metrics_core::{
    Builder, HeapStorage, HistogramConfig, HistogramSnapshot, RuntimeMetrics, Snapshot, SnapshotSeed, Worker,
};

/// A snapshot of this many workers whose histograms are empty, so that few bytes describe them.
fn snapshot(workers: usize, config: HistogramConfig) -> Snapshot<HeapStorage> {
    let registry = Builder::new()
        .poll_time(config)
        .schedule_latency(config)
        .build(TestClock::new())
        .unwrap();
    for index in 0..workers {
        drop(Worker::lease(registry.clone(), index).unwrap());
    }
    RuntimeMetrics::new(registry).snapshot()
}

/// Decodes the bytes, and returns whether they are a snapshot. Asserts that no more memory was in use at any time than
/// the limits permit.
fn decode<E>(bytes: &[u8], decode: impl FnOnce() -> Result<Snapshot<HeapStorage>, E>) -> bool {
    const MIB: u64 = 1 << 20;
    let mut is_decoded = false;
    let memory = allocation_counter::measure(|| is_decoded = decode().is_ok());
    // 4 MiB are for a snapshot of few bytes with wide histograms.
    let limit = (4 * MIB + 200 * bytes.len() as u64).min(128 * MIB);
    assert!(
        memory.bytes_max <= limit,
        "{} bytes decode in {} bytes, more than {limit}",
        bytes.len(),
        memory.bytes_max
    );
    is_decoded
}

fn binary(bytes: &[u8]) -> bool {
    decode(bytes, || postcard::from_bytes(bytes))
}

fn json(bytes: &[u8]) -> bool {
    decode(bytes, || serde_json::from_slice(bytes))
}

fn to_binary(snapshot: &Snapshot<HeapStorage>) -> Vec<u8> {
    let mut buffer = vec![0; 1 << 20];
    postcard::to_slice(snapshot, &mut buffer).unwrap().to_vec()
}

#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "x86")),
    ignore = "it depends on the size of a pointer alone, and takes long under an emulator"
)]
#[test]
fn hostile_input_takes_200_times_its_length_and_128_mib_at_most() {
    let wide = HistogramConfig::h2(0, u64::MAX, 7).unwrap();
    let widest = HistogramConfig::linear(1, HistogramConfig::MAX_BUCKETS).unwrap();
    for (workers, config) in [(1_000, wide), (30, widest)] {
        let snapshot = snapshot(workers, config);
        let bytes = to_binary(&snapshot);
        assert!(!binary(&bytes), "{workers} workers in {} bytes", bytes.len());
        let text = serde_json::to_vec(&snapshot).unwrap();
        assert!(!json(&text), "{workers} workers in {} bytes", text.len());
        // Every prefix is another hostile input.
        for length in (0..bytes.len()).step_by(bytes.len() / 20) {
            assert!(!binary(&bytes[..length]));
        }
    }
}

#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "x86")),
    ignore = "it depends on the size of a pointer alone, and takes long under an emulator"
)]
#[test]
fn an_ordinary_snapshot_decodes_within_the_limits() {
    let snapshot = snapshot(2_000, HistogramConfig::DEFAULT);
    assert!(binary(&to_binary(&snapshot)));
    assert!(json(&serde_json::to_vec(&snapshot).unwrap()));
}

#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "x86")),
    ignore = "it depends on the size of a pointer alone, and takes long under an emulator"
)]
#[test]
fn wide_histograms_decode_with_a_higher_limit() {
    use serde::de::DeserializeSeed;

    let snapshot = snapshot(300, HistogramConfig::h2(0, u64::MAX, 7).unwrap());
    let bytes = to_binary(&snapshot);
    assert!(!binary(&bytes));
    let limit = 200 << 20;
    let memory = allocation_counter::measure(|| {
        let seed = SnapshotSeed::<HeapStorage>::new().limit(limit);
        seed.deserialize(&mut postcard::Deserializer::from_bytes(&bytes))
            .unwrap();
    });
    assert!(memory.bytes_max <= limit as u64, "{}", memory.bytes_max);
}

/// The counts come before the layout if a map has that order.
#[test]
fn a_histogram_of_few_bytes_takes_no_more_than_its_widest_layout() {
    let text = br#"{"buckets":[[65535,"1"]],"count":"1","sum":"1","min":"1","max":"1",
        "config":{"linear":{"width":"1","buckets":4}}}"#;
    let memory = allocation_counter::measure(|| {
        assert!(serde_json::from_slice::<HistogramSnapshot<Vec<u64>>>(text).is_err());
    });
    assert!(memory.bytes_max <= 1 << 20, "{}", memory.bytes_max);
}
