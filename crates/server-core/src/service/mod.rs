//! The only code that changes state: from a request and its caller's rights to a [`Write`](crate::store::Write) or a
//! refusal, and from what became of it to an answer. REST handlers and sessions both go through here.

mod answer;
mod mark;
mod message;
mod notify;
mod revoke;
mod ticket;

pub use answer::{Outcome, ack, error, outcome};
pub use mark::{MarkIntent, mark};
pub use message::message;
pub use notify::notify;
pub use revoke::{end_session, revoke};
pub use ticket::{Grant, grant, share};

use tidings_protocol::{Channel, ErrorCode, address::check_text, limits::ID_BYTES, rights::Right};

use crate::{Identity, refused::Refused, store::Lane};

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub enum Caller<'a> {
    /// A backend with an API key: it needs no rights.
    Backend,
    /// A user.
    User(&'a Identity),
}

impl<'a> Caller<'a> {
    /// Refuses what the caller may not do. A channel that does not exist is refused alike: who may not enter learns
    /// nothing.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn check(self, channel: &Channel, right: Right) -> Result<(), Refused> {
        match self {
            Self::Backend => Ok(()),
            Self::User(identity) if identity.rights.allows(&identity.user, channel, right) => {
                Ok(())
            }
            Self::User(_) => Err(Refused::new(
                ErrorCode::Forbidden,
                match right {
                    Right::Subscribe => {
                        "the credential has no right to `subscribe` to this channel"
                    }
                    Right::Publish => "the credential has no right to `publish` to this channel",
                    Right::Signal => "the credential has no right to `signal` on this channel",
                    Right::Presence => {
                        "the credential has no right to see the `presence` of this channel"
                    }
                    Right::History => {
                        "the credential has no right to read the `history` of this channel"
                    }
                },
            )),
        }
    }

    /// The user who is meant: a backend names one, a user may name nobody but themselves.
    ///
    /// # Errors
    /// `bad_request` where a backend names nobody, `user_mismatch`.
    pub fn user(self, named: Option<String>) -> Result<String, Refused> {
        match (self, named) {
            (Self::Backend, Some(user)) => Ok(user),
            (Self::Backend, None) => {
                Err(Refused::new(ErrorCode::BadRequest, "a backend names the `user`"))
            }
            (Self::User(identity), named) => {
                match named.is_none_or(|named| named == identity.user) {
                    true => Ok(identity.user.clone()),
                    false => Err(Refused::new(
                        ErrorCode::UserMismatch,
                        "`user` is another one than the credential's: leave it out, or call with an API key.",
                    )),
                }
            }
        }
    }

    /// The user's identity, if it is a user.
    #[must_use]
    pub const fn identity(self) -> Option<&'a Identity> {
        match self {
            Self::Backend => None,
            Self::User(identity) => Some(identity),
        }
    }
}

/// A user's place in an outbox lane; `None` when the request names none.
///
/// # Errors
/// `bad_request` when only one of the two is given or either is out of bounds.
pub fn lane(
    user: &str,
    client_id: Option<String>,
    seq: Option<u64>,
) -> Result<Option<Lane>, Refused> {
    let bad = |detail| Err(Refused::new(ErrorCode::BadRequest, detail));
    match (client_id, seq) {
        (None, None) => Ok(None),
        (Some(client_id), Some(seq)) => {
            if check_text(&client_id, ID_BYTES).is_err() {
                return bad("`client_id` has 1 to 64 bytes and no control characters");
            }
            if seq == 0 {
                return bad("`seq` counts from 1");
            }
            Ok(Some(Lane { user: user.to_owned(), client_id, seq }))
        }
        (Some(_), None) => bad("`client_id` needs `seq`"),
        (None, Some(_)) => bad("`seq` needs `client_id`"),
    }
}

/// A body that is not as it must be.
impl From<tidings_protocol::rest::BodyError> for Refused {
    fn from(error: tidings_protocol::rest::BodyError) -> Self {
        Self::new(ErrorCode::BadRequest, error.to_string())
    }
}
