//! Requests, as a driver would execute them.

use tidings_client_core::{Command, Config, Credential, Event, TransportKind, User};
use tidings_protocol::{ClientMessage, client::Connect};

use crate::{harness::Rig, says};

/// A request under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) number: u64,
    pub(crate) path: String,
    pub(crate) bearer: Option<String>,
    pub(crate) body: String,
}

impl Asked {
    /// The `connect` that opens a stream or poll.
    pub(crate) fn connect(&self) -> Connect {
        match ClientMessage::decode(&self.body) {
            Ok(ClientMessage::Connect(connect)) => connect,
            other => panic!("{other:?}"),
        }
    }

    /// Its cursors, as `channel offset`.
    pub(crate) fn cursors(&self) -> Vec<String> {
        let cursors = self.connect().cursors.unwrap_or_default();
        cursors.iter().map(|(channel, cursor)| format!("{channel} {}", cursor.offset)).collect()
    }

    /// The messages in its body.
    pub(crate) fn messages(&self) -> Vec<ClientMessage> {
        self.body.lines().map(|line| ClientMessage::decode(line).unwrap()).collect()
    }
}

pub(crate) fn all_transports(config: &mut Config) {
    config.transports = vec![TransportKind::Ws, TransportKind::Sse, TransportKind::Poll];
}

/// A poll's response, with its head.
pub(crate) fn answer(token: &str, messages: &[String]) -> String {
    let mut text =
        format!("{{\"session\":\"s1\",\"session_token\":\"{token}\",\"cursors\":{{}}}}\n");
    for message in messages {
        text.push_str(message);
        text.push('\n');
    }
    text
}

/// The first messages of a stream or poll, for a client without cursors.
pub(crate) fn beginning(items: &[&str]) -> Vec<String> {
    let top = items.len() as u64;
    vec![
        says::connected("u1"),
        says::subscribed("inbox:u1", "inboxone", top, top, false),
        says::subscribed("system:all", "system01", 0, 0, false),
        says::snapshot(items),
    ]
}

/// The same for a client that resumes from these offsets of inbox and `system:all`.
pub(crate) fn goes_on(inbox: u64, top: u64) -> Vec<String> {
    vec![
        says::connected("u1"),
        says::subscribed("inbox:u1", "inboxone", top, inbox, true),
        says::subscribed("system:all", "system01", 0, 0, true),
    ]
}

impl Rig {
    /// A client of `u1` that connects over this transport only, and has its ticket.
    pub(crate) fn over(kind: TransportKind) -> Self {
        let mut rig = Self::with(|config| config.transports = vec![kind]);
        rig.event(Event::UserChanged(User::Named("u1".into())));
        rig.event(Event::ConnectRequested);
        rig.ticket(Ok(Credential::Ticket("t-1".into())));
        rig
    }

    /// A client of `u1` that is live with these items over a stream.
    pub(crate) fn streaming(items: &[&str]) -> Self {
        let mut rig = Self::over(TransportKind::Sse);
        rig.open_stream(items);
        rig.take();
        rig
    }

    pub(crate) fn open_stream(&mut self, items: &[&str]) {
        let stream = self.asked("sse?");
        self.status(stream.number, 200);
        for message in beginning(items) {
            self.says(&message);
        }
    }

    /// The reopened stream resumes from the cursors of inbox and `system:all`.
    pub(crate) fn stream_goes_on(&mut self, inbox: u64, top: u64) {
        let stream = self.asked("sse?");
        self.status(stream.number, 200);
        for message in goes_on(inbox, top) {
            self.says(&message);
        }
    }

    /// A client of `u1` that is live with these items over polls.
    pub(crate) fn polling(items: &[&str]) -> Self {
        let mut rig = Self::over(TransportKind::Poll);
        let poll = rig.asked("poll?");
        rig.answered(poll.number, &answer("st", &beginning(items)));
        rig.take();
        rig
    }

    /// The one request under way with this beginning of its path.
    pub(crate) fn asked(&self, path: &str) -> Asked {
        let mut found = self.requests.iter().filter(|asked| asked.path.starts_with(path));
        let one = found.next().unwrap_or_else(|| panic!("nothing at {path}: {:?}", self.requests));
        assert_eq!(found.next(), None, "one at a time");
        one.clone()
    }

    /// Whether there is one.
    pub(crate) fn asks(&self, path: &str) -> bool {
        self.requests.iter().any(|asked| asked.path.starts_with(path))
    }

    pub(crate) fn status(&mut self, request: u64, status: u16) {
        self.event(Event::RequestAnswered { request, status, retry_after_ms: None });
    }

    pub(crate) fn piece(&mut self, request: u64, text: &str) {
        self.event(Event::RequestReceived { request, text: text.into() });
    }

    /// The stream brings a message.
    pub(crate) fn says(&mut self, message: &str) {
        let stream = self.asked("sse?");
        self.piece(stream.number, &format!("data: {message}\n\n"));
    }

    pub(crate) fn request_ended(&mut self, request: u64, reason: Option<&str>) {
        self.requests.retain(|asked| asked.number != request);
        self.event(Event::RequestEnded { request, reason: reason.map(String::from) });
    }

    /// A complete response.
    pub(crate) fn answered(&mut self, request: u64, body: &str) {
        self.refused(request, 200, body);
    }

    /// The same with another status.
    pub(crate) fn refused(&mut self, request: u64, status: u16, body: &str) {
        self.status(request, status);
        self.piece(request, body);
        self.request_ended(request, None);
    }

    pub(crate) fn obey_request(&mut self, command: &Command) {
        match command.clone() {
            Command::Request { request: number, path, bearer, body } => {
                self.requests.push(Asked { number, path, bearer, body });
            }
            Command::AbortRequest { request } => {
                let before = self.requests.len();
                self.requests.retain(|asked| asked.number != request);
                assert_eq!(self.requests.len() + 1, before, "aborts what is under way");
            }
            _ => {}
        }
    }
}
