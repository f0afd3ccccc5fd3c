//! From open to `connected`: authenticates the user and admits the connection.

use tidings_protocol::{
    Channels, ErrorCode, VERSION,
    address::check_text,
    client::{ClientMessage, Connect},
    limits::{CREDENTIAL_BYTES, CURSORS, ID_BYTES},
};

use super::{Command, Credential, Event, State, Wanted, guard::Input, open::Open, turn::Turn};
use crate::{Identity, Refused, budget::Cost};

/// The transport is open, and the client has sent nothing yet.
#[derive(Debug)]
pub(super) struct AwaitingConnect {
    /// Monotonic deadline.
    pub(super) until: u64,
    /// Empty if the transport's clients say everything in `connect`.
    pub(super) wanted: Box<Wanted>,
}

impl AwaitingConnect {
    pub(super) fn handle(self, input: Input<'_>, turn: &mut Turn<'_>) -> State {
        match input {
            Input::Message(ClientMessage::Connect(connect)) => match checked(&connect, turn) {
                Ok(credential) => Entering::begin(credential, connect, self.wanted, turn),
                Err(refused) => turn.close(&refused),
            },
            Input::Happened(Event::TicketOffered { ticket })
                if ticket.len() <= CREDENTIAL_BYTES =>
            {
                let credential = Credential::Ticket(ticket.to_owned());
                Entering::begin(credential, empty_connect(), self.wanted, turn)
            }
            Input::Happened(Event::TicketOffered { .. }) => turn.close(&Refused::new(
                ErrorCode::TicketInvalid,
                "the ticket in the address is longer than any of this server",
            )),
            Input::Message(_) => turn.close(&bad("the first message must be `connect`")),
            Input::Unreadable { why, .. } => {
                turn.close(&bad(format!("the first message must be `connect`: {}", why.detail)))
            }
            Input::Happened(Event::DeadlinePassed) if turn.now.mono >= self.until => {
                turn.close(&Refused::new(
                    ErrorCode::Timeout,
                    format!("no `connect` came within {} ms.", turn.limits.connect_ms),
                ))
            }
            Input::Happened(Event::DeadlinePassed) => {
                turn.out.push(Command::SetDeadline { at: Some(self.until) });
                State::AwaitingConnect(self)
            }
            Input::Happened(Event::Draining { .. }) => turn.close(&ErrorCode::Restart.into()),
            Input::Happened(_) => State::AwaitingConnect(self),
        }
    }
}

/// The client sent `connect`: its credential is checked, then the connection is counted.
#[derive(Debug)]
pub(super) struct Entering {
    until: u64,
    id: Option<u64>,
    instance: Option<String>,
    wanted: Box<Wanted>,
    /// `None` until the credential is checked.
    identity: Option<Identity>,
}

impl Entering {
    fn begin(
        credential: Credential,
        connect: Connect,
        wanted: Box<Wanted>,
        turn: &mut Turn<'_>,
    ) -> State {
        let until = turn.now.mono + turn.limits.timeout_ms;
        if connect.batch == Some(true) {
            turn.out.push(Command::JoinFrames);
        }
        // Messages before `connected` stay in the socket.
        turn.out.push(Command::PauseReading);
        turn.out.push(Command::SetDeadline { at: Some(until) });
        turn.out.push(Command::Authenticate { credential });
        State::Entering(Box::new(Self {
            until,
            id: connect.id,
            instance: connect.instance,
            wanted: wanted.with(connect.cursors.unwrap_or_default()),
            identity: None,
        }))
    }

    pub(super) fn handle(mut self: Box<Self>, input: Input<'_>, turn: &mut Turn<'_>) -> State {
        match input {
            Input::Happened(Event::Authenticated(identity)) if self.identity.is_none() => {
                if !self.wanted.again
                    && let Err(refused) = turn.spend(Cost::OPEN)
                {
                    return turn.close(&refused);
                }
                turn.out.push(Command::Admit {
                    user: identity.user.clone(),
                    session: identity.session.clone(),
                    instance: self.instance.take(),
                    issued_at: identity.issued_at,
                });
                self.identity = Some(*identity);
            }
            Input::Happened(Event::Admitted) => {
                let Self { id, wanted, identity, .. } = *self;
                let Some(identity) = identity else {
                    return turn.close(&ErrorCode::Internal.into());
                };
                turn.out.push(Command::ResumeReading);
                return Open::begin(id, identity, *wanted, turn);
            }
            Input::Happened(Event::AuthRefused(refused) | Event::NotAdmitted(refused)) => {
                return turn.close(&refused);
            }
            Input::Happened(Event::DeadlinePassed) if turn.now.mono >= self.until => {
                return turn.close(&ErrorCode::Timeout.into());
            }
            Input::Happened(Event::DeadlinePassed) => {
                turn.out.push(Command::SetDeadline { at: Some(self.until) });
            }
            Input::Happened(Event::Draining { .. }) => {
                return turn.close(&ErrorCode::Restart.into());
            }
            // The driver read this message before it executed the pause.
            Input::Message(_) => return turn.close(&bad("wait for `connected`")),
            Input::Unreadable { why, .. } => return turn.close(&why),
            Input::Happened(_) => {}
        }
        State::Entering(self)
    }
}

/// Checks the bounds of a `connect` and returns its one credential.
fn checked(connect: &Connect, turn: &Turn<'_>) -> Result<Credential, Refused> {
    if connect.version != VERSION {
        return Err(Refused::new(
            ErrorCode::Version,
            format!("`connect` asks for version {}, this server speaks {VERSION}", connect.version),
        ));
    }
    if connect.instance.as_deref().is_some_and(|name| check_text(name, ID_BYTES).is_err()) {
        return Err(bad("`instance` has 1 to 64 bytes and no control characters"));
    }
    let cursors = connect.cursors.as_ref().map_or(0, Channels::len);
    let most = turn.limits.subscriptions.min(CURSORS);
    if cursors > most {
        return Err(Refused::new(
            ErrorCode::BadRequest,
            format!("`connect` has {cursors} `cursors`, and {most} are the most"),
        ));
    }
    let credential = match (&connect.ticket, &connect.token, &connect.session_token) {
        (None, None, None) => return Ok(Credential::Ambient),
        (Some(text), None, None) => Credential::Ticket(text.clone()),
        (None, Some(text), None) => Credential::Token(text.clone()),
        (None, None, Some(text)) => Credential::SessionToken(text.clone()),
        _ => return Err(bad("offer one of `ticket`, `token` and `session_token`")),
    };
    match &credential {
        Credential::Ticket(text) | Credential::Token(text) | Credential::SessionToken(text)
            if text.len() > CREDENTIAL_BYTES =>
        {
            Err(Refused::new(
                ErrorCode::Unauthorized,
                format!(
                    "a credential has at most {CREDENTIAL_BYTES} bytes, this one {}",
                    text.len()
                ),
            ))
        }
        _ => Ok(credential),
    }
}

/// The `connect` that a ticket in the query stands for.
const fn empty_connect() -> Connect {
    Connect {
        id: None,
        version: VERSION,
        ticket: None,
        token: None,
        session_token: None,
        instance: None,
        batch: None,
        client: None,
        cursors: None,
    }
}

fn bad(detail: impl Into<String>) -> Refused {
    Refused::new(ErrorCode::BadRequest, detail)
}
