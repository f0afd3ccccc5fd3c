//! The split point to the deferred part: code that a page does not need until its first inbox is
//! shown.
//!
//! Browsers load the client in two parts ([`startup`](crate::startup) describes the first one). The
//! build removes from the first part all code that is called only through functions of a module
//! named `deferred`. So every such function takes a [`DeferredLoaded`], which a client has only
//! when that code is loaded: code that does not wait for it does not compile.

use crate::{Client, Command, Config, Event, Now};

/// Proof that the whole client is loaded.
#[derive(Clone, Copy, Debug)]
pub struct DeferredLoaded(());

impl DeferredLoaded {
    /// Only for clients that were created whole, or after [`Event::DeferredLoaded`].
    pub(crate) const fn is_there() -> Self {
        Self(())
    }
}

/// Handles any event.
#[inline(never)]
pub(crate) fn handle(
    _: DeferredLoaded,
    client: &mut Client,
    event: Event,
    jumped: bool,
    out: &mut Vec<Command>,
) {
    client.handle_any(event, jumped, out);
}

/// Brings settings into range that would stall the client or make it loop.
#[inline(never)]
pub(crate) fn check(_: DeferredLoaded, config: &mut Config) {
    config.check();
}

/// Describes why the client is not connected, and what happens next.
#[inline(never)]
pub(crate) fn explain(_: DeferredLoaded, client: &Client, now: Now) -> String {
    client.explained(now)
}
