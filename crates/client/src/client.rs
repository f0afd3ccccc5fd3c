//! Under construction.

use crate::{Command, Config, Connection, Event, Filter, InboxView, Now, Outbox};

/// The client. See the crate's documentation for the contract.
#[derive(Debug)]
pub struct Client {}

impl Client {
    /// A client that has done nothing yet.
    #[must_use]
    pub fn new(_config: Config) -> Self {
        Self {}
    }
    /// Something happened.
    pub fn handle(&mut self, _now: Now, _event: Event, _out: &mut Vec<Command>) {}
    /// The connection's snapshot.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        unreachable!()
    }
    /// A view of the inbox. `Arc`s inside are the same as long as the content is.
    pub fn inbox(&mut self, _filter: &Filter) -> InboxView {
        unreachable!()
    }
    /// Unanswered and refused intents.
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        unreachable!()
    }
    /// Server time in milliseconds since 1970, once known.
    #[must_use]
    pub fn server_time(&self, _now: Now) -> Option<u64> {
        None
    }
    /// In words: why it is not connected, and what happens next.
    #[must_use]
    pub fn explain(&self, _now: Now) -> String {
        String::new()
    }
}
