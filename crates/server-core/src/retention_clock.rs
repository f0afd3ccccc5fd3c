//! The clock that decides when data is forgotten. It advances with the monotonic clock, whatever
//! the wall clock does.
//!
//! A wall clock that is 400 days ahead for three seconds must not delete records, keys and
//! revocations. So a store counts the age of its data by this steady clock. While the server runs,
//! its monotonic clock says how much time has passed, and a step of the wall clock changes nothing.
//! While the server does not run, only the wall clock can say. A short absence is believed at once,
//! a long one after the wall clock has run without a step for a while. In doubt, data is stored
//! longer, never shorter.

use crate::Now;

/// The two times of one moment, as a store gets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The time for ages: [`RetentionClock::at`].
    pub steady: u64,
    /// Milliseconds since 1970, as the wall clock says.
    pub wall: u64,
}

impl Moment {
    /// Anything that ends before this has ended by both clocks. For ends that were stated as
    /// wall-clock times.
    #[must_use]
    pub const fn over(self) -> u64 {
        if self.steady < self.wall { self.steady } else { self.wall }
    }
}

/// A moment on which both clocks agree.
impl From<u64> for Moment {
    fn from(wall: u64) -> Self {
        Self { steady: wall, wall }
    }
}

/// The clock's state that a store saves over restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The steady time …
    pub steady: u64,
    /// … at this wall-clock time.
    pub wall: u64,
}

/// When the wall clock is doubted, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubts {
    /// A difference from the expected wall-clock time, in milliseconds, above which the clock has
    /// made a step.
    pub step_ms: u64,
    /// A longer absence counts after the wall clock has run without a step for this long, in
    /// milliseconds.
    pub trust_ms: u64,
}

/// Events to report to the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// The wall clock made a step. No data is forgotten for it.
    Stepped {
        /// Milliseconds forward, or backward if negative.
        by: i64,
    },
    /// By the wall clock, the server was away for too long to believe it yet.
    Doubted {
        /// Milliseconds away.
        away: u64,
    },
    /// The absence is believed now.
    Trusted {
        /// Milliseconds away.
        away: u64,
    },
}

/// The clock. One for each node.
#[derive(Clone, Debug)]
pub struct RetentionClock {
    doubts: Doubts,
    /// The time at the last update.
    now: Now,
    /// The steady time at the last update.
    steady: u64,
    absence: Option<Absence>,
}

/// Time that has passed by the wall clock alone.
#[derive(Clone, Copy, Debug)]
struct Absence {
    away: u64,
    /// Monotonic time since when the wall clock has made no step.
    since: u64,
}

impl RetentionClock {
    /// Continues from the saved state. Without a saved state, the clock begins with the wall clock.
    #[must_use]
    pub fn start(checkpoint: Option<Checkpoint>, now: Now, doubts: Doubts) -> (Self, Option<News>) {
        let mut clock = Self { doubts, now, steady: now.wall, absence: None };
        let Some(checkpoint) = checkpoint else { return (clock, None) };
        clock.steady = checkpoint.steady;
        let news = match now.wall.checked_sub(checkpoint.wall) {
            Some(away) if away <= doubts.step_ms => {
                clock.steady = clock.steady.saturating_add(away);
                None
            }
            Some(away) => {
                clock.absence = Some(Absence { away, since: now.mono });
                clock.trust().or(Some(News::Doubted { away }))
            }
            None if checkpoint.wall - now.wall <= doubts.step_ms => None,
            None => Some(News::Stepped { by: difference(now.wall, checkpoint.wall) }),
        };
        (clock, news)
    }

