//! The split point to the deferred part: code that a page does not need until its first inbox is
//! shown.
//!
//! Browsers load the client in two parts ([`first`](crate::first) describes the first one). The
//! build removes from the first part all code that is called only through functions of a module
//! named `rest`. So every such function takes a [`Rest`], which a client has only when that code is
//! loaded: code that does not wait for it does not compile.

use crate::{Client, Command, Config, Event, Now};

/// Proof that the whole client is loaded.
#[derive(Clone, Copy, Debug)]
pub struct Rest(());

impl Rest {
    /// Only for clients that were created whole, or after [`Event::RestLoaded`].
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

/// Brings settings into range that would stall the client or make it loop.
#[inline(never)]
pub(crate) fn check(_: Rest, config: &mut Config) {
    config.check();
}

/// Describes why the client is not connected, and what happens next.
#[inline(never)]
pub(crate) fn explain(_: Rest, client: &Client, now: Now) -> String {
    client.explained(now)
}
