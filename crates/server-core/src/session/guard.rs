//! The checks that apply in every state: size, rate, and unreadable messages.

use bytes::Bytes;
use tidings_protocol::{
    ClientMessage, ErrorCode,
    codec::Envelope,
    planted::{self, Planted},
};

use super::{Command, Event, Excess, turn::Turn};
use crate::{
    Limits, Refused,
    budget::{self, Cost, Kind},
};

/// Retry time for a connection that was closed to make room, in milliseconds.
const NO_ROOM_RETRY_MS: u64 = 2_000;

/// The input of a state: an event, with frames already decoded.
pub(super) enum Input<'a> {
    /// A decoded message of the client.
    Message(ClientMessage),
    /// A message that could not be decoded.
    Unreadable { why: Refused, about: Envelope },
    /// Any other event.
    Happened(Event<'a>),
}

pub(super) enum Verdict<'a> {
    Pass(Input<'a>),
    /// The message was dropped, and the client was told.
    Answered,
    /// The connection must be closed.
    Close(Refused),
    /// The transport is gone.
    Ended,
}

/// Counts what a connection sends.
#[derive(Clone, Copy, Debug, Default)]
pub struct Guard {
    /// Time at which the burst so far is paid off, in monotonic milliseconds: a token bucket in one
    /// number (GCRA).
    paid_until: u64,
    /// Messages over the rate, minus later messages within the rate.
    strikes: u32,
    /// Unreadable messages.
    unreadable: u32,
    /// Time until which the client was told to wait for the user's account, in monotonic
    /// milliseconds.
    held_until: u64,
}

impl Guard {
    /// Whether the guard holds nothing against the client, so that a new guard would be the same.
    /// `now` is monotonic.
    #[must_use]
    pub const fn is_even(&self, now: u64) -> bool {
        self.paid_until <= now && self.held_until <= now
    }

