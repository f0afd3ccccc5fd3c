//! Parts that the room scenarios share.

use std::sync::Arc;

use tidings_client_core::{ChannelView, Command, Error, Event, MessageView, Stored};
use tidings_protocol::{Channel, ClientMessage, Json};

use crate::harness::{Rig, START};

pub(crate) const ROOM: &str = "room:1";

pub(crate) fn channel(name: &str) -> Channel {
    Channel::parse(name).unwrap()
}

/// A record of `room:1` by `u2`.
pub(crate) fn message(offset: u64) -> String {
    message_of(offset, "u2", "")
}

/// The same by any user; `lane` such as `"client_id":"l","seq":1,`.
pub(crate) fn message_of(offset: u64, user: &str, lane: &str) -> String {
    let at = START + offset;
    format!(
        r#"{{"type":"message","channel":"room:1","offset":{offset},"id":"r{offset}","at":{at},"from":{{"user":"{user}","info":{{"name":"{user}"}}}},{lane}"data":{{"text":"m{offset}"}}}}"#
    )
}

pub(crate) fn subscribed(
    id: u64,
    epoch: &str,
    first: u64,
    top: u64,
    from: u64,
    ok: bool,
) -> String {
    format!(
        r#"{{"type":"subscribed","id":{id},"channel":"room:1","epoch":"{epoch}","first":{first},"top":{top},"offset":{from},"recovered":{ok}}}"#
    )
}

pub(crate) fn page(id: u64, epoch: &str, top: u64, more: bool, offsets: &[u64]) -> String {
    let messages: Vec<_> = offsets.iter().map(|offset| message(*offset)).collect();
    format!(
        r#"{{"type":"page","id":{id},"channel":"room:1","epoch":"{epoch}","offset":{top},"more":{more},"messages":[{}]}}"#,
        messages.join(",")
    )
}

pub(crate) fn ack(lane: &str, seq: u64, offset: u64) -> String {
    format!(
        r#"{{"type":"ack","client_id":"{lane}","seq":{seq},"channel":"room:1","epoch":"roomone1","offset":{offset},"record_id":"r{offset}"}}"#
    )
}

impl Rig {
    /// A client of `u1` that is subscribed to `room:1`, which is empty so far, and its empty inbox.
    pub(crate) fn in_room() -> Self {
        let mut rig = Self::live();
        rig.want(ROOM);
        rig.joined(0, 0);
        rig
    }

    pub(crate) fn want(&mut self, name: &str) {
        self.event(Event::ChannelWanted { channel: channel(name) });
    }

    pub(crate) fn unwant(&mut self, name: &str) {
        self.event(Event::ChannelUnwanted { channel: channel(name) });
    }

    /// The server accepts the subscription, at the top.
    pub(crate) fn joined(&mut self, top: u64, from: u64) {
        let id = self.asked_to_subscribe().0;
        self.receive(&subscribed(id, "roomone1", 1, top, from, false));
        self.take();
    }

    /// Request id and cursor of the one `subscribe` sent since the last call.
    pub(crate) fn asked_to_subscribe(&mut self) -> (u64, Option<tidings_protocol::client::Since>) {
        let mut asked: Vec<_> = self
            .sent()
            .into_iter()
            .filter_map(|message| match message {
                ClientMessage::Subscribe(ask) if ask.channel == channel(ROOM) => {
                    Some((ask.id.unwrap(), ask.since))
                }
                _ => None,
            })
            .collect();
        assert_eq!(asked.len(), 1, "asked once: {asked:?}");
        asked.remove(0)
    }

    /// Request id and `before` of the one `history` sent since the last call.
    pub(crate) fn asked_for_page(&mut self) -> (u64, Option<u64>) {
        let mut asked: Vec<_> = self
            .sent()
            .into_iter()
            .filter_map(|message| match message {
                ClientMessage::History(ask) => Some((ask.id.unwrap(), ask.before)),
                _ => None,
            })
            .collect();
        assert_eq!(asked.len(), 1, "asked once: {asked:?}");
        asked.remove(0)
    }

    pub(crate) fn publish(&mut self, intent: u64, text: &str) {
        let data = Json::parse(&format!(r#"{{"text":"{text}"}}"#)).unwrap();
        self.event(Event::PublishRequested { intent, channel: channel(ROOM), data });
    }

    /// Lane and `seq` of the messages published since the last call.
    pub(crate) fn published(&mut self) -> Vec<(String, u64)> {
        self.sent()
            .into_iter()
            .filter_map(|message| match message {
                ClientMessage::Publish(publish) => Some((publish.client_id?, publish.seq?)),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn room(&self) -> ChannelView {
        self.client.channel(&channel(ROOM))
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.room().messages.iter().map(text).collect()
    }

    /// The texts given to `on('message')` since the last call.
    pub(crate) fn received(&mut self) -> Vec<String> {
        let told = |command: &Command| match command {
            Command::Message { message, .. } => Some(text(message)),
            _ => None,
        };
        self.take().iter().filter_map(told).collect()
    }

    /// The result of this intent, since the last call.
    pub(crate) fn ended(&self, number: u64) -> Option<Result<Option<Stored>, Error>> {
        let mut ends = self.commands.iter().filter_map(|command| match command {
            Command::Settled { intent, result } if *intent == number => Some(result.clone()),
            _ => None,
        });
        let end = ends.next();
        assert_eq!(ends.next(), None, "an intent ends once");
        end
    }
}

pub(crate) fn text(message: &Arc<MessageView>) -> String {
    let data: serde_json::Value = serde_json::from_str(message.data.as_str()).unwrap();
    data["text"].as_str().unwrap().to_owned()
}