    /// Updates the clock from the current time and from the state that this or another node saved.
    pub fn hear(&mut self, now: Now, checkpoint: Option<Checkpoint>) -> Option<News> {
        let passed = now.mono.saturating_sub(self.now.mono);
        let by = difference(now.wall, self.now.wall.saturating_add(passed));
        self.steady = self.steady.saturating_add(passed);
        self.now = now;
        let stepped = by.unsigned_abs() > self.doubts.step_ms;
        if stepped && let Some(absence) = self.absence.take() {
            // The step corrects the length of the absence: the same wall clock measured both.
            let away = absence.away.saturating_add_signed(by);
            if away > self.doubts.step_ms {
                self.absence = Some(Absence { away, since: now.mono });
            } else {
                self.steady = self.steady.saturating_add(away);
            }
        }
        self.follow(checkpoint);
        let trusted = self.trust();
        trusted.or_else(|| stepped.then_some(News::Stepped { by }))
    }

    /// The steady time at a monotonic time.
    #[must_use]
    pub const fn at(&self, mono: u64) -> u64 {
        self.steady.saturating_add(mono.saturating_sub(self.now.mono))
    }

    /// The moment of the last update.
    #[must_use]
    pub const fn moment(&self) -> Moment {
        Moment { steady: self.steady, wall: self.now.wall }
    }

    /// The state to save. `None` while an absence is in doubt: saving would lose it.
    #[must_use]
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        let checkpoint = Checkpoint { steady: self.steady, wall: self.now.wall };
        self.absence.is_none().then_some(checkpoint)
    }

    /// Takes over the time of another node that ran while this one did not.
    fn follow(&mut self, checkpoint: Option<Checkpoint>) {
        let Some(checkpoint) = checkpoint else { return };
        if let Some(since) = self.now.wall.checked_sub(checkpoint.wall)
            && since <= self.doubts.step_ms
        {
            let theirs = checkpoint.steady.saturating_add(since);
            if theirs > self.steady {
                let more = theirs - self.steady;
                self.steady = theirs;
                self.absence = self.absence.filter(|absence| absence.away > more);
            }
        }
    }

    fn trust(&mut self) -> Option<News> {
        let trust_ms = self.doubts.trust_ms;
        let is_over = |absence: &mut Absence| self.now.mono - absence.since >= trust_ms;
        let Absence { away, .. } = self.absence.take_if(is_over)?;
        self.steady = self.steady.saturating_add(away);
        Some(News::Trusted { away })
    }
}

