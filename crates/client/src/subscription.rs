//! One log's subscription on a connection: the rules for records, holes and answers that the inbox,
//! `system:all` and all other channels share.
//!
//! A record at `cursor + 1` is taken, a lower one is a duplicate and dropped, and a higher one means
//! that records are missing: the client subscribes again from the cursor, and the server sends them.
//! The owner has the cursor and the content, and sends what is decided here.

use tidings_protocol::{ErrorCode, client::Cursor, server::Skip};

use crate::error::Failure;

/// Most repairs in a row without a new record. After more, the server is at fault.
const REPAIRS_MAX: u8 = 3;

/// One log's subscription on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    state: SubscriptionState,
    /// How often the log was subscribed again since the last record.
    repairs: u8,
}

/// State of one log's subscription on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SubscriptionState {
    /// `subscribe` was sent; `subscribed` has not arrived.
    Asked,
    /// Records up to this offset are on their way.
    Behind(u64),
    /// The log can't continue from the cursor: a snapshot follows. The offset is the top at that
    /// time.
    Broken(u64),
    /// All records up to the top have arrived.
    Live,
}

/// How a log treats a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is a duplicate.
    Copy,
    /// Until `subscribed` names the epoch, an offset has no meaning. The server sends the record
    /// again afterwards.
    Early,
    /// Records before it are missing.
    Hole,
    /// It is the next record.
    Next,
}

impl Subscription {
    /// `subscribe` was sent.
    pub(crate) const ASKED: Self = Self { state: SubscriptionState::Asked, repairs: 0 };

    pub(crate) fn state(self) -> SubscriptionState {
        self.state
    }

    /// The server answered.
    pub(crate) fn answered(&mut self, state: SubscriptionState) {
        self.state = state;
    }

    /// A snapshot took the place of the records that the server can't send.
    pub(crate) fn mended(&mut self) {
        if let SubscriptionState::Broken(top) = self.state {
            self.state = SubscriptionState::Behind(top);
        }
    }

    /// How a log at `cursor` treats a record at `offset`. The owner takes the next one.
    pub(crate) fn judge(&mut self, cursor: u64, offset: u64) -> Verdict {
        let verdict = if !self.follows() {
            Verdict::Early
        } else if offset <= cursor {
            Verdict::Copy
        } else if offset - cursor > 1 {
            Verdict::Hole
        } else {
            Verdict::Next
        };
        if verdict == Verdict::Next {
            self.repairs = 0;
        }
        verdict
    }

    /// The log has reached this offset.
    pub(crate) fn reached(&mut self, cursor: u64) {
        if let SubscriptionState::Behind(top) = self.state
            && cursor >= top
        {
            self.state = SubscriptionState::Live;
        }
    }

    /// The owner subscribes again.
    ///
    /// # Errors
    /// That did not help before: the server loses the same records each time.
    pub(crate) fn repair(&mut self) -> Result<(), Failure> {
        if self.repairs >= REPAIRS_MAX {
            return Err(confused("the same records are missing again and again"));
        }
        self.repairs += 1;
        self.state = SubscriptionState::Asked;
        Ok(())
    }

    /// Whether records are taken.
    pub(crate) fn follows(self) -> bool {
        matches!(self.state, SubscriptionState::Behind(_) | SubscriptionState::Live)
    }

    pub(crate) fn is_live(self) -> bool {
        self.state == SubscriptionState::Live
    }

    /// Whether a snapshot is on its way.
    pub(crate) fn awaits_snapshot(self) -> bool {
        matches!(self.state, SubscriptionState::Broken(_))
    }

    /// Whether a log at `cursor` lacks a record, if the server says that its top is `top`. A lost
    /// last record shows by this and by nothing else.
    pub(crate) fn lacks(self, cursor: u64, top: u64) -> bool {
        self.follows() && cursor < top
    }

    /// Nothing arrived for too long. Returns whether a repair helps.
    ///
    /// # Errors
    /// The server does not answer.
    pub(crate) fn overdue(self) -> Result<bool, Failure> {
        match self.state {
            SubscriptionState::Asked | SubscriptionState::Broken(_) => {
                Err(Failure::new(ErrorCode::Network, "a subscription had no answer"))
            }
            SubscriptionState::Behind(_) => Ok(true),
            SubscriptionState::Live => Ok(false),
        }
    }
}

