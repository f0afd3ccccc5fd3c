//! Signs of life, the end of a stream and the end of the credential, on one deadline.

use tidings_protocol::{ErrorCode, server};

use super::{Command, State, turn::Turn, wanted::Stream};

/// The result of a deadline.
pub(super) enum Due {
    /// Nothing to do.
    Nothing,
    /// The client gets an unsolicited `pong` with the time and the tops.
    Pong,
    /// The session ends.
    End(State),
}

/// The clocks of an open session. A sign of life does not set the deadline again, unless it answers
/// a ping: the deadline fires early and is then set again.
#[derive(Debug)]
pub(super) struct Life {
    /// Monotonic time of the last sign of life.
    last_seen: u64,
    /// Monotonic time of the transport's ping after silence.
    pinged_at: Option<u64>,
    /// Issue and end of the credential, by the wall clock.
    issued_at: u64,
    expires_at: Option<u64>,
    /// `expiring` was sent for this credential.
    warned: bool,
    /// The kind of stream, and the monotonic time of its end.
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
            Self { last_seen: now, pinged_at: None, issued_at, expires_at, warned: false, stream };
        life.arm(turn);
        life
    }

    /// The client showed a sign of life.
    pub(super) fn seen(&mut self, turn: &mut Turn<'_>) {
        self.last_seen = turn.now.mono;
        // The deadline is the one for the ping's answer, which may be later than the next ping is
        // due.
        if self.pinged_at.take().is_some() {
            self.arm(turn);
        }
    }

    /// Takes over a new credential.
    pub(super) fn renew(&mut self, issued_at: u64, expires_at: Option<u64>, turn: &mut Turn<'_>) {
        *self = Self { issued_at, expires_at, warned: false, ..*self };
        self.arm(turn);
    }

    /// Checks all clocks after the deadline fired.
    pub(super) fn check(&mut self, turn: &mut Turn<'_>) -> Due {
        let now = turn.now;
        let mut due = Due::Nothing;
        if let Some(end) = self.expires_at {
            if now.wall >= end.saturating_add(turn.limits.grace_ms) {
                return Due::End(turn.close(&ErrorCode::Expired.into()));
            }
            if !self.warned && now.wall >= self.warn_at(turn) {
                self.warned = true;
                turn.send(&server::Expiring { expires_at: end });
            }
        }
        // No `error` before these two: after no sign of life, no client reads it; the end of a
        // stream is no error.
        match (self.pinged_at, self.stream) {
            (Some(at), _) if now.mono >= at + turn.limits.timeout_ms => {
                return Due::End(turn.leave("no sign of life"));
            }
            (_, Some((_, end))) if now.mono >= end => return Due::End(turn.leave("come again")),
            (None, stream) if now.mono >= self.last_seen + turn.limits.idle_ms => match stream {
                // On a stream, taking the bytes is the only possible sign of life.
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
            let wall = if self.warned {
                end.saturating_add(turn.limits.grace_ms)
            } else {
                self.warn_at(turn)
            };
            // Calculated again at each deadline, so a jump of the wall clock is noticed within the
            // idle time.
            turn.now.mono.saturating_add(wall.saturating_sub(turn.now.wall))
        });
        let over = self.stream.map_or(u64::MAX, |(_, end)| end);
        let first = end.unwrap_or(u64::MAX).min(silence).min(over);
        turn.out.push(Command::SetDeadline { at: Some(first) });
    }

    /// Wall-clock time of the warning: a minute before the end, but not before four fifths of a
    /// short life.
    fn warn_at(&self, turn: &Turn<'_>) -> u64 {
        let end = self.expires_at.unwrap_or(u64::MAX);
        let life = end.saturating_sub(self.issued_at);
        end - turn.limits.expiring_ms.min(life / 5)
    }
}
