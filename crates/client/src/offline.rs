//! The browser says that there is no network: attempts would only fail.

use crate::{
    connecting::Connecting,
    context::Context,
    machine::{Input, State},
};

/// Waits for the browser, or for the app to know better.
#[derive(Debug)]
pub(crate) struct Offline;

impl Offline {
    pub(crate) fn on(self, input: Input<'_>, cx: &mut Context) -> State {
        match input {
            Input::Online => State::start(cx),
            // Browsers err: behind some VPNs they call a working network offline.
            Input::RetryNow => Connecting::begin(cx),
            _ => State::Offline(self),
        }
    }
}