fn difference(one: u64, two: u64) -> i64 {
    let clamp = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    clamp(one) - clamp(two)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;
    const DAY: u64 = 1_440 * MINUTE;
    const T0: u64 = 20_000 * DAY;
    const DOUBTS: Doubts = Doubts { step_ms: 15 * MINUTE, trust_ms: 360 * MINUTE };

    fn at(mono: u64, wall: u64) -> Now {
        Now { mono, wall }
    }

    fn begun() -> RetentionClock {
        RetentionClock::start(None, at(0, T0), DOUBTS).0
    }

    fn back(checkpoint: Checkpoint, away: u64) -> (RetentionClock, Option<News>) {
        RetentionClock::start(Some(checkpoint), at(7, checkpoint.wall + away), DOUBTS)
    }

    #[test]
    fn it_goes_as_the_monotonic_clock_does_when_the_wall_clock_leaps_and_comes_back() {
        let mut clock = begun();
        assert_eq!(clock.hear(at(MINUTE, T0 + MINUTE), None), None);
        let by = (400 * DAY) as i64;
        let leapt = clock.hear(at(2 * MINUTE, T0 + 2 * MINUTE + 400 * DAY), None);
        assert_eq!(leapt, Some(News::Stepped { by }));
        assert_eq!(clock.moment().over(), T0 + 2 * MINUTE);
        assert_eq!(
            clock.hear(at(3 * MINUTE, T0 + 3 * MINUTE), None),
            Some(News::Stepped { by: -by })
        );
        assert_eq!(clock.at(4 * MINUTE), T0 + 4 * MINUTE);
    }

    #[test]
    fn a_clock_that_was_set_back_for_good_ends_nothing_before_its_own_time() {
        let mut clock = begun();
        clock.hear(at(MINUTE, T0 + MINUTE - 400 * DAY), None);
        let moment = clock.moment();
        assert_eq!(moment.steady, T0 + MINUTE, "ages go on");
        assert_eq!(moment.over(), T0 + MINUTE - 400 * DAY, "ends are those of the new clock");
    }

    #[test]
    fn a_short_absence_counts_at_once_and_a_long_one_once_the_clock_was_steady() {
        let checkpoint = begun().checkpoint().unwrap();
        let (clock, news) = back(checkpoint, 10 * MINUTE);
        assert_eq!((clock.moment().steady, news), (T0 + 10 * MINUTE, None));
        let (mut clock, news) = back(checkpoint, 3 * DAY);
        assert_eq!(news, Some(News::Doubted { away: 3 * DAY }));
        assert_eq!((clock.moment().steady, clock.checkpoint()), (T0, None));
        let later = DOUBTS.trust_ms;
        let news = clock.hear(at(7 + later, T0 + 3 * DAY + later), None);
        assert_eq!(news, Some(News::Trusted { away: 3 * DAY }));
        assert_eq!(clock.moment().steady, T0 + 3 * DAY + later);
        assert!(clock.checkpoint().is_some());
    }

    #[test]
    fn a_clock_that_is_wrong_at_start_and_set_right_afterwards_takes_nothing_along() {
        let checkpoint = begun().checkpoint().unwrap();
        let (mut clock, _) = back(checkpoint, 400 * DAY);
        clock.hear(at(7 + 3_000, T0 + MINUTE + 3_000), None);
        assert_eq!(clock.moment().steady, T0 + MINUTE + 3_000);
        assert!(clock.checkpoint().is_some());
        // A step from far ahead to less far ahead: the time of trust begins again.
        let (mut clock, _) = back(checkpoint, 400 * DAY);
        let half = DOUBTS.trust_ms / 2;
        clock.hear(at(7 + half, T0 + 2 * DAY + half), None);
        assert_eq!(clock.hear(at(7 + DOUBTS.trust_ms, T0 + 2 * DAY + DOUBTS.trust_ms), None), None);
        let end = half + DOUBTS.trust_ms;
        let news = clock.hear(at(7 + end, T0 + 2 * DAY + end), None);
        assert_eq!(news, Some(News::Trusted { away: 2 * DAY }));
    }

    #[test]
    fn a_clock_that_went_back_while_the_server_was_away_counts_nothing() {
        let checkpoint = begun().checkpoint().unwrap();
        let now = at(7, checkpoint.wall - DAY);
        let (clock, news) = RetentionClock::start(Some(checkpoint), now, DOUBTS);
        assert_eq!(news, Some(News::Stepped { by: -(DAY as i64) }));
        assert_eq!(clock.moment().steady, T0);
    }

    #[test]
    fn a_node_takes_over_what_another_one_knows() {
        let checkpoint = begun().checkpoint().unwrap();
        let (mut late, _) = back(checkpoint, 3 * DAY);
        let theirs = Checkpoint { steady: T0 + 3 * DAY, wall: T0 + 3 * DAY };
        assert_eq!(late.hear(at(7 + MINUTE, T0 + 3 * DAY + MINUTE), Some(theirs)), None);
        assert_eq!(late.moment().steady, T0 + 3 * DAY + MINUTE);
        assert!(late.checkpoint().is_some());
    }

    #[test]
    fn doubts_of_no_length_believe_at_once() {
        let checkpoint = begun().checkpoint().unwrap();
        let doubts = Doubts { trust_ms: 0, ..DOUBTS };
        let (clock, news) = RetentionClock::start(Some(checkpoint), at(7, T0 + 400 * DAY), doubts);
        assert_eq!(news, Some(News::Trusted { away: 400 * DAY }));
        assert_eq!(clock.moment().steady, T0 + 400 * DAY);
    }
}
