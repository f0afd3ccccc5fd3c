//! The door to what a page does not need until its first inbox is there.
//!
//! Browsers load the client in two parts ([`first`](crate::first) says what is in the one that comes first). Whatever is
//! called through a function of a module named `rest` is cut out of the first part by the build, with all that nothing
//! else calls. So every such function wants a [`Rest`], which a client has only once that code is there: whoever
//! compiles can't have forgotten to wait.

use crate::{Client, Command, Config, Event, Now};

/// Proof that the whole client is loaded.
#[derive(Clone, Copy, Debug)]
pub struct Rest(());

impl Rest {
    /// Only where it is true: in clients made whole, or after [`Event::RestLoaded`].
    pub(crate) const fn is_there() -> Self {
        Self(())
    }
}

/// Handles any event.
#[inline(never)]
pub(crate) fn handle(
    _: Rest,
    client: &mut Client,
    event: Event,
    jumped: bool,
    out: &mut Vec<Command>,
) {
    client.handle_any(event, jumped, out);
}

/// Brings settings that would stall or spin the client into range.
#[inline(never)]
pub(crate) fn check(_: Rest, config: &mut Config) {
    config.check();
}

/// In words: why it is not connected, and what happens next.
#[inline(never)]
pub(crate) fn explain(_: Rest, client: &Client, now: Now) -> String {
    client.explained(now)
}
