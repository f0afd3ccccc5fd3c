//! Channels as the app sees them: what the log holds, then own messages that are not in it yet.

use std::sync::Arc;

use tidings_protocol::{Channel, Encode, Json};

use super::room;
use crate::{
    Author, ChannelView, Command, Error, MessageView,
    context::Context,
    error::joined,
    outbox::{Intent, Operation, Progress},
};

impl Context {
    /// A channel's snapshot; of one that nobody reads, the empty one.
    pub(crate) fn channel(&self, channel: &Channel) -> ChannelView {
        let index = self.channels.find(channel);
        let room = index.and_then(|index| self.channels.rooms.get(index));
        room.map(|room| room.shown.clone()).unwrap_or_default()
    }

    /// Brings the snapshots up to date, and tells which changed.
    pub(crate) fn refresh_channels(&mut self) {
        // Before anything that the app is told of them.
        for channel in std::mem::take(&mut self.channels.left) {
            self.ask(Command::ChannelChanged(channel));
        }
        self.settle_stored();
        let outbox = self.outbox.changes();
        let all = outbox != self.channels.shown;
        self.channels.shown = outbox;
        let mut unsaved = false;
        for index in 0..self.channels.rooms.len() {
            let Some(room) = self.channels.rooms.get(index) else { continue };
            unsaved |= room.wants_save();
            if !all && !room.needs_refresh {
                continue;
            }
            let own = self.own_messages(&room.channel);
            if let Some(room) = self.channels.rooms.get_mut(index)
                && room.show(own, &self.config)
            {
                let channel = room.channel.clone();
                self.ask(Command::ChannelChanged(channel));
            }
        }
        if unsaved {
            self.save_channels_soon();
        }
    }

    /// Drops own messages that are where their log is read, or that nobody waits to see there.
    fn settle_stored(&mut self) {
        let channels = &self.channels;
        self.outbox.settle(&|body| {
            let Operation::Publish(_) = body.operation else { return None };
            let room = channels.find(&body.channel).and_then(|index| channels.rooms.get(index));
            match room {
                Some(room) if !matches!(room.state, room::ChannelState::Refused(_)) => {
                    // Before its first record a log has no name, so that a place in it means nothing.
                    room.cursor.filter(|cursor| !room::is_unborn(*cursor)).map(Some)
                }
                _ => Some(None),
            }
        });
    }

    /// What other clients left in storage may be in the channels already: they died before storage could forget it.
    pub(crate) fn answer_from_rooms(&mut self) {
        for room in &self.channels.rooms {
            for (lane, seq) in room.lanes() {
                self.outbox.echoed(Some(lane), Some(*seq));
            }
        }
    }

    fn own_messages(&self, channel: &Channel) -> Vec<Arc<MessageView>> {
        let mut own = Vec::new();
        for intent in self.outbox.pending() {
            if intent.body.channel == *channel
                && let Operation::Publish(data) = &intent.body.operation
            {
                own.push(self.own_message(intent, data, None));
            }
        }
        self.outbox.failed_in(channel, &mut |intent, failed| {
            if let Operation::Publish(data) = &intent.body.operation {
                let newer =
                    |other: &Arc<MessageView>| (other.at, other.key) > (intent.at, intent.number);
                let index = own.iter().position(newer).unwrap_or(own.len());
                own.insert(index, self.own_message(intent, data, Some(&failed.error)));
            }
        });
        own
    }

    fn own_message(
        &self,
        intent: &Intent,
        data: &Json,
        failed: Option<&Error>,
    ) -> Arc<MessageView> {
        let mut seq = String::new();
        intent.seq.encode(&mut seq);
        let offset = match intent.progress {
            Progress::Stored(position) => Some(position.offset),
            _ => None,
        };
        let from = self.account.user().map(|user| Author {
            user: String::from(user),
            info: self.channels.me.clone(),
            own: true,
        });
        Arc::new(MessageView {
            key: intent.number,
            id: Arc::from(joined(&[&intent.lane, "/", &seq])),
            offset,
            at: intent.at,
            from,
            lane: Some((intent.lane.clone(), intent.seq)),
            data: data.clone(),
            pending: offset.is_none() && failed.is_none(),
            failed: failed.cloned(),
        })
    }
}