/// Whether a subscription can go on at `at` for a log that is `held`: it is the same log, and no
/// record in between is left out.
pub(crate) fn continues(held: Cursor, at: Cursor) -> bool {
    held.epoch == at.epoch && at.offset <= held.offset
}

/// The first offset of a skipped range that a log at `cursor` has not passed. The part before it is
/// a duplicate.
pub(crate) fn news_of(skip: &Skip, cursor: u64) -> u64 {
    skip.from.max(cursor.saturating_add(1)).min(skip.to)
}

/// The server says that it goes on from the cursor, and states another place.
pub(crate) fn elsewhere() -> Failure {
    confused("a subscription was resumed elsewhere than asked")
}

pub(crate) fn confused(detail: &str) -> Failure {
    Failure::new(ErrorCode::Internal, detail)
}

#[cfg(test)]
mod tests {
    use tidings_protocol::{Channel, Epoch};

    use super::*;

    fn of(state: SubscriptionState) -> Subscription {
        Subscription { state, repairs: 0 }
    }

    #[test]
    fn a_record_is_next_a_copy_or_behind_a_hole() {
        for mut subscription in [SubscriptionState::Behind(9), SubscriptionState::Live].map(of) {
            let verdicts = [4, 5, 6, 7].map(|offset| subscription.judge(5, offset));
            assert_eq!(verdicts, [Verdict::Copy, Verdict::Copy, Verdict::Next, Verdict::Hole]);
        }
        for mut subscription in [SubscriptionState::Asked, SubscriptionState::Broken(9)].map(of) {
            assert_eq!(subscription.judge(5, 6), Verdict::Early);
        }
    }

    #[test]
    fn a_log_is_live_once_it_reaches_what_was_promised() {
        let mut subscription = of(SubscriptionState::Behind(3));
        subscription.reached(2);
        assert!(!subscription.is_live());
        subscription.reached(3);
        assert!(subscription.is_live());
    }

    #[test]
    fn repairs_end_where_no_record_comes_of_them() {
        let mut subscription = Subscription::ASKED;
        for _ in 0..2 {
            for _ in 0..REPAIRS_MAX {
                assert!(subscription.repair().is_ok());
            }
            assert!(subscription.repair().is_err());
            subscription.answered(SubscriptionState::Live);
            assert_eq!(subscription.judge(5, 6), Verdict::Next);
        }
    }

    #[test]
    fn silence_is_repaired_where_records_are_owed_and_fails_where_an_answer_is() {
        let overdue = |state| of(state).overdue().ok();
        assert_eq!(overdue(SubscriptionState::Live), Some(false));
        assert_eq!(overdue(SubscriptionState::Behind(9)), Some(true));
        assert_eq!(overdue(SubscriptionState::Asked), None);
        assert_eq!(overdue(SubscriptionState::Broken(9)), None);
    }

    #[test]
    fn a_top_above_the_cursor_tells_of_a_lost_record() {
        let live = of(SubscriptionState::Live);
        assert!(live.lacks(5, 6) && !live.lacks(5, 5));
        assert!(!Subscription::ASKED.lacks(5, 6), "the answer may bring it");
    }

    #[test]
    fn a_subscription_goes_on_in_the_same_log_and_not_above_what_is_held() {
        let at = |epoch, offset| Cursor::new(Epoch::from_bits(epoch), offset);
        let held = at(1, 5);
        assert!(continues(held, at(1, 5)) && continues(held, at(1, 3)));
        assert!(!continues(held, at(1, 6)) && !continues(held, at(2, 5)));
    }

    #[test]
    fn of_a_skipped_range_only_the_part_above_the_cursor_is_news() {
        let skip = |from, to| Skip { channel: Channel::system(), from, to };
        assert_eq!(news_of(&skip(3, 9), 5), 6);
        assert_eq!(news_of(&skip(7, 9), 5), 7);
        assert_eq!(news_of(&skip(3, 4), 5), 4);
    }
}
