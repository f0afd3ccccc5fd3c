//! The trace: a hash over everything that happened, and lines for those who want to read it.

use std::fmt::Display;

/// Collects a world's trace.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    began: u64,
    /// Lines go to standard output as they happen, so that they are there when something panics.
    told: bool,
}

impl Trace {
    /// An empty one; `told`: for people to read.
    #[must_use]
    pub const fn new(began: u64, told: bool) -> Self {
        // FNV-1a.
        Self { hash: 0xcbf2_9ce4_8422_2325, began, told }
    }

    /// Whether somebody reads it.
    #[must_use]
    pub const fn is_told(&self) -> bool {
        self.told
    }

    /// Hash of everything so far: the same seed gives the same.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// Takes something into the hash.
    pub fn note(&mut self, what: &str) {
        for byte in what.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// A line of the readable trace.
    #[allow(clippy::print_stdout, reason = "the reader's wish")]
    pub fn tell(&self, now: u64, line: impl Display) {
        if self.told {
            let ms = now - self.began;
            let line = short(&line.to_string());
            println!("{:>6}.{:03} s  {line}", ms / 1_000, ms % 1_000);
        }
    }
}

/// Without the dots that fill long messages.
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
