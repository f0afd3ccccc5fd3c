//! How a client comes, with what, for what, and how that ends.

use std::collections::BTreeMap;

use serde_json::Value;

/// The ways a client may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    WebSocket,
    /// `GET`, as `EventSource` does.
    EventSource,
    /// `POST` with a `connect`, as a client by `fetch` does.
    FetchedStream,
    /// `GET`, cursors in the address.
    AddressedPoll,
    /// `POST` with a `connect`.
    FetchedPoll,
}

/// What a client offers to say who it is.
#[derive(Clone, Debug)]
pub(crate) enum Offer {
    Ticket(String),
    /// Where it was before: goes on with the session token.
    Resume(Resume),
    /// Where it was before, with a new ticket.
    Again(Resume, String),
}

/// Where a client was.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resume {
    pub(crate) session: String,
    pub(crate) token: String,
    /// By channel.
    pub(crate) cursors: BTreeMap<String, Value>,
    /// `id` of the last event, or `cursor` of the last answer.
    pub(crate) place: String,
    /// What opened the first connection; spent.
    pub(crate) ticket: String,
}

/// How a connection, or the attempt at one, ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// `ticket`, `never` or `backoff`.
    pub(crate) retry: &'static str,
    /// Where the transport can tell; `EventSource` hears of a final refusal only that it is one.
    pub(crate) code: Option<String>,
}

impl Ended {
    /// As the kind of transport can know it, when nothing was said before.
    pub(crate) fn refused(kind: Kind, retry: &'static str, code: &str) -> Self {
        let hidden = kind == Kind::EventSource && retry == "never";
        Self { retry, code: (!hidden).then(|| code.to_owned()) }
    }

    pub(crate) fn told(retry: &'static str, code: &str) -> Self {
        Self { retry, code: Some(code.to_owned()) }
    }
}

/// What a client wants besides its credential.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    pub(crate) channels: Vec<String>,
    pub(crate) instance: Option<String>,
}

impl Wish {
    pub(crate) fn channels(names: &[&str]) -> Self {
        Self { channels: names.iter().map(|&name| name.to_owned()).collect(), instance: None }
    }

    pub(crate) fn instance(name: &str) -> Self {
        Self { channels: Vec::new(), instance: Some(name.to_owned()) }
    }
}
