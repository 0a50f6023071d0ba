//! Finds the code that a function of a Thumb image can reach, and forbidden instructions in it.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, anyhow, bail, ensure};

use super::image::{Function, Image};

/// The hot path, and a function that masks interrupts, both in the image `instructions`.
const HOT: &str = "hot_path";
const CONTROL: &str = "off_the_hot_path";

/// Checks that no code reachable from the hot path masks interrupts or is named after a critical section, and that the
/// check detects such code.
pub(super) fn check(image: &Path) -> Result<()> {
    let image = Image::read(image)?;
    let hot = offences(&image, HOT)?;
    ensure!(
        hot.is_empty(),
        "the hot path reaches a critical section:\n{}",
        hot.join("\n")
    );
    let control = offences(&image, CONTROL)?;
    ensure!(
        !control.is_empty(),
        "a critical section that is there was not found: the check is blind"
    );
    Ok(())
}

/// Checks that an image for a processor with 32-bit compare-and-swap does not contain portable-atomic's lock for 64-bit atomics.
pub(super) fn check_no_lock(image: &Path) -> Result<()> {
    let image = Image::read(image)?;
    let of_lock = |function: &&Function| function.name.contains("portable_atomic");
    let found: Vec<&str> = image
        .functions
        .values()
        .filter(of_lock)
        .map(|function| function.name.as_str())
        .collect();
    ensure!(
        found.is_empty(),
        "a lock stands in for an atomic, and an interrupt may spin on it:\n{}",
        found.join("\n")
    );
    Ok(())
}

/// Returns one line for each forbidden piece of code that a function can reach.
fn offences(image: &Image, root: &str) -> Result<Vec<String>> {
    let (&start, _) = image
        .functions
        .iter()
        .find(|(_, function)| function.name == root)
        .ok_or_else(|| anyhow!("no function {root} in the image"))?;
    let mut seen = BTreeSet::from([start]);
    let mut next = vec![start];
    let mut offences = Vec::new();
    while let Some(address) = next.pop() {
        let function = &image.functions[&address];
        if function.name.contains("critical_section") {
            offences.push(function.name.clone());
        }
        for step in steps(function) {
            match step {
                Step::Masks(at) => offences.push(format!("{} masks interrupts at {at:#x}", function.name)),
                Step::Indirect(at) => {
                    bail!(
                        "{} calls through a register at {at:#x}: its target can't be determined",
                        function.name
                    )
                }
                Step::To(target) => {
                    let Some((&entry, _)) = image.functions.range(..=target).next_back() else {
                        continue;
                    };
                    if seen.insert(entry) {
                        next.push(entry);
                    }
                }
            }
        }
    }
    Ok(offences)
}

enum Step {
    /// A branch or call.
    To(u64),
    /// A call through a register.
    Indirect(u64),
    /// An instruction that changes which interrupts are taken.
    Masks(u64),
}

/// The relevant instructions of a function, by the encodings of the ARMv6-M Architecture Reference Manual (DDI 0419), A6.7.
fn steps(function: &Function) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut code = function.code.iter().copied().peekable();
    while let Some((at, first)) = code.next() {
        let pc = at + 4;
        // 32-bit instructions begin with 0b11101, 0b11110 or 0b11111.
        if first >> 11 > 0b11100 {
            let Some((_, second)) = code.next() else { break };
            if first >> 11 == 0b11110 && second >> 14 == 0b11 && second >> 12 & 1 == 1 {
                steps.push(Step::To(pc.wrapping_add_signed(long_offset(first, second))));
            } else if first & 0xFFE0 == 0xF380 && second & 0xFF00 == 0x8800 && second & 0xFF == 0x10 {
                // MSR PRIMASK
                steps.push(Step::Masks(at));
            }
        } else if first & 0xFFEF == 0xB662 {
            // CPSIE i, CPSID i
            steps.push(Step::Masks(at));
        } else if first & 0xFF87 == 0x4780 {
            // BLX register. (BX is how a function returns.)
            steps.push(Step::Indirect(at));
        } else if first >> 12 == 0b1101 && first >> 9 & 0b111 != 0b111 {
            // B<c>, an 8-bit offset in halfwords
            steps.push(Step::To(
                pc.wrapping_add_signed(i64::from((first as u8).cast_signed()) * 2),
            ));
        } else if first >> 11 == 0b11100 {
            // B, 11 bits
            let offset = (i64::from(first & 0x7FF) << 53) >> 52;
            steps.push(Step::To(pc.wrapping_add_signed(offset)));
        }
    }
    steps
}

/// The offset of `BL`, encoding T1: S, I1 = !(J1 ^ S), I2 = !(J2 ^ S), imm10, imm11, 0.
fn long_offset(first: u16, second: u16) -> i64 {
    let sign = u32::from(first >> 10 & 1);
    let bit = |j: u32| !(j ^ sign) & 1;
    let (i1, i2) = (bit(u32::from(second >> 13 & 1)), bit(u32::from(second >> 11 & 1)));
    let imm =
        sign << 24 | i1 << 23 | i2 << 22 | u32::from(first & 0x3FF) << 12 | u32::from(second & 0x7FF) << 1;
    (i64::from(imm) << 39) >> 39
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(halfwords: &[u16]) -> Function {
        let code = (0x100..).step_by(2).zip(halfwords.iter().copied()).collect();
        Function {
            name: String::new(),
            code,
        }
    }

    fn targets(halfwords: &[u16]) -> Vec<u64> {
        let target = |step| match step {
            Step::To(target) => target,
            Step::Indirect(at) | Step::Masks(at) => at | 1 << 32,
        };
        steps(&code(halfwords)).into_iter().map(target).collect()
    }

    #[test]
    fn branches_lead_where_the_assembler_says() {
        // Each instruction as llvm-mc assembles it at 0x100.
        assert_eq!(targets(&[0xF000, 0xF800]), [0x104], "bl #0");
        assert_eq!(targets(&[0xF7FF, 0xFFFE]), [0x100], "bl #-4");
        assert_eq!(targets(&[0xF001, 0xF91D]), [0x133E], "bl #0x123a");
        assert_eq!(targets(&[0xE7FE]), [0x100], "b #-4");
        assert_eq!(targets(&[0xE010]), [0x124], "b #0x20");
        assert_eq!(targets(&[0xD0FE]), [0x100], "beq #-4");
        assert_eq!(targets(&[0xDF00]), [0_u64; 0], "svc is no branch");
    }

    #[test]
    fn masking_and_calls_through_registers_are_seen() {
        assert_eq!(targets(&[0xB672]), [0x100 | 1 << 32], "cpsid i");
        assert_eq!(targets(&[0xB662]), [0x100 | 1 << 32], "cpsie i");
        assert_eq!(targets(&[0xF381, 0x8810]), [0x100 | 1 << 32], "msr primask, r1");
        assert_eq!(targets(&[0x4798]), [0x100 | 1 << 32], "blx r3");
        assert_eq!(targets(&[0x4770]), [0_u64; 0], "bx lr");
    }
}
