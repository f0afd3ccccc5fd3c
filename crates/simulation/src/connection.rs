//! A node's end of one connection: its session, its mailbox, and frames that wait.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use bytes::Bytes;
use tidings_protocol::{Channel, Json, ServerMessage, codec::messages_of};
use tidings_server_core::{
    Limits, Mailbox, ProofKey, Session,
    hub::{Sink, Slot},
    session::Command,
};

use crate::{
    env::{Conn, Env, Way},
    observation::{Guest, Observation, OutboundMessage},
    tally::{Count, Tally},
};

/// The proof key that all nodes share.
const PROOFS: ProofKey = ProofKey::new([7; 32]);

/// A connection's handle in the hub.
#[derive(Clone, Debug)]
pub(crate) struct Line(Rc<RefCell<Shared>>);

#[derive(Debug)]
struct Shared {
    mailbox: Mailbox,
    lagged: Vec<(Channel, Slot, u64)>,
}

impl Sink for Line {
    fn push(&self, frame: &Bytes) -> bool {
        self.0.borrow_mut().mailbox.offer(frame)
    }

    fn lagged(&self, channel: &Channel, slot: Slot, sent: u64) {
        self.0.borrow_mut().lagged.push((channel.clone(), slot, sent));
    }
}

/// How messages reach the client.
#[derive(Debug)]
pub(crate) enum Carrier {
    /// As WebSocket frames in both directions.
    Socket,
    /// As events of one long response; `begun` once its first byte was sent.
    Stream { begun: bool },
    /// In one response, as soon as there is news.
    Poll(Box<Batch>),
    /// In the response to a POST of messages.
    Post { answers: String },
}

/// The answer to a poll.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The client wants all messages, the greeting included.
    all: bool,
    /// There is a message that is worth an answer.
    news: bool,
    /// The last message belongs together with the next one, so no answer may end here.
    torn: bool,
    lines: String,
    session: String,
    token: String,
}

impl Batch {
    /// Takes all messages, or waits for news.
    pub(crate) fn new(all: bool) -> Self {
        Self { all, news: all, ..Self::default() }
    }

    /// Takes a message, as `crates/server` does (`transport/{cursor_tracker,poll}.rs`).
    fn take(&mut self, said: &OutboundMessage) {
        self.torn = false;
        match &said.message {
            ServerMessage::Connected(connected) => {
                self.session.clone_from(&connected.session);
                self.token.clone_from(&connected.session_token);
                if !self.all {
                    return;
                }
            }
            ServerMessage::Subscribed(begun) if begun.recovered => {
                if !self.all {
                    return;
                }
            }
            ServerMessage::Subscribed(_) => (self.news, self.torn) = (true, true),
            ServerMessage::Expiring(_) => {}
            message => {
                if let ServerMessage::Refreshed(refreshed) = message {
                    self.token.clone_from(&refreshed.session_token);
                }
                self.news = true;
            }
        }
        self.lines.push_str(&said.text);
        self.lines.push('\n');
    }

    /// The answer: the session to go on with, then the new messages.
    pub(crate) fn text(&self, now: u64) -> String {
        let (session, token) = (Json::string(&self.session), Json::string(&self.token));
        let (session, token) = (session.as_str(), token.as_str());
        format!("{{\"session\":{session},\"session_token\":{token},\"now\":{now}}}\n{}", self.lines)
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) carrier: Carrier,
    /// The refusal, if it is sent as an HTTP answer of its own.
    pub(crate) refusal: Option<String>,
    pub(crate) session: Session,
    pub(crate) line: Line,
    /// The user and session, once the gate has admitted the connection.
    pub(crate) guest: Option<Rc<Guest>>,
    pub(crate) batch: bool,
    pub(crate) writing: bool,
    pub(crate) awaits_drain: bool,
    pub(crate) paused: bool,
    /// Frames that arrived while reading was paused.
    pub(crate) unread: Vec<String>,
}

impl Connection {
    pub(crate) fn new(
        limits: &Arc<Limits>,
        seed: u64,
        now: tidings_server_core::Now,
    ) -> (Self, Vec<Command>) {
        let mut out = Vec::new();
        let mut session = Session::new(limits.clone(), seed, now, &mut out);
        session.prove_with(Arc::new(PROOFS));
        (Self::of(session, limits, Carrier::Socket), out)
    }

