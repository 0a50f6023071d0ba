//! The adapter for Tokio: it builds the runtime that it is told to build, and spawns what it is given.

mod adapter;
mod spawner;

pub use adapter::TokioAdapter;
pub use spawner::Spawner;
