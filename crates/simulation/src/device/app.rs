//! The app on a device: its calls, and the events it gets.

use std::sync::Arc;

use tidings_client_core::{
    ChannelView, Command, Event, FailedIntent, Filter, InboxView, IntentKind, Kinds, MarkTargets,
    Readable, Show, TransportKind,
};
use tidings_protocol::{Channel, Json, MarkSet};

use super::Device;
use crate::{
    env::Env,
    observation::{AppRequest, Observation},
    tally::Count,
    world::message_of,
};

impl Device {
    /// Marks items; returns the intent's number.
    pub fn mark(&mut self, env: &mut Env, targets: MarkTargets, set: MarkSet) -> u64 {
        let request = AppRequest::Mark { targets: targets.clone(), set };
        let intent = self.intend(env, request);
        self.feed(env, Event::MarkRequested { intent, targets, set });
        intent
    }

    /// Publishes a message in a room; returns the intent's number.
    pub fn say(&mut self, env: &mut Env, channel: Channel, message: u64, data: Json) -> u64 {
        let request = AppRequest::Say { channel: channel.clone(), message };
        let intent = self.intend(env, request);
        self.feed(env, Event::PublishRequested { intent, channel, data });
        intent
    }

    /// Retries the last refused intent that the app still shows, if there is one.
    pub fn retry(&mut self, env: &mut Env) {
        let shown = |failed: &FailedIntent| {
            let room = self.client.channel(&failed.channel);
            let message = room.messages.iter().find(|one| one.key == failed.id);
            let message = message.and_then(|one| message_of(&one.data));
            (failed.kind == IntentKind::Mark || message.is_some()).then_some((failed.id, message))
        };
        if let Some((id, message)) = self.client.outbox().failed.iter().rev().find_map(shown) {
            env.tally.count(Count::Retries);
            let intent = self.intend(env, AppRequest::Again { message });
            self.feed(env, Event::FailedRetried { id, intent });
        }
    }

    /// Discards the first refused intent, if there is one.
    pub fn discard(&mut self, env: &mut Env) {
        if let Some(id) = self.client.outbox().failed.first().map(|failed| failed.id) {
            self.feed(env, Event::FailedDiscarded { id });
        }
    }

    /// Loads older items.
    pub fn more(&mut self, env: &mut Env) -> u64 {
        env.tally.count(Count::Loads);
        let intent = self.intend(env, AppRequest::Older);
        self.feed(env, Event::MoreRequested { filter: everything(), intent });
        intent
    }

    /// Loads older messages of a room.
    pub fn older(&mut self, env: &mut Env, channel: Channel) -> u64 {
        env.tally.count(Count::Loads);
        let intent = self.intend(env, AppRequest::Older);
        self.feed(env, Event::OlderRequested { channel, intent });
        intent
    }

    /// The transport of its connection, if it has one.
    #[must_use]
    pub fn carrier(&self) -> Option<TransportKind> {
        self.client.connection().transport
    }

    /// Shows a room, from now on and after reloads.
    pub fn read(&mut self, env: &mut Env, channel: Channel) {
        if self.reads.insert(channel.clone()) {
            self.feed(env, Event::ChannelWanted { channel });
        }
    }

    /// Stops showing a room.
    pub fn leave(&mut self, env: &mut Env, channel: &Channel) {
        if self.reads.remove(channel) {
            self.feed(env, Event::ChannelUnwanted { channel: channel.clone() });
        }
    }

    /// The rooms it shows.
    pub fn reads(&self) -> impl Iterator<Item = &Channel> {
        self.reads.iter()
    }

    /// Shows a room from its first page on.
    pub fn begin_with(&mut self, channel: Channel) {
        self.reads.insert(channel);
    }

    fn intend(&mut self, env: &mut Env, request: AppRequest) -> u64 {
        env.tally.count(Count::Intents);
        self.intents += 1;
        let (page, intent) = (self.page, self.intents);
        env.observe(Observation::Intended { page, intent, request });
        intent
    }

    /// Calls of the app that have no answer yet.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.intents as usize - self.seen.settled.len()
    }

    /// The whole list, as the app sees it.
    pub fn view(&mut self) -> InboxView {
        self.client.inbox(&everything())
    }

    /// A room, as the app sees it.
    #[must_use]
    pub fn room(&self, channel: &Channel) -> ChannelView {
        self.client.channel(channel)
    }

    /// Gives the app an event of the client core.
    pub(super) fn hear(&mut self, env: &mut Env, command: Command) {
        let page = self.page;
        match command {
            Command::Changed(Readable::Inbox | Readable::Outbox) => self.show(env),
            Command::Changed(Readable::Connection) => {
                let before = self.carrier;
                self.carrier = self.client.connection().transport;
                let upgraded = before.is_some() && self.carrier.is_some() && before != self.carrier;
                env.tally.more(Count::Upgrades, u64::from(upgraded));
            }
            Command::ChannelChanged(channel) => self.show_room(env, channel),
            Command::Arrived(item) => {
                env.tally.count(Count::Arrivals);
                env.observe(Observation::Arrived { page, key: item.key.clone() });
                self.seen.arrived.push(item.key);
            }
            Command::Message { channel, message } => {
                env.tally.count(Count::Messages);
                let message = Arc::clone(&message);
                self.seen.messages.push((channel.clone(), message.offset.unwrap_or_default()));
                env.observe(Observation::Told { page, channel, message });
            }
            Command::Gap { channel, from, to, why } => {
                env.tally.count(Count::Gaps);
                let user = self.user.clone();
                env.observe(Observation::Missing { user, channel: channel.clone(), from, to, why });
                self.seen.gaps.push((channel, from, to, why));
            }
            Command::Settled { intent, result } => {
                env.tally.count(if result.is_ok() { Count::Stored } else { Count::Refusals });
                env.observe(Observation::Answered { page, intent, result: result.clone() });
                self.seen.settled.insert(intent, result);
            }
            Command::Failed(failed) => {
                env.observe(Observation::Failed { user: self.user.clone() });
                self.seen.failed.push(failed);
            }
            Command::Report(error) => self.seen.reports.push(error),
            _ => {}
        }
    }

    /// The app reads the changed list.
    fn show(&mut self, env: &mut Env) {
        let items = self.view().items.len();
        env.observe(Observation::Held {
            page: self.page,
            intents: self.client.outbox().pending as usize,
            intents_max: self.config.outbox_max as usize,
            items,
            items_max: self.config.items_max as usize,
        });
    }

    fn show_room(&self, env: &mut Env, channel: Channel) {
        let view = Box::new(self.client.channel(&channel));
        let (page, most) = (self.page, self.config.messages_max as usize);
        env.observe(Observation::Shown { page, channel, view, most });
    }
}

fn everything() -> Filter {
    Filter { show: Show::All, kinds: Kinds::default() }
}
