//! What proves the workspace: testbed runtime, conformance suite, models and oracles.

pub mod conformance;
pub mod testbed;

use core::future::poll_fn;
use core::task::Poll;

// The testbed names it here: the benchmark compiles the same sources once more.
use metrics_std as metrics;

/// Lets the scheduler poll something else: wakes its task during a poll and is pending once.
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
