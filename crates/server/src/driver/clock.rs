//! The two clocks for the core.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tidings_server_core::Now;

/// Reads both clocks. Made once in a process.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock whose monotonic time starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Now {
        Now { mono: millis(self.start.elapsed()), wall: Self::wall() }
    }

    /// Milliseconds since 1970; 0 if the machine's clock is before that.
    #[must_use]
    pub fn wall() -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map(millis).unwrap_or_default()
    }

    /// The tokio instant of a monotonic time.
    #[must_use]
    pub fn at(&self, mono: u64) -> tokio::time::Instant {
        (self.start + Duration::from_millis(mono)).into()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
