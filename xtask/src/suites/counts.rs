//! The number of tests and their results, from the summary lines of each runner.

use std::fmt;

/// Tests that passed, failed, or were skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Ran and passed.
    pub(crate) passed: u64,
    /// Ran and failed, or could not run.
    pub(crate) failed: u64,
    /// Skipped by their own decision.
    pub(crate) skipped: u64,
}

impl Counts {
    /// One that passed: a step without a test runner.
    pub(crate) fn one() -> Self {
        Self { passed: 1, ..Self::default() }
    }

    /// One that failed.
    pub(crate) fn failed_one() -> Self {
        Self { failed: 1, ..Self::default() }
    }

    /// One that passed or failed.
    pub(crate) fn of(passed: bool) -> Self {
        if passed { Self::one() } else { Self::failed_one() }
    }

    /// Adds the counts of another suite.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// Compares the counts with the runner's exit status, counts a contradiction as a failure, and
    /// returns its text: a runner that crashes before its first test, or that finds no test, must
    /// not look like success.
    pub(crate) fn settle(&mut self, succeeded: bool) -> Option<&'static str> {
        let contradiction = match (succeeded, self.failed, self.passed) {
            (false, 0, _) => "the runner failed, although no test of it did",
            (true, 0, 0) => "the runner ran no test",
            _ => return None,
        };
        self.failed += 1;
        Some(contradiction)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        match self.skipped {
            0 => Ok(()),
            skipped => write!(f, ", {skipped} skipped"),
        }
    }
}

/// Adds up every summary line in a log: libtest and wasm-bindgen-test, vitest, node:test,
/// Playwright.
pub(crate) fn scan(log: &str) -> Counts {
    let mut sum = Counts::default();
    for line in log.lines() {
        let line = without_colours(line);
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("test result: ") {
            rest.split(['.', ';']).for_each(|part| sum.take(part));
        } else if let Some(rest) = line.strip_prefix("Tests  ") {
            let rest = rest.split(" (").next().unwrap_or(rest);
            rest.split('|').for_each(|part| sum.take(part));
        } else if let Some(rest) = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ ")) {
            sum.take_reversed(rest);
        } else {
            // Playwright: "  12 passed (3.4s)", and "  1 failed" on its own line.
            let part = line.split(" (").next().unwrap_or(line);
            sum.take(part);
        }
    }
    sum
}

impl Counts {
    /// Takes "12 passed"; other text is no count.
    fn take(&mut self, part: &str) {
        if let Some((number, word)) = part.trim().split_once(' ') {
            self.take_word(number, word);
        }
    }

    /// Takes "pass 12", the format of node:test.
    fn take_reversed(&mut self, part: &str) {
        if let Some((word @ ("pass" | "fail" | "skipped" | "todo" | "cancelled"), number)) =
            part.split_once(' ')
        {
            self.take_word(number, word);
        }
    }

    fn take_word(&mut self, number: &str, word: &str) {
        let Ok(number) = number.parse::<u64>() else { return };
        match word {
            "passed" | "pass" => self.passed += number,
            "failed" | "fail" | "cancelled" | "interrupted" | "did not run" => {
                self.failed += number
            }
            // A test that passes only on a retry has failed.
            "flaky" => self.failed += number,
            "ignored" | "skipped" | "todo" => self.skipped += number,
            _ => {}
        }
    }
}

fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\x1b' {
            // A colour code ends with a letter.
            chars.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u64, failed: u64, skipped: u64) -> Counts {
        Counts { passed, failed, skipped }
    }

    #[test]
    fn adds_up_cargos_test_binaries() {
        let log = "running 3 tests\ntest a ... ok\n\
            test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s\n\
            test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.2s\n";
        assert_eq!(scan(log), counts(7, 2, 1));
    }

    #[test]
    fn reads_vitest_but_not_its_files() {
        let log = " Test Files  1 failed | 2 passed (3)\n      Tests  1 failed | 11 passed | 2 skipped (14)\n";
        assert_eq!(scan(log), counts(11, 1, 2));
        let coloured = "\x1b[2m      Tests \x1b[22m \x1b[1m\x1b[32m12 passed\x1b[39m\x1b[22m\x1b[90m (12)\x1b[39m";
        assert_eq!(scan(coloured), counts(12, 0, 0));
    }

    #[test]
    fn reads_node_in_both_of_its_styles() {
        assert_eq!(scan("# tests 5\n# pass 4\n# fail 1\n# skipped 0\n"), counts(4, 1, 0));
        assert_eq!(
            scan("ℹ tests 5\nℹ pass 3\nℹ fail 0\nℹ cancelled 1\nℹ skipped 1\n"),
            counts(3, 1, 1)
        );
    }

    #[test]
    fn reads_playwright_and_takes_flaky_for_failed() {
        assert_eq!(scan("  1 flaky\n  2 skipped\n  12 passed (3.4s)\n"), counts(12, 1, 2));
        assert_eq!(
            scan("  3 failed\n    a.spec.ts:3:1 › shows\n  1 did not run\n"),
            counts(0, 4, 0)
        );
    }

    #[test]
    fn ignores_other_numbers() {
        assert_eq!(
            scan("added 12 packages in 3s\n12 passed messages\n3 warnings\n"),
            counts(0, 0, 0)
        );
    }

    #[test]
    fn a_runner_that_fails_or_finds_nothing_is_a_failure() {
        for (succeeded, mut given) in [(false, counts(3, 0, 0)), (true, counts(0, 0, 2))] {
            let skipped = given.skipped;
            assert!(given.settle(succeeded).is_some());
            assert_eq!((given.failed, given.skipped), (1, skipped));
        }
        let mut failed = counts(3, 2, 0);
        assert_eq!(failed.settle(false), None);
        assert_eq!(failed, counts(3, 2, 0), "its own failures are enough");
    }

    #[test]
    fn the_summary_names_skipped_tests_only_when_there_are_some() {
        assert_eq!(counts(12, 0, 0).to_string(), "12 passed, 0 failed");
        assert_eq!(counts(12, 1, 2).to_string(), "12 passed, 1 failed, 2 skipped");
    }
}
