//! How much a test may do.

/// Whether tests may be many times slower than on a developer's machine: those for other processors than x86 usually run in an emulator or as
/// WebAssembly. It is also true on such a processor itself.
pub(crate) const IS_SLOW: bool = !cfg!(any(target_arch = "x86_64", target_arch = "x86"));
