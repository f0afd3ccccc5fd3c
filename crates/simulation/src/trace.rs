//! The trace: a hash over all events, and lines for a developer to read.

use std::fmt::Display;

/// Collects a world's trace.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    began: u64,
    /// Whether lines go to standard output as they occur, so that they are there after a panic.
    narrated: bool,
}

impl Trace {
    /// An empty trace; `narrated`: with lines to read.
    #[must_use]
    pub const fn new(began: u64, narrated: bool) -> Self {
        // The offset basis of FNV-1a.
        Self { hash: 0xcbf2_9ce4_8422_2325, began, narrated }
    }

    /// Whether lines are printed.
    #[must_use]
    pub const fn is_told(&self) -> bool {
        self.narrated
    }

    /// Hash of all events so far: the same seed gives the same hash.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// Adds a text to the hash.
    pub fn note(&mut self, what: &str) {
        for byte in what.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// Prints a line of the readable trace.
    #[allow(clippy::print_stdout, reason = "the reader's wish")]
    pub fn narrate(&self, now: u64, line: impl Display) {
        if self.narrated {
            let ms = now - self.began;
            let line = short(&line.to_string());
            println!("{:>6}.{:03} s  {line}", ms / 1_000, ms % 1_000);
        }
    }
}

/// The line without the dots that fill long messages.
#[must_use]
pub fn short(line: &str) -> String {
    let mut short = String::with_capacity(line.len());
    let mut dots = 0;
    for char in line.chars() {
        dots = if char == '.' { dots + 1 } else { 0 };
        if dots <= 3 {
            short.push(char);
        }
    }
    short
}
