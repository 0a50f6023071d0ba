//! Tests of the workspace: the testbed runtime, the conformance suite, models and oracles.

pub mod conformance;
pub mod ground_truth;
pub mod testbed;

use core::future::poll_fn;
use core::task::Poll;

// The testbed uses it by this path, because the benchmark also compiles its sources.
use metrics_std as metrics;

/// Yields to the scheduler: wakes its task during a poll and is pending once.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if core::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
