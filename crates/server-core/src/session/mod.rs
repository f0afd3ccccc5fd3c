//! One pure state machine per connection.
//!
//! ```text
//! AwaitingConnect ─connect─► Entering (authenticate, admit) ─► Open ─► Closing
//! ```
//!
//! A driver feeds [`Event`]s and executes [`Command`]s in order; nothing waits inside. Each subscription of an open
//! session is either catching up (it pulls pages of the log as the connection drains) or live (the hub pushes records
//! into the mailbox, past the session).
//!
//! What a driver does besides:
//! 1. keeps the connection's [`crate::Mailbox`], its one deadline, and a [`crate::hub::Sink`] that pushes into the mailbox;
//! 2. reads frames only while the mailbox is not full and the session did not say `PauseReading`;
//! 3. feeds answers of `Attach`, `GoLive` and `Tops` at once: they only need the hub's lock;
//! 4. hands committed records to the hub in the order of commits, before it feeds `Committed`.

mod command;
mod event;

pub use command::{Command, Credential};
pub use event::{Event, Request};

use std::sync::Arc;

use crate::{Limits, Now};

/// One connection. See the module's documentation for the contract.
#[derive(Debug)]
pub struct Session {
    limits: Arc<Limits>,
}

impl Session {
    /// A connection that has just opened. `seed` is random: ids of its records come from it.
    pub fn new(limits: Arc<Limits>, _seed: u64, now: Now, out: &mut Vec<Command>) -> Self {
        out.push(Command::SetDeadline { at: Some(now.mono + limits.connect_ms) });
        Self { limits }
    }

    /// Something happened.
    pub fn handle(&mut self, _now: Now, _event: Event<'_>, _out: &mut Vec<Command>) {
        let _ = &self.limits;
    }
}
