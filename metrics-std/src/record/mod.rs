//! Recording: where the polls of measured futures go, and the wrapper that measures them.

pub(crate) mod lease;
pub(crate) mod measured;
pub(crate) mod target;
pub(crate) mod thread;
