//! Every deadline of the client in one table; the driver owns one timer for all of them.

/// The purpose of a deadline. If several are due at once, they fire in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// Sends unanswered intents again, or for the first time after a pause.
    Answer,
    /// A channel's cache took too long: subscribe without it.
    Cache,
    /// Checks for lanes of ended clients, or the last check had no answer.
    Claim,
    /// Tries a better transport, or the try took too long.
    Upgrade,
    /// The current step of the attempt took too long.
    Connect,
    /// The ticket for a refresh, or its answer, took too long.
    Credential,
    /// The server asked the client to leave by now.
    Goaway,
    /// Storage took too long to store an intent.
    Persist,
    /// A channel without readers is unsubscribed.
    Linger,
    /// Storage took too long: connect without a cache.
    Load,
    /// A page of a search took too long.
    Lookup,
    /// The connection counts as lost.
    Lost,
    /// `loadMore` took too long.
    More,
    /// Older messages of a channel took too long.
    Older,
    /// The pause after a refused page is over.
    Pages,
    /// Sends a ping.
    Ping,
    /// A POST of messages had no answer.
    Post,
    /// Refreshes the credential.
    Refresh,
    /// A stream is reopened for other channels.
    Reopen,
    /// The wait between attempts is over.
    Retry,
    /// A channel's subscription makes no progress.
    Rooms,
    /// Writes the cache.
    Save,
    /// Signing out does not wait for unsent intents any more.
    SignOut,
    /// No data arrived after a ping.
    Silence,
    /// The connection has lasted a while after it caught up.
    Steady,
    /// A subscription makes no progress.
    Sync,
}

impl Timer {
    pub(crate) const ALL: [Self; 26] = [
        Self::Answer,
        Self::Cache,
        Self::Claim,
        Self::Upgrade,
        Self::Connect,
        Self::Credential,
        Self::Goaway,
        Self::Persist,
        Self::Linger,
        Self::Load,
        Self::Lookup,
        Self::Lost,
        Self::More,
        Self::Older,
        Self::Pages,
        Self::Ping,
        Self::Post,
        Self::Refresh,
        Self::Reopen,
        Self::Retry,
        Self::Rooms,
        Self::Save,
        Self::SignOut,
        Self::Silence,
        Self::Steady,
        Self::Sync,
    ];
}

/// Longest time from now to a deadline, in milliseconds: a day. Browsers' timers wrap after 24.8
/// days.
const HORIZON: u64 = 86_400_000;

/// The value of a deadline that is not set.
const NEVER: u64 = u64::MAX;

/// Deadlines on the monotonic clock.
#[derive(Clone, Debug)]
pub(crate) struct TimerTable {
    at: [u64; Timer::ALL.len()],
}

impl Default for TimerTable {
    fn default() -> Self {
        Self { at: [NEVER; Timer::ALL.len()] }
    }
}

impl TimerTable {
    /// Sets a deadline to `delay` milliseconds from `now`.
    pub(crate) fn set(&mut self, timer: Timer, now: u64, delay: u64) {
        self.at[timer as usize] = at(now, delay);
    }

    /// Sets a deadline, unless an earlier one is set.
    pub(crate) fn bring_forward(&mut self, timer: Timer, now: u64, delay: u64) {
        let standing = &mut self.at[timer as usize];
        *standing = at(now, delay).min(*standing);
    }

    pub(crate) fn cancel(&mut self, timer: Timer) {
        self.at[timer as usize] = NEVER;
    }

    pub(crate) fn at(&self, timer: Timer) -> Option<u64> {
        known(self.at[timer as usize])
    }

    /// Whether a deadline is due; clears it if so. Returns how many milliseconds late it is.
    pub(crate) fn take_due(&mut self, timer: Timer, now: u64) -> Option<u64> {
        let standing = &mut self.at[timer as usize];
        if *standing > now {
            return None;
        }
        Some(now - core::mem::replace(standing, NEVER))
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<u64> {
        let mut first = NEVER;
        for at in &self.at {
            first = first.min(*at);
        }
        known(first)
    }
}

fn at(now: u64, delay: u64) -> u64 {
    now.saturating_add(delay.min(HORIZON)).min(NEVER - 1)
}

fn known(at: u64) -> Option<u64> {
    (at < NEVER).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_timer_has_its_own_index() {
        for (index, timer) in Timer::ALL.into_iter().enumerate() {
            assert_eq!(timer as usize, index);
        }
    }

    #[test]
    fn the_earliest_deadline_is_next_and_is_taken_once() {
        let mut timers = TimerTable::default();
        timers.set(Timer::Ping, 0, 25_000);
        timers.set(Timer::Lost, 0, 5_000);
        assert_eq!(timers.next(), Some(5_000));
        assert_eq!(timers.take_due(Timer::Lost, 4_999), None);
        assert_eq!(timers.take_due(Timer::Lost, 5_100), Some(100));
        assert_eq!(timers.take_due(Timer::Lost, 5_100), None);
        assert_eq!(timers.next(), Some(25_000));
    }

    #[test]
    fn a_deadline_can_only_be_brought_forward() {
        let mut timers = TimerTable::default();
        timers.set(Timer::Silence, 0, 10_000);
        timers.bring_forward(Timer::Silence, 5_000, 2_000);
        assert_eq!(timers.at(Timer::Silence), Some(7_000));
        timers.bring_forward(Timer::Silence, 6_000, 2_000);
        assert_eq!(timers.at(Timer::Silence), Some(7_000));
    }

    #[test]
    fn no_deadline_lies_beyond_a_day() {
        let mut timers = TimerTable::default();
        timers.set(Timer::Refresh, u64::MAX - 5, u64::MAX);
        assert_eq!(timers.next(), Some(u64::MAX - 1));
        timers.set(Timer::Refresh, 0, u64::MAX);
        assert_eq!(timers.next(), Some(HORIZON));
    }
}
