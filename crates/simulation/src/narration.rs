//! Describes events in words, for a readable trace.

use std::fmt::{self, Display, Formatter};

use tidings_protocol::codec::messages_of;

use crate::env::{Conn, Due, Way};

impl Due {
    /// One line for each message; none for events that carry no information.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        match self {
            Self::Dial(conn) => vec![format!("{conn} dials")],
            Self::Opened(conn) => vec![format!("{conn} is open")],
            Self::Asks(conn, asked) => vec![format!("{conn} asks {}: {}", asked.path, asked.body)],
            Self::Answers(conn, status, _) => vec![format!("{conn} is answered {status}")],
            Self::Arrives(conn, way, text) => {
                let arrow = if *way == Way::Up { "──►" } else { "◄──" };
                messages_of(text).map(|line| format!("{conn} {arrow} {line}")).collect()
            }
            Self::Closed(conn, Way::Up, _) => vec![format!("{conn} is gone, the server hears")],
            Self::Closed(conn, Way::Down, code) => vec![format!("{conn} is closed with {code}")],
            Self::DeferredLoaded { page } => vec![format!("{page} gets the rest of its client")],
            Self::Loaded { page, key } => vec![format!("{page} reads the cache of {key:?}")],
            Self::Saves { page, save } => {
                let [(_, one), (_, two)] = save.saved.cursors;
                vec![format!("{page} saves the cache of {:?} at {one} and {two}", save.key)]
            }
            Self::LaneWorked { page } => {
                vec![format!("the browser of {page} is done with rows of its outbox")]
            }
            Self::LaneTold { page, event } => vec![format!("{page} hears {event:?}")],
            Self::CommitDone { of } => vec![format!("node {} commits", of.node)],
            Self::Hinted { of, news, .. } => vec![format!("node {} hears {news:?}", of.node)],
            Self::Stops { of } => vec![format!("node {} stops", of.node)],
            Self::Starts { node } => vec![format!("node {node} starts")],
            Self::Requested { of, publish } => {
                vec![format!("publish {publish} reaches node {}", of.node)]
            }
            _ => Vec::new(),
        }
    }
}

impl Display for Conn {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.request() {
            Some(request) => write!(f, "{} request {request}", self.page),
            None => write!(f, "{} #{}", self.page, self.transport),
        }
    }
}
