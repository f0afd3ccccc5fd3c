//! No connection is wanted.

use crate::{
    context::Context,
    machine::{Input, State},
};

/// The client holds no transport and has no deadline.
#[derive(Debug)]
pub(crate) struct Idle;

impl Idle {
    pub(crate) fn on(self, input: Input<'_>, cx: &mut Context) -> State {
        match input {
            Input::Wanted => State::start(cx),
            _ => State::Idle(self),
        }
    }
}
