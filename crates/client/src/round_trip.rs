//! Measures the round-trip time of the network, and adapts deadlines to it.
//!
//! A deadline that ignores the round-trip time would end good connections over slow networks again
//! and again. So each deadline for the peer is at least [`TRIPS`] round trips long. Before the
//! first measurement, each attempt that timed out makes the next one's deadlines longer.

/// Round trips within a deadline: opening a connection takes most of them, an answer one.
const TRIPS: u64 = 4;
/// A slow network makes no deadline longer than this, in milliseconds.
const PATIENCE_MAX: u64 = 60_000;
/// Most doublings after attempts that timed out.
const DOUBLINGS_MAX: u32 = 2;

/// The measured state of the network.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RoundTrip {
    /// Milliseconds of a round trip, averaged over the last few; 0: unknown.
    measured: u64,
    /// Attempts in a row that timed out.
    timeouts: u32,
}

impl RoundTrip {
    /// Takes the time of a round trip. A single outlier, as after a frozen page, fades soon.
    pub(crate) fn took(&mut self, ms: u64) {
        let ms = ms.clamp(1, PATIENCE_MAX);
        let before = if self.measured == 0 { ms } else { self.measured };
        self.measured = u64::midpoint(before, ms);
    }

    /// An attempt timed out.
    pub(crate) fn ran_out(&mut self) {
        self.timeouts = (self.timeouts + 1).min(DOUBLINGS_MAX);
    }

    /// A connection has caught up.
    pub(crate) fn got_through(&mut self) {
        self.timeouts = 0;
    }

    /// How long to wait; `least` is enough for most networks.
    pub(crate) fn patience(self, least: u64) -> u64 {
        let wanted = (least << self.timeouts).max(TRIPS * self.measured);
        wanted.min(PATIENCE_MAX).max(least)
    }

    /// Milliseconds of one round trip, as far as known.
    pub(crate) fn estimate(self) -> u64 {
        self.measured
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quick_link_changes_no_deadline_and_a_slow_one_lengthens_it() {
        let mut round_trip = RoundTrip::default();
        assert_eq!(round_trip.patience(2_000), 2_000);
        round_trip.took(80);
        assert_eq!(round_trip.patience(2_000), 2_000);
        round_trip.took(5_920);
        assert_eq!((round_trip.estimate(), round_trip.patience(2_000)), (3_000, 12_000));
    }

    #[test]
    fn what_was_slow_once_is_soon_forgotten() {
        let mut round_trip = RoundTrip::default();
        round_trip.took(100);
        round_trip.took(3_600_000);
        assert!(round_trip.patience(2_000) <= 60_000);
        for _ in 0..7 {
            round_trip.took(100);
        }
        assert_eq!(round_trip.patience(2_000), 2_000);
    }

    #[test]
    fn attempts_that_run_out_of_time_get_more_until_one_gets_through() {
        let mut round_trip = RoundTrip::default();
        let given = [0; 4].map(|_| {
            round_trip.ran_out();
            round_trip.patience(10_000)
        });
        assert_eq!(given, [20_000, 40_000, 40_000, 40_000]);
        round_trip.took(100);
        assert_eq!(round_trip.patience(10_000), 40_000, "the link may be quick, and narrow");
        round_trip.got_through();
        assert_eq!(round_trip.patience(10_000), 10_000);
    }

    #[test]
    fn a_wish_beyond_the_bound_is_kept() {
        assert_eq!(RoundTrip::default().patience(3_600_000), 3_600_000);
    }
}