    pub(super) fn judge<'a>(
        &mut self,
        connecting: bool,
        event: Event<'a>,
        turn: &mut Turn<'_>,
    ) -> Verdict<'a> {
        let code = match event {
            Event::Received { text } => return self.received(connecting, text, turn),
            Event::BinaryReceived => {
                let why = Refused::new(ErrorCode::BadRequest, "frames are text, never binary");
                return self.unreadable(why, Envelope::default(), turn);
            }
            Event::ControlReceived => return self.control(turn),
            Event::TransportClosed => return Verdict::Ended,
            Event::Replaced | Event::Revoked if planted::on(Planted::StaleSessionNotFenced) => {
                return Verdict::Pass(Input::Happened(event));
            }
            Event::TooLarge(excess) => return Verdict::Close(too_large(connecting, excess, turn)),
            Event::NotUtf8 => ErrorCode::InvalidUtf8,
            Event::Stalled => ErrorCode::SlowConsumer,
            Event::Replaced => ErrorCode::Replaced,
            Event::Revoked => ErrorCode::Revoked,
            Event::Stopping => ErrorCode::Restart,
            Event::NoRoom => {
                // Without a wait, the client would come back at once and displace another
                // connection.
                let retry_after_ms = Some(NO_ROOM_RETRY_MS);
                return Verdict::Close(Refused { retry_after_ms, ..ErrorCode::Busy.into() });
            }
            event => return Verdict::Pass(Input::Happened(event)),
        };
        Verdict::Close(code.into())
    }

    fn received<'a>(&mut self, connecting: bool, text: &str, turn: &mut Turn<'_>) -> Verdict<'a> {
        let (_, most) = most_bytes(connecting, turn);
        if text.len() > most {
            return Verdict::Close(too_large(connecting, Excess::Bytes(text.len()), turn));
        }
        if let Err(flood) = self.own_rate(turn) {
            if self.strikes > turn.limits.flood_strikes {
                return Verdict::Close(flood);
            }
            turn.refuse(&flood, Envelope::peek(text), None);
            return Verdict::Answered;
        }
        // Clients of the source systems send this text instead of `{"type":"ping"}`.
        if text == "ping" {
            turn.count(Cost::message(text.len()));
            turn.out.push(Command::Send(Bytes::from_static(b"pong")));
            return Verdict::Pass(Input::Happened(Event::ShowedLife));
        }
        let message = match ClientMessage::decode(text) {
            Ok(message) => message,
            Err(error) => {
                turn.count(Cost::message(text.len()));
                return self.unreadable(error.into(), Envelope::peek(text), turn);
            }
        };
        let cost = Cost::of_message(&message, text.len());
        if budget::keeps_alive(&message) {
            turn.count(cost);
        } else if let Err(flood) = self.spend(cost, turn) {
            // No strike: other connections of the user may have used up the account.
            turn.refuse(&flood, Envelope::peek(text), None);
            return Verdict::Answered;
        }
        Verdict::Pass(Input::Message(message))
    }

    /// Takes a message's cost from the user's account.
    ///
    /// After a refusal, no write is taken until the time that the client was told. A later message
    /// of the same lane can't be taken before the refused one. If it were, it would use up the
    /// units that the refused one waits for, again and again.
    fn spend(&mut self, cost: Cost, turn: &Turn<'_>) -> Result<(), Refused> {
        let now = turn.now.mono;
        if cost.of(Kind::Reads) > 0 {
            return turn.spend(cost);
        }
        if now < self.held_until {
            let retry_after_ms = Some(self.held_until - now);
            return Err(Refused { retry_after_ms, ..ErrorCode::Flood.into() });
        }
        let spent = turn.spend(cost);
        if let Err(Refused { retry_after_ms: Some(wait), .. }) = &spent {
            self.held_until = now.saturating_add(*wait);
        }
        spent
    }

    /// The transport's pings and pongs cost as much as messages. They can't be answered by an
    /// error.
    fn control<'a>(&mut self, turn: &mut Turn<'_>) -> Verdict<'a> {
        match self.own_rate(turn) {
            Ok(()) => {
                turn.count(Cost::message(0));
                Verdict::Pass(Input::Happened(Event::ShowedLife))
            }
            Err(flood) if self.strikes > turn.limits.flood_strikes => Verdict::Close(flood),
            Err(_) => Verdict::Answered,
        }
    }

    /// Applies the connection's own rate. Each message within the rate removes a strike: a client
    /// that sends again as soon as it may can have as many messages in flight when it reaches the
    /// rate again.
    fn own_rate(&mut self, turn: &Turn<'_>) -> Result<(), Refused> {
        let limits = turn.limits;
        match self.take(turn.now.mono, limits) {
            Ok(()) => {
                self.strikes = self.strikes.saturating_sub(1);
                Ok(())
            }
            Err(wait) => {
                self.strikes += 1;
                // The wait is for as many messages as clients send at once, not for one.
                let several = budget::AT_ONCE.min(limits.message_burst).saturating_sub(1);
                let wait = wait.saturating_add(limits.message_interval_ms.saturating_mul(several));
                Err(Refused { retry_after_ms: Some(wait), ..ErrorCode::Flood.into() })
            }
        }
    }

    fn unreadable<'a>(&mut self, why: Refused, about: Envelope, turn: &Turn<'_>) -> Verdict<'a> {
        // An unknown type does not count: the client may be newer than the server.
        if why.code != ErrorCode::UnknownType {
            self.unreadable += 1;
        }
        if self.unreadable > turn.limits.bad_messages {
            return Verdict::Close(why);
        }
        Verdict::Pass(Input::Unreadable { why, about })
    }

    /// Admits one message, or returns the milliseconds until the next may come. `now` is monotonic.
    ///
    /// # Errors
    /// The milliseconds to wait.
    pub fn take(&mut self, now: u64, limits: &Limits) -> Result<(), u64> {
        let burst = limits.message_interval_ms.saturating_mul(limits.message_burst);
        let paid_until = self.paid_until.max(now) + limits.message_interval_ms;
        if paid_until > now + burst {
            return Err(paid_until - now - burst);
        }
        self.paid_until = paid_until;
        Ok(())
    }
}

/// The size limit of the next message, and its setting.
const fn most_bytes(connecting: bool, turn: &Turn<'_>) -> (&'static str, usize) {
    match connecting {
        true => ("limits.connect_bytes", turn.limits.connect_bytes),
        false => ("limits.message_bytes", turn.limits.message_bytes),
    }
}

/// The refusal of an oversized message, which names its size and the limit.
fn too_large(connecting: bool, excess: Excess, turn: &Turn<'_>) -> Refused {
    let detail = match excess {
        Excess::Bytes(size) => {
            let (setting, most) = most_bytes(connecting, turn);
            format!("a message may have {most} bytes (`{setting}`), this one has {size} or more")
        }
        Excess::Frames(most) => {
            format!("a message may have {most} frames (`limits.fragments`), this one has more")
        }
    };
    Refused::new(ErrorCode::TooLarge, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let limits = Limits { message_burst: 3, message_interval_ms: 10, ..Limits::default() };
        let mut guard = Guard::default();
        assert!((0..3).all(|_| guard.take(1_000, &limits).is_ok()));
        assert_eq!(guard.take(1_000, &limits), Err(10));
        assert_eq!(guard.take(1_009, &limits), Err(1));
        assert_eq!(guard.take(1_010, &limits), Ok(()));
        assert!((0..3).all(|_| guard.take(5_000, &limits).is_ok()));
        assert!(guard.take(5_000, &limits).is_err());
    }
}
