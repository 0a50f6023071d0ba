//! A future that is not measured.

use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll};

use pin_project_lite::pin_project;

pin_project! {
    /// A future and nothing else: as large as the future, and polled as if it were the future.
    #[must_use = "futures do nothing unless polled"]
    pub struct Measured<F> {
        #[pin]
        future: F,
        // It belongs to the thread it was made on.
        _thread: PhantomData<*const ()>,
    }
}

impl<F> fmt::Debug for Measured<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measured").finish_non_exhaustive()
    }
}

impl<F> Measured<F> {
    pub(super) fn new(future: F) -> Self {
        Self {
            future,
            _thread: PhantomData,
        }
    }
}

impl<F: Future> Future for Measured<F> {
    type Output = F::Output;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().future.poll(cx)
    }
}
