//! A machine's two clocks. They drift from true time, and an operator may set the wall clock wrong.

use tidings_server_core::Now;

/// Largest drift, in parts per million.
const DRIFT: i64 = 200;

/// The clocks of one device or node.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Parts per million by which the clock runs fast.
    drift: i64,
    /// Error of the wall clock in milliseconds, drift not counted.
    skew: i64,
}

impl Clock {
    /// A correct clock.
    pub const TRUE: Self = Self { drift: 0, skew: 0 };

    /// A clock with a drift that `bits` decide.
    #[must_use]
    pub const fn drifting(bits: u64) -> Self {
        Self { drift: (bits % (2 * DRIFT as u64 + 1)) as i64 - DRIFT, skew: 0 }
    }

    /// Sets the wall clock wrong by `ms`.
    pub const fn step(&mut self, ms: i64) {
        self.skew = ms;
    }

    /// Whether the wall clock was set wrong.
    #[must_use]
    pub const fn is_stepped(&self) -> bool {
        self.skew != 0
    }

    /// The clocks' readings at this true time.
    #[must_use]
    pub const fn read(&self, now: Now) -> Now {
        let drift = self.drift * now.mono as i64 / 1_000_000;
        Now {
            mono: now.mono.saturating_add_signed(drift),
            wall: now.wall.saturating_add_signed(drift + self.skew),
        }
    }

    /// Milliseconds of true time until the monotonic clock reads `at`, rounded up.
    #[must_use]
    pub const fn until(&self, now: Now, at: u64) -> u64 {
        let left = at.saturating_sub(self.read(now).mono);
        if self.drift == 0 { left } else { left + left * DRIFT as u64 / 500_000 + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_never_told_early() {
        for bits in 0..401 {
            let clock = Clock::drifting(bits);
            let now = Now { mono: 9_000_000, wall: 0 };
            let at = clock.read(now).mono + 3_600_000;
            let then = Now { mono: now.mono + clock.until(now, at), ..now };
            let late = clock.read(then).mono.checked_sub(at);
            assert!(late.is_some_and(|late| late < 3_000), "{clock:?} is {late:?} late");
        }
    }
}
