//! Histograms: the mapping of values to buckets, and statistics from the counts.
//!
//! [`HistogramConfig`] is the layout, [`HistogramSnapshot`] holds the counts with their sum, minimum and maximum, and
//! [`HistogramInterval`] is the difference of two snapshots. Values are `u64` without a unit; this crate records
//! nanoseconds.
//!
//! ```
//! use metrics_core::histogram::{HistogramConfig, HistogramSnapshot};
//!
//! // Storage of fixed size, as on a microcontroller. With feature `alloc`, `Vec<u64>` does as well.
//! type Counts = heapless::Vec<u64, 128>;
//!
//! let mut polls = HistogramSnapshot::<Counts>::new(HistogramConfig::DEFAULT)?;
//! for nanos in [1_500, 2_000, 90_000_000] {
//!     polls.record(nanos);
//! }
//! let median = polls.quantile(0.5).expect("it is not empty");
//! assert!(median.lower <= 2_000 && 2_000 <= median.upper);
//! assert_eq!(polls.max(), Some(90_000_000));
//! # Ok::<(), metrics_core::histogram::CapacityError>(())
//! ```

mod config;
mod config_builder;
mod counts;
mod debug_summary;
mod difference;
mod downsample;
mod error;
mod getters;
mod h2_index;
mod layout;
mod limits;
mod quantile;
mod range;
#[cfg(feature = "serde")]
mod serialized;
mod snapshot;

pub use config::HistogramConfig;
pub use config_builder::HistogramConfigBuilder;
pub use counts::Counts;
pub use difference::HistogramInterval;
pub use downsample::DownsampledHistogram;
pub use error::{CapacityError, HistogramError, HistogramMergeError, HistogramSinceError};
pub(crate) use h2_index::short_code;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub(crate) use h2_index::values_of_short_code;
pub use layout::HistogramLayout;
pub use quantile::Quantile;
pub use range::{BucketRange, ValueBounds};
pub use snapshot::HistogramSnapshot;
