//! Spawned, ended and alive tasks, where Tokio and a wrapper could disagree.

use super::{current_thread, multi_thread};
use core::future::pending;
use metrics_std::RuntimeMetrics;
use tokio::sync::oneshot;

struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        panic!("as the test wants");
    }
}

/// Completed, cancelled and panicked tasks.
fn ends(metrics: &RuntimeMetrics) -> [Option<u64>; 3] {
    [
        metrics.completed_tasks_count(),
        metrics.cancelled_tasks_count(),
        metrics.panicked_tasks_count(),
    ]
}

#[test]
fn a_panic_in_a_destructor_at_an_abort_counts_as_panicked() {
    for (runtime, metrics, spawner) in [multi_thread(1), current_thread()] {
        runtime.block_on(async {
            let (polled, was_polled) = oneshot::channel();
            let task = spawner.spawn(async {
                let _panics = PanicsInDrop;
                polled.send(()).unwrap();
                pending::<()>().await;
            });
            was_polled.await.unwrap();
            task.abort();
            assert!(task.await.unwrap_err().is_panic());
        });
        drop(runtime);
        assert_eq!(ends(&metrics), [Some(0), Some(0), Some(1)]);
    }
}
