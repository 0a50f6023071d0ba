//! The scenarios, by what they are about.

mod driver;
mod parks;
mod polls;
mod queues;
mod tasks;

use core::future::poll_fn;
use core::task::Poll;

use super::subject::Unsupported;
use super::trial::Trial;

/// A scenario: what it shows, and how.
pub type Scenario = (&'static str, fn(&mut Trial<'_>) -> Result<(), Unsupported>);

/// All of them.
pub static SCENARIOS: &[&[Scenario]] = &[
    parks::SCENARIOS,
    polls::SCENARIOS,
    queues::SCENARIOS,
    tasks::SCENARIOS,
    driver::SCENARIOS,
];

/// Lets the scheduler poll something else: a wake in mid-poll and one `Pending`.
async fn yield_now() {
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
