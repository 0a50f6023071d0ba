//! The targets that this workspace builds for, with their requirements. Rows, firmware and the wasm build take them from
//! this list.

use crate::needs::{NODE, Need};
use crate::toolchain::{Toolchain, has_library, host_triple};

/// A target, the linker and runner that it needs on another machine, and how much of the standard library it has.
pub(crate) struct Target {
    /// `None` for this machine.
    pub(crate) triple: Option<&'static str>,
    /// The value for `-Zbuild-std` if no prebuilt library is installed.
    pub(crate) build_std: &'static str,
    /// Its flags change the standard library, so that a prebuilt one does not fit.
    is_custom: bool,
    pub(crate) linker: Option<&'static str>,
    pub(crate) runner: Option<&'static str>,
    pub(crate) rustflags: Option<&'static str>,
    /// The requirements for linking and running. [`crate::toolchain`] finds the compiler.
    pub(crate) needs: &'static [Need],
    /// What rustup's prebuilt library contains, and a library that is built from source lacks.
    c_library: Option<CLibrary>,
}

/// A C library of the system.
#[derive(Clone, Copy)]
struct CLibrary {
    rustflags: &'static str,
    need: Need,
}

impl Target {
    /// Its triple, if it differs from that of this machine.
    pub(crate) fn foreign_triple(&self) -> Option<&'static str> {
        self.triple
            .filter(|triple| host_triple().as_deref() != Some(triple))
    }

    /// Whether an emulator runs its programs.
    pub(crate) fn is_emulated(&self) -> bool {
        let is_emulator = |need: &Need| matches!(need, Need::Program(name, _) if name.starts_with("qemu"));
        self.foreign_triple().is_some() && self.needs.iter().any(is_emulator)
    }

    /// The compiler for the target, if it is not this machine.
    pub(crate) fn compiler(&self) -> Option<Need> {
        let triple = self.foreign_triple()?;
        Some(if self.is_custom {
            Need::LibrarySources(triple)
        } else {
            Need::Compiler(triple)
        })
    }

    /// Returns the version of the compiler that builds for it, such as `rustc 1.88.0`, or an empty string without one.
    pub(crate) fn compiler_version(&self) -> String {
        let version = self.toolchain().and_then(|toolchain| toolchain.version());
        let version = version.unwrap_or_default();
        version.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    /// Returns the requirements for linking and running, with the C library if the standard library is built from source.
    pub(crate) fn requirements(&self) -> impl Iterator<Item = Need> {
        let library = self.missing_c_library().map(|library| library.need);
        self.needs.iter().copied().chain(library)
    }

    fn missing_c_library(&self) -> Option<CLibrary> {
        self.c_library.filter(|_| !self.triple.is_some_and(has_library))
    }

    /// Returns a toolchain for the target, or `None` if no toolchain on this machine builds for it.
    pub(crate) fn toolchain(&self) -> Option<Toolchain> {
        let Some(triple) = self.foreign_triple() else {
            return Some(Toolchain::host());
        };
        let mut toolchain = if self.is_custom {
            Toolchain::from_source(triple, self.build_std)?
        } else {
            Toolchain::for_triple(triple, self.build_std)?
        };
        let c_library = self.missing_c_library().map(|library| library.rustflags);
        let variable = triple.replace('-', "_").to_uppercase();
        for (name, value) in [
            ("LINKER", self.linker),
            ("RUNNER", self.runner),
            ("RUSTFLAGS", c_library.or(self.rustflags)),
        ] {
            let name = format!("CARGO_TARGET_{variable}_{name}");
            toolchain.env.extend(value.map(|value| (name, value.into())));
        }
        Some(toolchain)
    }
}

pub(crate) static HOST: Target = DEFAULT;

/// The properties of a target that sets no others.
const DEFAULT: Target = Target {
    triple: None,
    build_std: "std,panic_abort",
    is_custom: false,
    linker: None,
    runner: None,
    rustflags: None,
    needs: &[],
    c_library: None,
};

pub(crate) static I686: Target = Target {
    triple: Some("i686-unknown-linux-gnu"),
    linker: Some("i686-linux-gnu-gcc"),
    // An x86-64 kernel runs the binary itself, at full speed. The 32-bit loader is that of the cross compiler, because
    // `/lib/ld-linux.so.2` comes with multilib, which can't be installed together with the cross compilers.
    rustflags: Some(
        "-Clink-arg=-Wl,--dynamic-linker=/usr/i686-linux-gnu/lib/ld-linux.so.2 \
         -Clink-arg=-Wl,-rpath=/usr/i686-linux-gnu/lib",
    ),
    needs: &[
        Need::Program("i686-linux-gnu-gcc", "gcc-i686-linux-gnu"),
        Need::File("/usr/i686-linux-gnu/lib/crti.o", "libc6-dev-i386-cross"),
    ],
    ..DEFAULT
};

pub(crate) static POWERPC: Target = Target {
    triple: Some("powerpc-unknown-linux-gnu"),
    linker: Some("powerpc-linux-gnu-gcc"),
    runner: Some("qemu-ppc -L /usr/powerpc-linux-gnu"),
    needs: &[
        Need::Program("powerpc-linux-gnu-gcc", "gcc-powerpc-linux-gnu"),
        Need::File("/usr/powerpc-linux-gnu/lib/crti.o", "libc6-dev-powerpc-cross"),
        Need::Program("qemu-ppc", "qemu-user"),
    ],
    ..DEFAULT
};

