//! How much a test may do.

/// Whether tests are many times slower than on a developer's machine: those of other processors run in an emulator or as WebAssembly.
pub(crate) const IS_SLOW: bool = !cfg!(any(target_arch = "x86_64", target_arch = "x86"));
