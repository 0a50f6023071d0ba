//! Counts tests in the output of a test harness.

use core::ops::AddAssign;

use serde::Serialize;

/// The number of tests by result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    /// Adds the counts of `line` if it is the summary line of a test run.
    ///
    /// Three forms are supported: that of `cargo test` and of `wasm-bindgen-test-runner`
    /// (`test result: ok. 3 passed; 0 failed; 0 ignored; ...`), the plain one that this program and the firmware
    /// print (`3 passed, 0 failed`, alone on its line), and that of a fuzz target which ran for its time and found nothing
    /// (`Done 12345 runs in 31 second(s)`), one test.
    pub(crate) fn add_line(&mut self, line: &str) {
        let line = line.trim();
        let parsed = match line.strip_prefix("test result: ") {
            Some(rest) => rest
                .split_once(". ")
                .and_then(|(_, counts)| parse(counts, "; ", "ignored")),
            None => parse(line, ", ", "skipped").or_else(|| fuzzed(line)),
        };
        if let Some(run) = parsed {
            *self += run;
        }
    }

    /// Counts a check of this program as a test, and prints its result.
    pub(crate) fn check(&mut self, what: &str, holds: bool) {
        println!("{}: {what}", if holds { "ok" } else { "FAILED" });
        self.passed += u64::from(holds);
        self.failed += u64::from(!holds);
    }

    pub(crate) fn run(&self) -> u64 {
        self.passed + self.failed
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// Returns the summary line in the plain form.
impl core::fmt::Display for Tally {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

/// Returns the name and the result of a test, if `line` is that of a test that ended: `test NAME ... ok`.
pub(crate) fn result(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("test ")?.rsplit_once(" ... ")
}

/// `A passed<separator>B failed[<separator>C <third>...]`, or nothing.
fn parse(counts: &str, separator: &str, third: &str) -> Option<Tally> {
    let mut parts = counts.split(separator);
    let passed = count(parts.next()?, "passed")?;
    let failed = count(parts.next()?, "failed")?;
    let skipped = parts.next().and_then(|part| count(part, third)).unwrap_or(0);
    Some(Tally {
        passed,
        failed,
        skipped,
    })
}

/// Returns one test if a fuzz target ran for its whole time.
fn fuzzed(line: &str) -> Option<Tally> {
    let (runs, time) = line.strip_prefix("Done ")?.split_once(" runs in ")?;
    let ended = time.ends_with(" second(s)") && runs.parse::<u64>().ok()? > 0;
    ended.then_some(Tally {
        passed: 1,
        ..Tally::default()
    })
}

fn count(part: &str, word: &str) -> Option<u64> {
    part.strip_suffix(word)?.strip_suffix(' ')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::Tally;

    fn tally(text: &str) -> Tally {
        let mut tally = Tally::default();
        text.lines().for_each(|line| tally.add_line(line));
        tally
    }

    #[test]
    fn adds_up_the_closing_lines_of_cargo_test() {
        let output = "running 2 tests\n\
                      test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s\n\
                      test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(
            tally(output),
            Tally {
                passed: 15,
                failed: 2,
                skipped: 1
            }
        );
    }

    #[test]
    fn knows_the_plain_line_and_prints_it() {
        let plain = Tally {
            passed: 7,
            failed: 0,
            skipped: 0,
        };
        assert_eq!(tally(&plain.to_string()), plain);
        let skipping = Tally {
            passed: 7,
            failed: 1,
            skipped: 3,
        };
        assert_eq!(tally(&skipping.to_string()), skipping);
    }

    #[test]
    fn a_fuzz_target_that_found_nothing_is_a_test() {
        let output = "#2\tINITED cov: 7 ft: 7\nDone 421233 runs in 31 second(s)\nDone 0 runs in 0 second(s)";
        assert_eq!(tally(output).passed, 1);
    }

    #[test]
    fn counts_nothing_in_prose() {
        assert_eq!(
            tally("all 3 passed, 0 failed to start\ntest result: unknown\n3 passed"),
            Tally::default()
        );
    }
}