pub(crate) static AARCH64: Target = Target {
    triple: Some("aarch64-unknown-linux-gnu"),
    linker: Some("aarch64-linux-gnu-gcc"),
    runner: Some("qemu-aarch64 -L /usr/aarch64-linux-gnu"),
    needs: &[
        Need::Program("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
        Need::File("/usr/aarch64-linux-gnu/lib/crti.o", "libc6-dev-arm64-cross"),
        Need::Program("qemu-aarch64", "qemu-user"),
    ],
    ..DEFAULT
};

pub(crate) static ARMV7: Target = Target {
    triple: Some("armv7-unknown-linux-gnueabihf"),
    linker: Some("arm-linux-gnueabihf-gcc"),
    runner: Some("qemu-arm -L /usr/arm-linux-gnueabihf"),
    needs: &[
        Need::Program("arm-linux-gnueabihf-gcc", "gcc-arm-linux-gnueabihf"),
        Need::File("/usr/arm-linux-gnueabihf/lib/crti.o", "libc6-dev-armhf-cross"),
        Need::Program("qemu-arm", "qemu-user"),
    ],
    ..DEFAULT
};

pub(crate) static S390X: Target = Target {
    triple: Some("s390x-unknown-linux-gnu"),
    linker: Some("s390x-linux-gnu-gcc"),
    runner: Some("qemu-s390x -L /usr/s390x-linux-gnu"),
    needs: &[
        Need::Program("s390x-linux-gnu-gcc", "gcc-s390x-linux-gnu"),
        Need::File("/usr/s390x-linux-gnu/lib/crti.o", "libc6-dev-s390x-cross"),
        Need::Program("qemu-s390x", "qemu-user"),
    ],
    ..DEFAULT
};

/// No atomic instructions. As for the Cortex-M0, firmware runs on it.
pub(crate) static RISCV32IMC: Target = Target {
    triple: Some("riscv32imc-unknown-none-elf"),
    build_std: "core,alloc",
    needs: &[Need::Program("qemu-system-riscv32", "qemu-system-misc")],
    ..DEFAULT
};

/// No compare-and-swap. The linker script comes from the firmware's own crates, the machine from the firmware command.
pub(crate) static CORTEX_M0: Target = Target {
    triple: Some("thumbv6m-none-eabi"),
    build_std: "core,alloc",
    needs: &[Need::Program("qemu-system-arm", "qemu-system-arm")],
    ..DEFAULT
};

pub(crate) static CORTEX_M3: Target = Target {
    triple: Some("thumbv7m-none-eabi"),
    build_std: "core,alloc",
    needs: &[Need::Program("qemu-system-arm", "qemu-system-arm")],
    ..DEFAULT
};

/// The runner runs tests in Node unless the crate under test selects a browser.
pub(crate) static WASM32: Target = Target {
    triple: Some("wasm32-unknown-unknown"),
    runner: Some("wasm-bindgen-test-runner"),
    needs: &[Need::WasmBindgen],
    ..DEFAULT
};

/// WebAssembly with threads. The exports are those that wasm-bindgen needs to start a thread.
pub(crate) static WASM_THREADS: Target = Target {
    is_custom: true,
    rustflags: Some(
        "-Ctarget-feature=+atomics,+bulk-memory \
         -Clink-arg=--shared-memory -Clink-arg=--import-memory -Clink-arg=--max-memory=67108864 \
         -Clink-arg=--export=__heap_base -Clink-arg=--export=__wasm_init_tls \
         -Clink-arg=--export=__tls_size -Clink-arg=--export=__tls_align -Clink-arg=--export=__tls_base",
    ),
    ..WASM32
};

/// One thread, with a clock and standard output. Panics abort.
pub(crate) static WASI: Target = Target {
    triple: Some("wasm32-wasip1"),
    runner: Some(concat!(
        "node ",
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/wasi/run.mjs"
    )),
    needs: &[NODE],
    c_library: Some(CLibrary {
        // Debian's library has none of the functions for threads, which the standard library references.
        rustflags: concat!(
            "-Clink-self-contained=no -Lnative=/usr/lib/wasm32-wasi \
             -Clink-arg=/usr/lib/wasm32-wasi/crt1-command.o -Clink-arg=--allow-undefined-file=",
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/wasi/threads.imports"
        ),
        need: Need::File("/usr/lib/wasm32-wasi/crt1-command.o", "wasi-libc"),
    }),
    ..DEFAULT
};

/// What Windows keeps on its disk: for Wine, a directory of its own.
macro_rules! wine_prefix {
    () => {
        concat!(env!("CARGO_MANIFEST_DIR"), "/../target/matrix/wine")
    };
}
pub(crate) const WINE_PREFIX: &str = wine_prefix!();

/// The runner is Wine, which runs a program of Windows as a process of this machine.
pub(crate) static WINDOWS: Target = Target {
    triple: Some("x86_64-pc-windows-gnu"),
    linker: Some("x86_64-w64-mingw32-gcc"),
    runner: Some("wine"),
    needs: &[
        Need::Program("x86_64-w64-mingw32-gcc", "gcc-mingw-w64-x86-64"),
        Need::Program("wine", "wine"),
        Need::File("/usr/lib/wine/wine64", "wine64"),
        Need::WineLibrary(concat!(
            wine_prefix!(),
            "/drive_c/windows/system32/bcryptprimitives.dll"
        )),
    ],
    ..DEFAULT
};
