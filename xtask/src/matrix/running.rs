//! Follows the output of `cargo test`, to name the tests that were still running when a step reached its time limit.

/// The test binary that runs, and its tests that have not ended.
#[derive(Debug, Default)]
pub(super) struct Running {
    /// As cargo prints it: `tests/batch.rs (target/debug/deps/batch-0123456789abcdef)`.
    binary: Option<String>,
    tests: Vec<String>,
}

impl Running {
    /// Takes the next line of the output.
    pub(super) fn line(&mut self, line: &str) {
        let line = line.trim();
        if let Some(binary) = line
            .strip_prefix("Running ")
            .or_else(|| line.strip_prefix("Doc-tests "))
        {
            self.tests.clear();
            self.binary = Some(binary.to_owned());
        } else if line.starts_with("test result: ") {
            *self = Self::default();
        } else if let Some(rest) = line.strip_prefix("test ") {
            self.test(rest);
        }
    }

    /// With several threads the harness prints a test when it ends, and before that if it is slow. With one thread it prints
    /// `NAME ...` first, and the result on the same line later.
    fn test(&mut self, rest: &str) {
        if let Some((name, _)) = rest.split_once(" has been running for over ") {
            self.tests.push(name.to_owned());
        } else if let Some(name) = rest.strip_suffix(" ...") {
            self.tests.push(name.to_owned());
        } else if let Some((name, _)) = rest.split_once(" ... ") {
            self.tests.retain(|running| running != name);
        }
    }

    /// Returns what was running, as the end of a sentence, or nothing between two test binaries.
    pub(super) fn described(&self) -> String {
        let Some(binary) = &self.binary else {
            return String::new();
        };
        let tests = match self.tests.as_slice() {
            [] => "no test was reported as slow".to_owned(),
            names => format!("still running: {}", names.join(", ")),
        };
        format!(", in {binary}; {tests}")
    }
}

#[cfg(test)]
mod tests {
    use super::Running;

    fn described(output: &str) -> String {
        let mut running = Running::default();
        output.lines().for_each(|line| running.line(line));
        running.described()
    }

    #[test]
    fn names_slow_tests_that_have_not_ended() {
        let output = "     Running unittests src/lib.rs (target/debug/deps/lib-1)\n\
                      test result: ok. 3 passed; 0 failed; 0 ignored\n\
                      \u{20}    Running tests/park.rs (target/debug/deps/park-2)\n\
                      test unparks ... ok\n\
                      test wakes_all has been running for over 60 seconds\n\
                      test parks - should panic has been running for over 60 seconds\n\
                      test wakes_all ... ok";
        assert_eq!(
            described(output),
            ", in tests/park.rs (target/debug/deps/park-2); still running: parks - should panic"
        );
    }

    #[test]
    fn names_the_test_of_a_harness_with_one_thread() {
        let output = "Running tests/park.rs (park-2)\ntest first ... ok\ntest second ...";
        assert_eq!(
            described(output),
            ", in tests/park.rs (park-2); still running: second"
        );
    }

    #[test]
    fn names_the_binary_alone_if_no_test_is_slow() {
        let output = "Running tests/park.rs (park-2)\ntest first ... ok";
        assert_eq!(
            described(output),
            ", in tests/park.rs (park-2); no test was reported as slow"
        );
    }

    #[test]
    fn names_nothing_between_two_binaries() {
        let output = "Running tests/park.rs (park-2)\n\
                      test first has been running for over 60 seconds\n\
                      test result: FAILED. 0 passed; 1 failed; 0 ignored\n\
                      \u{20}  Compiling metrics-std v0.1.0";
        assert_eq!(described(output), "");
    }
}
