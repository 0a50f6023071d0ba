//! A side of a comparison: how it is built and timed, and how its memory layout is varied.

use std::fmt::Write;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// The result of a timed run of a side.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    /// The number of operations, at least the requested number.
    pub(crate) ops: u64,
    /// Their total duration.
    pub(crate) elapsed: Duration,
    /// Their CPU time, if that is the figure of the side.
    pub(crate) cpu: Option<Duration>,
    /// Further figures of this run, by name.
    pub(crate) extras: Vec<(&'static str, f64)>,
}

impl Measured {
    /// Returns the nanoseconds per operation.
    pub(crate) fn nanos_per_op(&self) -> f64 {
        let figure = self.cpu.unwrap_or(self.elapsed);
        figure.as_nanos() as f64 / self.ops.max(1) as f64
    }

    /// Returns the answer to a `run` request: nanoseconds per operation, then `name=value` pairs.
    pub(crate) fn line(&self) -> String {
        let mut line = format!("{:.6}", self.nanos_per_op());
        for (name, value) in &self.extras {
            let _ = write!(line, " {name}={value}");
        }
        line
    }
}

/// One side of a comparison, built and warm.
pub(crate) trait Side {
    /// Does about `ops` operations, all of them inside one [`timed`] call.
    fn run(&mut self, ops: u64) -> Measured;
}

impl<F: FnMut(u64) -> Measured> Side for F {
    fn run(&mut self, ops: u64) -> Measured {
        self(ops)
    }
}

/// The constructor of a side. It is called in every round, so that no single layout determines a comparison.
pub(crate) type Build = fn() -> Box<dyn Side>;

/// A side by its name.
#[derive(Clone, Copy)]
pub(crate) struct Named {
    /// `group/side`, as `cargo xtask bench` requests it.
    pub(crate) name: &'static str,
    /// Makes it.
    pub(crate) build: Build,
    /// The number of operations for counting instructions, large enough that the start-up is negligible.
    pub(crate) count: u64,
}

/// A side whose operations take nanoseconds.
pub(crate) const fn side(name: &'static str, build: Build) -> Named {
    Named {
        name,
        build,
        count: 50_000,
    }
}

/// A side whose operations take microseconds.
pub(crate) const fn slow_side(name: &'static str, build: Build) -> Named {
    Named {
        name,
        build,
        count: 20,
    }
}

/// Times `work`, which does `ops` operations.
pub(crate) fn timed(ops: u64, work: impl FnOnce()) -> Measured {
    let start = Instant::now();
    measured_region(work);
    Measured {
        ops,
        elapsed: start.elapsed(),
        cpu: None,
        extras: Vec::new(),
    }
}

/// The frame whose instructions callgrind counts: `--toggle-collect=*measured_region*` names it.
#[inline(never)]
pub(crate) fn measured_region(work: impl FnOnce()) {
    work();
}

/// A small generator (`SplitMix64`): sides must see the same values in every run.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// Starts the sequence `seed`.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The next number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}

/// Allocations that shift those of the side built after them; they live as long as it does.
pub(crate) struct Layout {
    _held: Vec<Vec<u8>>,
    depth: u64,
}

impl Layout {
    /// Creates the layout for `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut held = Vec::new();
        for _ in 0..random.below(64) {
            let block = black_box(vec![0_u8; 16 + random.below(4096) as usize]);
            // Half of them are freed, so that the side's allocations use the holes.
            if random.below(2) == 0 {
                held.push(block);
            }
        }
        Self {
            _held: held,
            depth: random.below(16),
        }
    }

    /// Runs `side` on a stack that is deeper by this layout's amount.
    pub(crate) fn run(&self, side: &mut dyn Side, ops: u64) -> Measured {
        at_depth(self.depth, side, ops)
    }
}

#[inline(never)]
fn at_depth(depth: u64, side: &mut dyn Side, ops: u64) -> Measured {
    if depth == 0 {
        return side.run(ops);
    }
    let pad = black_box([0_u8; 272]);
    let measured = at_depth(depth - 1, side, ops);
    black_box(&pad);
    measured
}
