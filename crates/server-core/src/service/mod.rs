//! The only code that changes state: from a request and its caller's rights to a
//! [`Write`](crate::store::Write) or a refusal, and from the write's outcome to an answer. REST
//! handlers and sessions both use it.

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

/// The caller of a request.
#[derive(Clone, Copy, Debug)]
pub enum Caller<'a> {
    /// A backend with an API key, which may do everything.
    Backend,
    /// A user.
    User(&'a Identity),
}

impl<'a> Caller<'a> {
    /// Refuses a request that the caller has no right to. A channel that does not exist is refused
    /// in the same way, so that the refusal reveals nothing.
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

    /// The user that the request is about. A backend names one; a user may only name themselves.
    ///
    /// # Errors
    /// `bad_request` if a backend names no user, `user_mismatch`.
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

    /// The caller's identity, if the caller is a user.
    #[must_use]
    pub const fn identity(self) -> Option<&'a Identity> {
        match self {
            Self::Backend => None,
            Self::User(identity) => Some(identity),
        }
    }
}

/// A user's position in an outbox lane, with the bound on the user's lanes. `None` if the request
/// names none.
///
/// # Errors
/// `bad_request` if only one of the two is given or either is out of bounds.
pub fn lane(
    user: &str,
    client_id: Option<String>,
    seq: Option<u64>,
    most: u64,
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
            Ok(Some(Lane { user: user.to_owned(), client_id, seq, most }))
        }
        (Some(_), None) => bad("`client_id` needs `seq`"),
        (None, Some(_)) => bad("`seq` needs `client_id`"),
    }
}

/// An invalid body.
impl From<tidings_protocol::rest::BodyError> for Refused {
    fn from(error: tidings_protocol::rest::BodyError) -> Self {
        Self::new(ErrorCode::BadRequest, error.to_string())
    }
}
