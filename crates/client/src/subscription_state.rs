//! One log's subscription on a connection: how far the server has sent it, and how to treat an
//! arriving record.
//!
//! The rule is the same for every channel: a record at `cursor + 1` is taken, a lower one is a
//! duplicate and dropped, and a higher one means that records are missing. The owner decides what
//! to do with a record and how to repair a hole.

/// Most repairs in a row without a new record. After more, the server is at fault.
pub(crate) const REPAIRS_MAX: u8 = 3;

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

impl SubscriptionState {
    /// How a log at `cursor` treats a record at `offset`.
    pub(crate) fn judge(self, cursor: u64, offset: u64) -> Verdict {
        if !self.follows() {
            Verdict::Early
        } else if offset <= cursor {
            Verdict::Copy
        } else if offset - cursor > 1 {
            Verdict::Hole
        } else {
            Verdict::Next
        }
    }

    /// Whether records are taken.
    pub(crate) fn follows(self) -> bool {
        matches!(self, Self::Behind(_) | Self::Live)
    }

    /// The log has reached this offset.
    pub(crate) fn reached(&mut self, cursor: u64) {
        if let Self::Behind(top) = *self
            && cursor >= top
        {
            *self = Self::Live;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_next_a_copy_or_behind_a_hole() {
        for subscription in [SubscriptionState::Behind(9), SubscriptionState::Live] {
            let verdicts = [4, 5, 6, 7].map(|offset| subscription.judge(5, offset));
            assert_eq!(verdicts, [Verdict::Copy, Verdict::Copy, Verdict::Next, Verdict::Hole]);
        }
        for subscription in [SubscriptionState::Asked, SubscriptionState::Broken(9)] {
            assert_eq!(subscription.judge(5, 6), Verdict::Early);
        }
    }

    #[test]
    fn a_log_is_live_once_it_reaches_what_was_promised() {
        let mut subscription = SubscriptionState::Behind(3);
        subscription.reached(2);
        assert_eq!(subscription, SubscriptionState::Behind(3));
        subscription.reached(3);
        assert_eq!(subscription, SubscriptionState::Live);
    }
}
