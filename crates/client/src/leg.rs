//! One log on one connection: how far the server is with it, and what a record that comes means.
//!
//! The rule is the same for every channel: offset `cursor + 1` is taken, a lower one is a copy and dropped, a higher one
//! means that records are missing. What is taken and how holes are repaired is said by whoever holds the leg.

/// Repairs in a row without a new record. More means that the server does not know what it sends.
pub(crate) const REPAIRS_MAX: u8 = 3;

/// Where one log stands on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leg {
    /// Asked for; `subscribed` has not come.
    Asked,
    /// Records up to this offset are on their way.
    Behind(u64),
    /// Can't go on from the cursor: a snapshot comes. The offset is the top then.
    Broken(u64),
    /// At the top.
    Live,
}

/// What a record is to a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was taken before.
    Copy,
    /// Until the answer names the epoch, offsets mean nothing. The server sends it again after that.
    Early,
    /// Records before it are missing.
    Hole,
    /// The next one.
    Next,
}

impl Leg {
    /// What a record at `offset` is to a log at `cursor`.
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

    /// The log came this far.
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
        for leg in [Leg::Behind(9), Leg::Live] {
            let verdicts = [4, 5, 6, 7].map(|offset| leg.judge(5, offset));
            assert_eq!(verdicts, [Verdict::Copy, Verdict::Copy, Verdict::Next, Verdict::Hole]);
        }
        for leg in [Leg::Asked, Leg::Broken(9)] {
            assert_eq!(leg.judge(5, 6), Verdict::Early);
        }
    }

    #[test]
    fn a_log_is_live_once_it_reaches_what_was_promised() {
        let mut leg = Leg::Behind(3);
        leg.reached(2);
        assert_eq!(leg, Leg::Behind(3));
        leg.reached(3);
        assert_eq!(leg, Leg::Live);
    }
}
