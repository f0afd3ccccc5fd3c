//! Nobody asked for a connection.

use crate::{
    context::Context,
    machine::{Input, State},
};

/// Nothing is held, nothing is due.
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
