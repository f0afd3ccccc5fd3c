//! How long the link takes there and back, and what that makes of deadlines.
//!
//! A deadline that knows nothing of the link ends good connections over slow ones, again and again. So each that waits for the other
//! end is at least [`TRIPS`] round trips long; where nothing is measured yet, attempts that ran out of time make the next one longer.

/// Round trips that a deadline leaves time for: opening a link takes most, an answer one.
const TRIPS: u64 = 4;
/// No deadline grows beyond this, in milliseconds.
const PATIENCE_MAX: u64 = 60_000;
/// Most doublings for attempts that ran out of time.
const DOUBLINGS_MAX: u32 = 2;

/// What is known of the link.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trip {
    /// Milliseconds, over the last few round trips; 0: not known.
    measured: u64,
    /// Attempts in a row that ran out of time.
    overdue: u32,
}

impl Trip {
    /// A round trip took this long. One that is far off, as by a page that was frozen meanwhile, is forgotten soon.
    pub(crate) fn took(&mut self, ms: u64) {
        let ms = ms.clamp(1, PATIENCE_MAX);
        let before = if self.measured == 0 { ms } else { self.measured };
        self.measured = u64::midpoint(before, ms);
    }

    /// An attempt ran out of time.
    pub(crate) fn ran_out(&mut self) {
        self.overdue = (self.overdue + 1).min(DOUBLINGS_MAX);
    }

    /// A connection brought all there was.
    pub(crate) fn got_through(&mut self) {
        self.overdue = 0;
    }

    /// How long to wait, where `least` is enough for most links.
    pub(crate) fn patience(self, least: u64) -> u64 {
        let wanted = (least << self.overdue).max(TRIPS * self.measured);
        wanted.min(PATIENCE_MAX).max(least)
    }

    /// Milliseconds that one round trip takes, as far as known.
    pub(crate) fn estimate(self) -> u64 {
        self.measured
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quick_link_changes_no_deadline_and_a_slow_one_lengthens_it() {
        let mut trip = Trip::default();
        assert_eq!(trip.patience(2_000), 2_000);
        trip.took(80);
        assert_eq!(trip.patience(2_000), 2_000);
        trip.took(5_920);
        assert_eq!((trip.estimate(), trip.patience(2_000)), (3_000, 12_000));
    }

    #[test]
    fn what_was_slow_once_is_soon_forgotten() {
        let mut trip = Trip::default();
        trip.took(100);
        trip.took(3_600_000);
        assert!(trip.patience(2_000) <= 60_000);
        for _ in 0..7 {
            trip.took(100);
        }
        assert_eq!(trip.patience(2_000), 2_000);
    }

    #[test]
    fn attempts_that_run_out_of_time_get_more_until_one_gets_through() {
        let mut trip = Trip::default();
        let given = [0; 4].map(|_| {
            trip.ran_out();
            trip.patience(10_000)
        });
        assert_eq!(given, [20_000, 40_000, 40_000, 40_000]);
        trip.took(100);
        assert_eq!(trip.patience(10_000), 40_000, "the link may be quick, and narrow");
        trip.got_through();
        assert_eq!(trip.patience(10_000), 10_000);
    }

    #[test]
    fn a_wish_beyond_the_bound_is_kept() {
        assert_eq!(Trip::default().patience(3_600_000), 3_600_000);
    }
}
