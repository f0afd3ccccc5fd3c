//! The context of one call of `handle`: its inputs, and where its commands go.

use bytes::Bytes;
use tidings_protocol::{Channel, CloseCode, Encode, codec::Envelope, server};

use super::{Command, State};
use crate::{
    Ids, Limits, Now, ProofKey, Refused,
    budget::{Account, Cost},
    service,
};

pub(super) struct Turn<'a> {
    pub(super) now: Now,
    pub(super) limits: &'a Limits,
    pub(super) ids: &'a mut Ids,
    /// Seals the first offset that a user without the right to read back may read. Without a key,
    /// each subscription of such a user starts from now on.
    pub(super) proofs: Option<&'a ProofKey>,
    /// The user's account, once the user is known.
    pub(super) account: Option<&'a Account>,
    pub(super) out: &'a mut Vec<Command>,
    /// Bytes sent during the call.
    pub(super) sent: usize,
}

impl Turn<'_> {
    /// Takes a cost from the user's account.
    pub(super) fn spend(&self, cost: Cost) -> Result<(), Refused> {
        match self.account {
            Some(account) => Ok(account.take(self.now.mono, cost, self.limits)?),
            None => Ok(()),
        }
    }

    /// Counts a cost in the user's account that is never refused.
    pub(super) fn count(&self, cost: Cost) {
        if let Some(account) = self.account {
            account.count(self.now.mono, cost, self.limits);
        }
    }

    pub(super) fn send(&mut self, message: &impl Encode) {
        self.pass(Bytes::from(message.to_json()));
    }

    /// Sends an encoded message.
    pub(super) fn pass(&mut self, frame: Bytes) {
        self.sent += frame.len();
        self.out.push(Command::Send(frame));
    }

    /// Sends an `error`; the connection goes on.
    pub(super) fn refuse(&mut self, refused: &Refused, about: Envelope, channel: Option<Channel>) {
        let Envelope { id, client_id, seq, .. } = about;
        self.send(&server::Error { id, client_id, seq, channel, ..service::error(refused) });
    }

    /// Ends the connection without an `error`.
    pub(super) fn leave(&mut self, reason: &'static str) -> State {
        self.out.push(Command::SetDeadline { at: None });
        self.out.push(Command::Close { code: CloseCode::AWAY, reason });
        State::Closing
    }

    /// Sends an `error`, and ends the connection. If the error does not arrive, browsers see only
    /// the close code.
    pub(super) fn close(&mut self, refused: &Refused) -> State {
        self.send(&service::error(refused));
        self.out.push(Command::SetDeadline { at: None });
        self.out.push(Command::Close {
            code: refused.code.close().unwrap_or(CloseCode::INTERNAL),
            reason: refused.code.as_str(),
        });
        State::Closing
    }
}
