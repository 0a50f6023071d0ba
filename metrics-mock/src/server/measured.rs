//! A future that is not measured.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::runtime::RuntimeMetrics;

pin_project! {
    /// A future and nothing else: as large as the future, and polled as if it were the future.
    #[must_use = "futures do nothing unless they are polled"]
    pub struct Measured<F> {
        #[pin]
        future: F,
    }
}

impl<F> Measured<F> {
    /// The future as it is.
    #[track_caller]
    pub fn task(_metrics: &RuntimeMetrics, future: F) -> Self {
        Self { future }
    }

    /// The future as it is.
    pub fn root(_metrics: &RuntimeMetrics, future: F) -> Self {
        Self { future }
    }

    #[cfg(feature = "tokio")]
    pub(super) fn unmeasured(future: F) -> Self {
        Self { future }
    }
}

impl<F: Future> Future for Measured<F> {
    type Output = F::Output;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().future.poll(cx)
    }
}

impl<F> fmt::Debug for Measured<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measured").finish_non_exhaustive()
    }
}
