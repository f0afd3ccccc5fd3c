//! How a client connects: its credential, its channels, and how the connection ends.

use std::collections::BTreeMap;

use serde_json::Value;

/// The transports of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    WebSocket,
    /// `GET`, as `EventSource` does.
    EventSource,
    /// `POST` with a `connect`, as a client with `fetch` does.
    FetchedStream,
    /// `GET` with cursors in the address.
    AddressedPoll,
    /// `POST` with a `connect`.
    FetchedPoll,
}

/// The credential that a client offers.
#[derive(Clone, Debug)]
pub(crate) enum Offer {
    Ticket(String),
    /// The state of an earlier connection, with its session token.
    Resume(Resume),
    /// The state of an earlier connection, with a new ticket.
    Again(Resume, String),
}

/// The state of an earlier connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resume {
    pub(crate) session: String,
    pub(crate) token: String,
    /// By channel.
    pub(crate) cursors: BTreeMap<String, Value>,
    /// `id` of the last event, or `cursor` of the last answer.
    pub(crate) place: String,
    /// The spent ticket of the first connection.
    pub(crate) ticket: String,
}

/// The end of a connection, or of the attempt at one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// `ticket`, `never` or `backoff`.
    pub(crate) retry: &'static str,
    /// The error code, if the transport can show it: with a final refusal, `EventSource` sees none.
    pub(crate) code: Option<String>,
}

impl Ended {
    /// The end without an earlier message, as this transport shows it.
    pub(crate) fn refused(kind: Kind, retry: &'static str, code: &str) -> Self {
        let hidden = kind == Kind::EventSource && retry == "never";
        Self { retry, code: (!hidden).then(|| code.to_owned()) }
    }

    pub(crate) fn told(retry: &'static str, code: &str) -> Self {
        Self { retry, code: Some(code.to_owned()) }
    }
}

/// A client's wishes besides its credential.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectRequest {
    pub(crate) channels: Vec<String>,
    pub(crate) instance: Option<String>,
}

impl ConnectRequest {
    pub(crate) fn channels(names: &[&str]) -> Self {
        Self { channels: names.iter().map(|&name| name.to_owned()).collect(), instance: None }
    }

    pub(crate) fn instance(name: &str) -> Self {
        Self { channels: Vec::new(), instance: Some(name.to_owned()) }
    }
}
