//! Any bytes decode to a snapshot or an error, within the limits of memory. A decoded snapshot is usable, and survives encoding and decoding
//! unchanged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use metrics_core::{HeapStorage, HistogramSnapshot, Snapshot};

fuzz_target!(|data: &[u8]| {
    if let Ok(snapshot) = within_limits(data, || postcard::from_bytes::<Snapshot<HeapStorage>>(data)) {
        exercise(&snapshot);
        let bytes = postcard::to_allocvec(&snapshot).expect("what was decoded encodes");
        let again: Snapshot<HeapStorage> = postcard::from_bytes(&bytes).expect("what was encoded decodes");
        assert_eq!(postcard::to_allocvec(&again).expect("and again"), bytes);
    }
    if let Ok(snapshot) = within_limits(data, || serde_json::from_slice::<Snapshot<HeapStorage>>(data)) {
        exercise(&snapshot);
        let text = serde_json::to_string(&snapshot).expect("what was decoded encodes");
        let again: Snapshot<HeapStorage> = serde_json::from_str(&text).expect("what was encoded decodes");
        assert_eq!(serde_json::to_string(&again).expect("and again"), text);
    }
    if let Ok(histogram) = serde_json::from_slice::<HistogramSnapshot<Vec<u64>>>(data) {
        let _ = histogram.quantile(0.5);
        let _ = histogram.downsample(7);
    }
});

/// Calls `decode`, and asserts that at no time more memory was in use than 4 MiB plus 200 times the length of the input, or than 128 MiB.
fn within_limits<T>(data: &[u8], decode: impl FnOnce() -> T) -> T {
    let mut decoded = None;
    let memory = allocation_counter::measure(|| decoded = Some(decode()));
    let limit = ((4 << 20) + 200 * data.len() as u64).min(128 << 20);
    assert!(
        memory.bytes_max <= limit,
        "{} bytes decode in {}",
        data.len(),
        memory.bytes_max
    );
    decoded.expect("`measure` calls its closure")
}

fn exercise(snapshot: &Snapshot<HeapStorage>) {
    let total = snapshot.total();
    let _ = (
        total.poll_count(),
        total.mean_poll_time(),
        snapshot.num_alive_tasks(),
        snapshot.uptime(),
    );
    for worker in snapshot.workers().iter().take(64) {
        let _ = (
            worker.state(),
            worker.state_for(),
            worker.busy_in_progress(),
            worker.thread_name().len(),
        );
        for reading in [worker.poll_time(), worker.schedule_latency()]
            .into_iter()
            .flatten()
        {
            let _ = reading.histogram().quantile(0.99);
            let _ = reading.histogram().downsample(20);
        }
    }
    let _ = snapshot.since(snapshot);
}
