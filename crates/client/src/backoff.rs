//! The delay before the next attempt.

use crate::{Backoff, rng::Rng};

/// Longest delay that a server may ask for, in milliseconds: an hour. A wrong digit must not stop a
/// client for good.
const AFTER_MAX: u64 = 3_600_000;

/// Failed attempts since the connection was last good.
///
/// A connection is good only after it has caught up with both logs and then lasted for
/// `Backoff::base`. So delays grow if a server accepts connections and drops them, or if one record
/// breaks them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Failures(u32);

impl Failures {
    pub(crate) fn count(self) -> u32 {
        self.0
    }

    pub(crate) fn reset(&mut self) {
        self.0 = 0;
    }

    /// Counts one more failure. Returns the delay in milliseconds, or `None` when the attempts are
    /// used up.
    ///
    /// Full jitter: `random(0, min(cap, base · 2^n))`. The first retry is early,
    /// `random(0, base / 2)`, because most failures affect one client only. The server's delay
    /// `after` takes precedence; jitter up to `base` spreads clients that got the same answer.
    pub(crate) fn next(
        &mut self,
        config: Backoff,
        rng: &mut Rng,
        after: Option<u64>,
    ) -> Option<u64> {
        let earlier = self.0;
        self.0 = self.0.saturating_add(1);
        if config.max_attempts.is_some_and(|most| self.0 >= most.max(1)) {
            return None;
        }
        if let Some(after) = after {
            return Some(after.min(AFTER_MAX).saturating_add(rng.up_to(config.base)));
        }
        let doubled = if earlier == 0 {
            config.base / 2
        } else {
            config.base.saturating_mul(1_u64.checked_shl(earlier).unwrap_or(u64::MAX))
        };
        Some(rng.up_to(doubled.min(config.cap)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: Backoff = Backoff { base: 1_000, cap: 30_000, max_attempts: None };

    #[test]
    fn waits_are_spread_over_the_whole_range_and_capped() {
        for (failure, most) in
            [500, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000].into_iter().enumerate()
        {
            let waits: Vec<u64> = (0..2_000)
                .map(|seed| {
                    let mut failures = Failures(u32::try_from(failure).unwrap());
                    failures.next(CONFIG, &mut Rng::new(seed), None).unwrap()
                })
                .collect();
            assert!(waits.iter().all(|wait| *wait <= most), "failure {failure}");
            assert!(waits.iter().any(|wait| *wait < most / 20), "failure {failure}");
            assert!(waits.iter().any(|wait| *wait > most / 20 * 19), "failure {failure}");
        }
    }

    #[test]
    fn no_number_of_failures_overflows() {
        let mut failures = Failures(u32::MAX - 1);
        for _ in 0..3 {
            assert!(failures.next(CONFIG, &mut Rng::new(7), None).unwrap() <= 30_000);
        }
    }

    #[test]
    fn the_servers_wish_wins_within_reason() {
        let mut failures = Failures(9);
        let wait = failures.next(CONFIG, &mut Rng::new(7), Some(45_000)).unwrap();
        assert!((45_000..=46_000).contains(&wait));
        let wait = failures.next(CONFIG, &mut Rng::new(7), Some(u64::MAX)).unwrap();
        assert!(wait <= AFTER_MAX + 1_000);
    }

    #[test]
    fn attempts_end_where_they_are_limited() {
        let config = Backoff { max_attempts: Some(3), ..CONFIG };
        let mut failures = Failures::default();
        let mut rng = Rng::new(1);
        assert!(failures.next(config, &mut rng, None).is_some());
        assert!(failures.next(config, &mut rng, None).is_some());
        assert_eq!(failures.next(config, &mut rng, None), None);
        failures.reset();
        assert!(failures.next(config, &mut rng, None).is_some());
    }
}
