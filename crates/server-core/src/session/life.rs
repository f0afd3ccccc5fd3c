//! Signs of life, the end of a stream and that of the credential, on one deadline.

use tidings_protocol::{ErrorCode, server};

use super::{Command, State, turn::Turn, wanted::Stream};

/// What a deadline leads to.
pub(super) enum Due {
    /// All is well.
    Nothing,
    /// The other end is told the time and the tops, unasked.
    Pong,
    /// The session ends.
    End(State),
}

/// The clocks of an open session. Signs of life do not re-arm the deadline, unless they answer a ping: it goes off early and is set again.
#[derive(Debug)]
pub(super) struct Life {
    /// Monotonic.
    last_seen: u64,
    /// Monotonic: when the transport was pinged after silence.
    pinged_at: Option<u64>,
    /// When the credential was issued and when it ends, by the wall clock.
    issued_at: u64,
    expires_at: Option<u64>,
    /// `expiring` was sent for this credential.
    told: bool,
    /// A stream, and monotonic when it ends.
    stream: Option<(Stream, u64)>,
}

impl Life {
    pub(super) fn begin(
        issued_at: u64,
        expires_at: Option<u64>,
        stream: Option<Stream>,
        turn: &mut Turn<'_>,
    ) -> Self {
        let now = turn.now.mono;
        let most = turn.limits.stream_ms;
        let stream = stream.map(|stream| (stream, now + most - turn.ids.below(most / 4)));
        let life =
            Self { last_seen: now, pinged_at: None, issued_at, expires_at, told: false, stream };
        life.arm(turn);
        life
    }

    /// Anything came from the other end.
    pub(super) fn seen(&mut self, turn: &mut Turn<'_>) {
        self.last_seen = turn.now.mono;
        // The deadline is that of the answer, which may be later than the next ping is due.
        if self.pinged_at.take().is_some() {
            self.arm(turn);
        }
    }

    /// A new credential takes over.
    pub(super) fn renew(&mut self, issued_at: u64, expires_at: Option<u64>, turn: &mut Turn<'_>) {
        *self = Self { issued_at, expires_at, told: false, ..*self };
        self.arm(turn);
    }

    /// The deadline went off.
    pub(super) fn check(&mut self, turn: &mut Turn<'_>) -> Due {
        let now = turn.now;
        let mut due = Due::Nothing;
        if let Some(end) = self.expires_at {
            if now.wall >= end.saturating_add(turn.limits.grace_ms) {
                return Due::End(turn.close(&ErrorCode::Expired.into()));
            }
            if !self.told && now.wall >= self.warn_at(turn) {
                self.told = true;
                turn.send(&server::Expiring { expires_at: end });
            }
        }
        // No `error` before these: there nobody is left to read it, here it is none.
        match (self.pinged_at, self.stream) {
            (Some(at), _) if now.mono >= at + turn.limits.timeout_ms => {
                return Due::End(turn.leave("no sign of life"));
            }
            (_, Some((_, end))) if now.mono >= end => return Due::End(turn.leave("come again")),
            (None, stream) if now.mono >= self.last_seen + turn.limits.idle_ms => match stream {
                // That it is taken is all the life there can be.
                Some((Stream::Told, _)) => {
                    self.last_seen = now.mono;
                    due = Due::Pong;
                }
                _ => {
                    self.pinged_at = Some(now.mono);
                    turn.out.push(Command::Ping);
                }
            },
            _ => {}
        }
        self.arm(turn);
        due
    }

    fn arm(&self, turn: &mut Turn<'_>) {
        let silence = match self.pinged_at {
            Some(at) => at + turn.limits.timeout_ms,
            None => self.last_seen + turn.limits.idle_ms,
        };
        let end = self.expires_at.map(|end| {
            let wall = if self.told {
                end.saturating_add(turn.limits.grace_ms)
            } else {
                self.warn_at(turn)
            };
            // Measured anew at each deadline, so that a jump of the wall clock is noticed within the idle time.
            turn.now.mono.saturating_add(wall.saturating_sub(turn.now.wall))
        });
        let over = self.stream.map_or(u64::MAX, |(_, end)| end);
        let first = end.unwrap_or(u64::MAX).min(silence).min(over);
        turn.out.push(Command::SetDeadline { at: Some(first) });
    }

    /// Wall time of the warning: a minute before the end, but not before four fifths of a short life.
    fn warn_at(&self, turn: &Turn<'_>) -> u64 {
        let end = self.expires_at.unwrap_or(u64::MAX);
        let life = end.saturating_sub(self.issued_at);
        end - turn.limits.expiring_ms.min(life / 5)
    }
}
