//! The core's two clocks.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidings_client_core::Now;
use tokio::time::{Instant, sleep_until};

/// Longer than any timer, and still within the range of every platform's clock.
const FAR: Duration = Duration::from_secs(86_400 * 365);

/// Milliseconds since the client's start, and since 1970.
pub(crate) struct Clock {
    began: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { began: Instant::now() }
    }

    pub(crate) fn now(&self) -> Now {
        // A clock before 1970 is wrong; 0 makes it harmless.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono: millis(self.began.elapsed()), wall: millis(wall) }
    }

    /// The instant of a time on the core's monotonic clock.
    pub(crate) fn instant(&self, mono: u64) -> Instant {
        self.began + Duration::from_millis(mono).min(self.began.elapsed() + FAR)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Waits until an instant, or without end.
pub(crate) async fn alarm(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
