//! Small logs and observations for the tests that show that each checker can fail.

use std::rc::Rc;

use tidings_protocol::{
    Channel, Epoch, Json, ServerMessage,
    rest::{PublishNotification, Target},
    rights::{Grant, Pattern, RightSet, Rights},
};
use tidings_server_core::{
    Identity, Ids, MemoryStore,
    memory::Syncing,
    service,
    store::{Op, RecordRef, Store, Write, Written},
};

use super::{Checker, Scene};
use crate::{
    env::Conn,
    model::History,
    observation::{Guest, Observation, OutboundMessage, Page},
};

/// A store with an inbox of `mina`, and its history.
pub(super) struct Stage {
    pub(super) store: MemoryStore,
    pub(super) history: History,
    pub(super) now: u64,
    ids: Ids,
}

pub(super) const PAGE: Page = Page { device: 0, life: 0 };
pub(super) const CONN: Conn = Conn { page: PAGE, transport: 1 };

impl Stage {
    pub(super) fn new() -> Self {
        let store = MemoryStore::new(1, Syncing::BeforeTheAnswer);
        let mut history = History::default();
        let op = Op::OpenInbox { user: "mina".to_owned() };
        store.commit(1, &[Write { key: None, lane: None, op }]).unwrap();
        history.user(&store, "mina");
        Self { store, history, now: 0, ids: Ids::new(1) }
    }

    pub(super) fn scene(&self) -> Scene<'_> {
        let Self { store, history, now, .. } = self;
        Scene { now: *now, store, history }
    }

    /// Stores publish `number` for `mina`, as a backend without an idempotency key would.
    pub(super) fn publish(&mut self, number: usize) -> RecordRef {
        let body = PublishNotification {
            to: Target { user: Some("mina".into()), ..Target::default() },
            kind: "like".into(),
            title: crate::world::title(number),
            ..PublishNotification::default()
        };
        let write = service::notify(&body, None, 1, &mut self.ids).unwrap();
        self.write(write)
    }

    /// Stores a write that makes one record.
    pub(super) fn write(&mut self, write: Write) -> RecordRef {
        let written = self.store.commit(1, &[write]).unwrap().remove(0).unwrap();
        self.history.refresh(&self.store);
        let Written::Records { records, .. } = written else { panic!("no record: {written:?}") };
        let record = records[0].clone();
        RecordRef {
            channel: record.channel,
            epoch: record.epoch,
            offset: record.offset,
            id: record.id,
        }
    }

    pub(super) fn observe(
        &self,
        checker: &mut dyn Checker,
        observation: &Observation,
    ) -> Result<(), String> {
        checker.observe(&self.scene(), observation)
    }
}

pub(super) fn inbox() -> Channel {
    Channel::inbox("mina").unwrap()
}

pub(super) fn room() -> Channel {
    Channel::parse("room:a").unwrap()
}

/// Stores a message of `mina` in the room, at a lane and `seq`.
pub(super) fn publish_as(stage: &mut Stage, lane: &str, seq: u64, message: u64) -> RecordRef {
    stage.history.room(&stage.store, &room());
    let who = Identity {
        user: "mina".into(),
        info: None,
        rights: Rights::new(vec![Grant {
            pattern: Pattern::parse("room:a").unwrap(),
            allow: RightSet::ALL,
        }]),
        session: "s".into(),
        session_token: String::new(),
        issued_at: 0,
        expires_at: None,
    };
    let lane = service::lane("mina", Some(lane.into()), Some(seq), 10).unwrap();
    let data = crate::world::words(message, 0);
    let caller = service::Caller::User(&who);
    let write = service::message(caller, room(), data, lane, None, 1, &mut stage.ids).unwrap();
    stage.write(write)
}

pub(super) fn guest(session: &str, instance: &str) -> Rc<Guest> {
    let (session, instance) = (session.to_owned(), Some(instance.to_owned()));
    Rc::new(Guest { user: "mina".to_owned(), session, instance, issued_at: 10 })
}

/// Messages from a node to `mina`.
pub(super) fn left(texts: &[&str]) -> Observation {
    let read = |text: &&str| OutboundMessage {
        message: ServerMessage::decode(text).unwrap(),
        text: (*text).to_owned(),
    };
    Observation::Left {
        conn: CONN,
        guest: guest("s", "p"),
        messages: texts.iter().map(read).collect(),
    }
}

pub(super) fn subscribed(epoch: Epoch, offset: u64) -> String {
    format!(
        r#"{{"type":"subscribed","channel":"inbox:mina","epoch":"{epoch}","first":1,"top":9,"offset":{offset},"recovered":true}}"#
    )
}

pub(super) fn notification(channel: &str, offset: u64, data: &str) -> String {
    let data = Json::string(data);
    format!(
        r#"{{"type":"notification","channel":"{channel}","offset":{offset},"id":"n{offset}","kind":"like","at":1,"data":{}}}"#,
        data.as_str()
    )
}
