//! A critical section for two cores that have loads and stores, but no atomic read-modify-write instruction.
//!
//! It masks the interrupts of the core that enters it, and locks out the other core by the one-bit algorithm (J. E. Burns, N. A. Lynch,
//! "Bounds on shared memory for mutual exclusion", Information and Computation 107(2), 1993). Core 0 does not wait for its turn, as it would
//! in Peterson's algorithm: while the host runs only one of QEMU's two threads, that would cost a time slice per critical section.
//!
//! On a chip with hardware spinlocks, such as the RP2040, a spinlock takes the place of the algorithm.

use core::hint::spin_loop;
use core::sync::atomic::Ordering::{Relaxed, Release, SeqCst};
use core::sync::atomic::{AtomicBool, AtomicUsize};

use critical_section::{Impl, RawRestoreState};
use riscv::register::{mhartid, mstatus};

struct TwoCores;
critical_section::set_impl!(TwoCores);

/// Whether each core wants to be in the critical section, or is in it.
static WANTS: [AtomicBool; 2] = [const { AtomicBool::new(false) }; 2];
/// How deeply the critical sections of each core are nested. Only this core uses it, with interrupts masked.
static DEPTH: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

// SAFETY: between `acquire` and `release`, no interrupt runs on this core, and the other core is outside its critical section. Both are
// also barriers for the compiler and for the memory accesses of the core.
unsafe impl Impl for TwoCores {
    unsafe fn acquire() -> RawRestoreState {
        let were_enabled = mstatus::read().mie();
        riscv::interrupt::disable();
        let core = mhartid::read();
        let depth = DEPTH[core].load(Relaxed);
        DEPTH[core].store(depth + 1, Relaxed);
        if depth == 0 {
            lock(core);
        }
        were_enabled
    }

    unsafe fn release(were_enabled: RawRestoreState) {
        let core = mhartid::read();
        let depth = DEPTH[core].load(Relaxed) - 1;
        DEPTH[core].store(depth, Relaxed);
        if depth == 0 {
            // Ordering: release, pairs with the loads in `lock`.
            WANTS[core].store(false, Release);
        }
        if were_enabled {
            // SAFETY: interrupts were enabled before this critical section, which is the outermost one.
            unsafe { riscv::interrupt::enable() };
        }
    }
}

/// Waits until the other core is outside, and keeps it there. If both cores want to enter, core 1 lets core 0 go first.
fn lock(core: usize) {
    // Ordering: sequentially consistent. Each core stores its own word and then loads that of the other. With a weaker ordering, both may
    // load the value before the other's store, and enter.
    WANTS[core].store(true, SeqCst);
    while WANTS[1 - core].load(SeqCst) {
        if core == 1 {
            WANTS[1].store(false, SeqCst);
            while WANTS[0].load(SeqCst) {
                spin_loop();
            }
            WANTS[1].store(true, SeqCst);
        }
        spin_loop();
    }
}
