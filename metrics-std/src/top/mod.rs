//! A view of a runtime's metrics in a terminal: workers, tasks, quantiles, hot spots, groups and stalls. The program `metrics-top` shows
//! that of any service that serves its snapshots.
//!
//! ```text
//! cargo run --package metrics-std --features top --bin metrics-top -- http://127.0.0.1:9000
//! ```
//!
//! A [`Sampler`] computes a [`View`] from two successive snapshots, and a [`Screen`] draws it:
//!
//! ```no_run
//! use metrics_std::top::{Action, Sampler, Screen};
//! use std::time::{Duration, Instant};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let metrics = metrics_std::build_wrapped(metrics_std::Builder::new(), metrics_std::Clock::new())?;
//! let mut screen = Screen::open("my service")?;
//! let mut sampler = Sampler::new(metrics.snapshot());
//! while screen.run_until(Instant::now() + Duration::from_secs(1))? == Action::Continue {
//!     if let Some(view) = sampler.sample(metrics.snapshot()) {
//!         screen.draw(view.with_title(vec!["my service".to_owned()]))?;
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod controls;
mod fit;
mod format;
mod hot_spots;
mod layout;
mod quantiles;
mod sample;
mod screen;
#[cfg(test)]
mod sizes;
mod view;
mod workers;

pub use format::{Grouped, Maybe, Nanos, short_location};
pub use sample::Sampler;
pub use screen::{Action, Screen};
pub use view::View;
