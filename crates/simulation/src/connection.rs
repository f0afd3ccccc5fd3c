//! A node's end of one connection: its session, its mailbox, and what waits.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use bytes::Bytes;
use tidings_protocol::{Channel, ServerMessage, codec::messages_of};
use tidings_server_core::{
    Limits, Mailbox, Session,
    hub::{Sink, Slot},
    session::Command,
};

use crate::{
    env::{Conn, Env, Way},
    sight::{Guest, Said, Sight},
    tally::{Count, Tally},
};

/// A handle of a connection, for the hub.
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

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) session: Session,
    pub(crate) line: Line,
    /// Who it is, once counted in.
    pub(crate) guest: Option<Rc<Guest>>,
    pub(crate) batch: bool,
    pub(crate) writing: bool,
    pub(crate) awaits_drain: bool,
    pub(crate) paused: bool,
    /// Frames that came while reading was paused.
    pub(crate) unread: Vec<String>,
}

impl Connection {
    pub(crate) fn new(
        limits: &Arc<Limits>,
        seed: u64,
        now: tidings_server_core::Now,
    ) -> (Self, Vec<Command>) {
        let mut out = Vec::new();
        let session = Session::new(limits.clone(), seed, now, &mut out);
        let shared = Shared { mailbox: Mailbox::new(limits.mailbox_bytes), lagged: Vec::new() };
        let connection = Self {
            session,
            line: Line(Rc::new(RefCell::new(shared))),
            guest: None,
            batch: false,
            writing: false,
            awaits_drain: false,
            paused: false,
            unread: Vec::new(),
        };
        (connection, out)
    }

    pub(crate) fn queue(&self, frame: Bytes) {
        self.line.0.borrow_mut().mailbox.push(frame);
    }

    pub(crate) fn queued(&self) -> usize {
        self.line.0.borrow().mailbox.bytes()
    }

    pub(crate) fn is_low(&self) -> bool {
        self.line.0.borrow().mailbox.is_low()
    }

    /// A subscription the hub sent back to the log, if any.
    pub(crate) fn take_lagged(&self) -> Option<(Channel, Slot, u64)> {
        let mut shared = self.line.0.borrow_mut();
        (!shared.lagged.is_empty()).then(|| shared.lagged.remove(0))
    }

    /// One more frame leaves; false when nothing waits.
    pub(crate) fn write(&self, env: &mut Env, conn: Conn, join: usize) -> bool {
        let frame = self.line.0.borrow_mut().mailbox.take(self.batch, join);
        let Some(frame) = frame else { return false };
        let text = String::from_utf8_lossy(&frame).into_owned();
        if let Some(guest) = &self.guest {
            let said: Vec<Said> = messages_of(&text).filter_map(read).collect();
            said.iter().for_each(|said| count(&mut env.tally, &said.message));
            env.saw(Sight::Left { conn, guest: guest.clone(), said });
        }
        env.send(conn, Way::Down, text);
        true
    }
}

fn read(text: &str) -> Option<Said> {
    let message = ServerMessage::decode(text).ok()?;
    Some(Said { message, text: text.to_owned() })
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
