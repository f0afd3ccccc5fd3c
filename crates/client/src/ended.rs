//! No further attempts.

use crate::{
    context::Context,
    machine::{Input, State},
};

/// Why the client makes no further attempt by itself.
#[derive(Debug)]
pub(crate) enum Ended {
    /// `close()`: final.
    Closed,
    /// A refusal that a retry can't change, or all attempts failed; `Context::trouble` says which.
    Failed,
    /// There is no user, or the ticket function said so.
    SignedOut,
}

impl Ended {
    pub(crate) fn on(self, input: Input<'_>, cx: &mut Context) -> State {
        match input {
            Input::Wanted | Input::RetryNow => {
                cx.failures.reset();
                cx.trouble = None;
                State::start(cx)
            }
            _ => State::Ended(self),
        }
    }
}
