//! The protocol with `cargo xtask bench`: one line per request and one line per answer.

use crate::harness::{Layout, Named, Random};
use std::collections::HashMap;
use std::io::{BufRead, Write};

/// The number of operations of a side's first run, which warms caches and predictors and determines the length of the timed run.
const FIRST_OPS: u64 = 64;

/// Answers requests until the input ends.
pub(crate) fn serve(seed: u64) -> Result<(), String> {
    let mut random = Random::new(seed);
    let mut sizes = HashMap::new();
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|e| format!("stdin: {e}"))?;
        let (name, micros) = line
            .split_once(' ')
            .ok_or_else(|| format!("not `NAME MICROSECONDS`: {line}"))?;
        let micros: u64 = micros.parse().map_err(|_| format!("not a time: {micros}"))?;
        let side = crate::find(name)?;
        let ops = sizes.entry(side.name).or_insert(FIRST_OPS);
        let answer = round(side, random.next(), micros, ops);
        writeln!(out, "{answer}")
            .and_then(|()| out.flush())
            .map_err(|e| format!("stdout: {e}"))?;
    }
    Ok(())
}

/// Runs one round of a side with its own layout: builds it, warms it up for a quarter of the time, and times it once.
fn round(named: Named, seed: u64, micros: u64, ops: &mut u64) -> String {
    let layout = Layout::new(seed);
    let mut side = (named.build)();
    let wanted = micros as f64 * 1000.0;
    let mut warmed = 0.0;
    while warmed < wanted / 4.0 {
        let probe = layout.run(&mut *side, *ops);
        let elapsed = probe.elapsed.as_nanos() as f64;
        warmed += elapsed;
        if elapsed < wanted / 8.0 {
            *ops = ops.saturating_mul(2);
        } else {
            let fitting = u128::from(*ops) * u128::from(micros) * 1000 / probe.elapsed.as_nanos().max(1);
            *ops = u64::try_from(fitting).unwrap_or(u64::MAX).max(1);
        }
    }
    layout.run(&mut *side, *ops).line()
}

/// Does the number of operations that callgrind counts in about a second.
pub(crate) fn count(named: Named) -> u64 {
    (named.build)().run(named.count).ops
}
