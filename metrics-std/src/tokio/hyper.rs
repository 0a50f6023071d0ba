//! hyper: the [`Spawner`] as an executor, so that what hyper spawns is measured.
//!
//! hyper spawns a task for each stream of an HTTP/2 connection through the executor it is given:
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
