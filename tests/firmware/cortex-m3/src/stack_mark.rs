//! The high-water mark of the stack: paint the free memory at startup, and later search the deepest word that changed.
//!
//! It reads and writes memory below the stack pointer, so it can't be written without `unsafe`, and is no part of `metrics-core`.

unsafe extern "C" {
    /// The end of the statics, from the linker script of `cortex-m-rt`. The stack grows down to it.
    static mut __sheap: u32;
    /// The start of the stack.
    static mut _stack_start: u32;
}

const PAINT: u32 = 0xA5A5_5A5A;

fn bounds() -> (*mut u32, *mut u32) {
    (&raw mut __sheap, &raw mut _stack_start)
}

/// Paints the free memory. Call it at startup, before interrupts are enabled.
#[inline(never)]
pub fn paint() {
    let (mut word, _) = bounds();
    // Not what this function itself needs.
    let end = (cortex_m::register::msp::read() - 64) as *mut u32;
    while word < end {
        // SAFETY: free memory between the statics and the stack, which no interrupt uses meanwhile.
        unsafe {
            word.write_volatile(PAINT);
            word = word.add(1);
        }
    }
}

/// Returns the bytes of stack that were used at most since [`paint`], by the program and all interrupts, and the bytes that there are.
pub fn high_water_mark() -> (usize, usize) {
    let (bottom, top) = bounds();
    let mut word = bottom;
    // SAFETY: the memory from the statics to the start of the stack.
    while word < top && unsafe { word.read_volatile() } == PAINT {
        word = word.wrapping_add(1);
    }
    (top.addr() - word.addr(), top.addr() - bottom.addr())
}