    pub(crate) fn of(session: Session, limits: &Limits, carrier: Carrier) -> Self {
        let shared = Shared { mailbox: Mailbox::new(limits.mailbox_bytes), lagged: Vec::new() };
        Self {
            carrier,
            refusal: None,
            session,
            line: Line(Rc::new(RefCell::new(shared))),
            guest: None,
            batch: false,
            writing: false,
            awaits_drain: false,
            paused: false,
            unread: Vec::new(),
        }
    }

    pub(crate) fn queue(&self, frame: Bytes) {
        self.line.0.borrow_mut().mailbox.push(frame);
    }

    pub(crate) fn queued(&self) -> usize {
        self.line.0.borrow().mailbox.bytes()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.line.0.borrow().mailbox.is_full()
    }

    pub(crate) fn is_low(&self) -> bool {
        self.line.0.borrow().mailbox.is_low()
    }

    /// Takes a subscription that the hub sent back to read from the log, if there is one.
    pub(crate) fn take_lagged(&self) -> Option<(Channel, Slot, u64)> {
        let mut shared = self.line.0.borrow_mut();
        (!shared.lagged.is_empty()).then(|| shared.lagged.remove(0))
    }

    /// Sends one more frame; `false` if none waits.
    pub(crate) fn write(&mut self, env: &mut Env, conn: Conn, join: usize) -> bool {
        let frame = self.line.0.borrow_mut().mailbox.take(self.batch, join);
        let Some(frame) = frame else { return false };
        let text = String::from_utf8_lossy(&frame).into_owned();
        let said: Vec<OutboundMessage> = messages_of(&text).filter_map(read).collect();
        if let Some(guest) = &self.guest {
            said.iter().for_each(|said| count(&mut env.tally, &said.message));
            env.observe(Observation::Left { conn, guest: guest.clone(), messages: said.clone() });
        }
        if !self.is_begun() && text.starts_with("{\"type\":\"error\",\"code\":") {
            self.refusal = Some(text);
            return true;
        }
        match &mut self.carrier {
            Carrier::Socket => env.send(conn, Way::Down, text),
            Carrier::Stream { begun } => {
                if !std::mem::replace(begun, true) {
                    env.answer(conn, 200, None);
                }
                let events = messages_of(&text).map(|line| format!("data: {line}\n\n"));
                env.send(conn, Way::Down, events.collect());
            }
            Carrier::Poll(batch) => said.iter().for_each(|said| batch.take(said)),
            Carrier::Post { answers } => {
                answers.push_str(&text);
                answers.push('\n');
            }
        }
        true
    }

    /// Whether it is too late to refuse by the HTTP status of the answer.
    const fn is_begun(&self) -> bool {
        match self.carrier {
            Carrier::Socket | Carrier::Post { .. } => true,
            Carrier::Stream { begun } => begun,
            Carrier::Poll(_) => false,
        }
    }

    /// Whether the answer is complete and may be sent.
    pub(crate) fn is_at_rest(&self) -> bool {
        let ready = match &self.carrier {
            Carrier::Socket | Carrier::Stream { .. } => false,
            Carrier::Poll(batch) => batch.news && !batch.torn,
            Carrier::Post { .. } => self.unread.is_empty(),
        };
        ready && self.queued() == 0 && self.session.is_settled()
    }

    /// The answer so far, if the connection has one.
    pub(crate) fn answer(&self, now: u64) -> Option<String> {
        match &self.carrier {
            Carrier::Socket | Carrier::Stream { .. } => None,
            Carrier::Poll(batch) => Some(batch.text(now)),
            Carrier::Post { answers } => Some(answers.clone()),
        }
    }
}

fn read(text: &str) -> Option<OutboundMessage> {
    let message = ServerMessage::decode(text).ok()?;
    Some(OutboundMessage { message, text: text.to_owned() })
}

fn count(tally: &mut Tally, message: &ServerMessage) {
    let what = match message {
        ServerMessage::Notification(_)
        | ServerMessage::Marked(_)
        | ServerMessage::Trimmed(_)
        | ServerMessage::Message(_) => Count::Deliveries,
        ServerMessage::Subscribed(answer) if answer.recovered => Count::Resumes,
        ServerMessage::Snapshot(_) => Count::Snapshots,
        ServerMessage::Pong(pong) if pong.tops.is_some() => Count::Pongs,
        ServerMessage::Refreshed(_) => Count::Refreshes,
        ServerMessage::Error(error) if error.code == "expired" => Count::Expired,
        ServerMessage::Error(error) if error.code == "forbidden" => Count::Forbidden,
        ServerMessage::Error(error) if error.expected.is_some() => Count::Moved,
        _ => return,
    };
    tally.count(what);
}
