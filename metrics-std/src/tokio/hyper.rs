//! Implements hyper's executor for the [`Spawner`], so that the tasks that hyper spawns are measured.
//!
//! hyper spawns one task per stream of an HTTP/2 connection through its executor:
//!
//! ```
//! use hyper_util::server::conn::auto;
//! use metrics_std::tokio::Spawner;
//!
//! fn server(spawner: &Spawner) -> auto::Builder<Spawner> {
//!     auto::Builder::new(spawner.clone())
//! }
//! ```

use core::future::Future;

use crate::tokio::Spawner;

impl<F> hyper::rt::Executor<F> for Spawner
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    #[track_caller]
    fn execute(&self, future: F) {
        drop(self.spawn(future));
    }
}
