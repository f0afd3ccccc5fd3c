//! What a connection brings to the channels.

use std::sync::Arc;

use tidings_protocol::{
    Channel, Epoch, ErrorCode, Retry,
    client::{Cursor, History},
    server::{self, Gap, Message, Notification, Page, Skip, Subscribed, Unsubscribed},
};

use super::room::{self, ChannelState};
use crate::{
    Command, Error, GapView, MessageView, Stored,
    context::Context,
    error::Failure,
    subscription::{Subscription, Verdict, elsewhere, news_of},
    timers::Timer,
};

/// Keys of messages that are no intents of this client begin here; numbers of intents are below.
const KEYS: u64 = 1 << 51;

type Step = Result<(), Failure>;

impl Context {
    /// The server says how it goes on with a channel; `expected`: as a stream that was opened for it.
    pub(crate) fn room_subscribed(&mut self, answer: &Subscribed, expected: bool) -> Step {
        let Some(index) = self.channels.find(&answer.channel) else { return Ok(()) };
        let Some(room) = self.channels.rooms.get_mut(index) else { return Ok(()) };
        // Without a number it comes by itself, and is of the subscription before where another was just asked for: what came
        // since was not taken, so that its gap is not all that is missing.
        let ours = match answer.id {
            Some(id) => id == room.asked,
            None => expected || !room.is_asked(),
        };
        if room.subscription().is_none() || !ours {
            return Ok(());
        }
        let at = Cursor { epoch: answer.epoch, offset: answer.offset, proof: answer.proof };
        if !room.subscribed(at, answer.first, answer.top, answer.recovered) {
            return Err(elsewhere());
        }
        self.watch();
        Ok(())
    }

    pub(crate) fn room_message(&mut self, record: &Message) -> Step {
        let Some(index) = self.next_of(&record.channel, record.offset)? else { return Ok(()) };
        let epoch = self.cursor_of(&record.channel).map(|cursor| cursor.epoch);
        let message = self.view_of(record, epoch);
        if let Some(room) = self.channels.rooms.get_mut(index) {
            room.take(record.offset, Some(message.clone()), &self.config);
        }
        self.emit(Command::Message { channel: record.channel.clone(), message: message.into() });
        self.watch();
        Ok(())
    }

    /// A notification of a topic reads as a message of nobody.
    pub(crate) fn room_notification(&mut self, record: &Notification) -> Step {
        if self.channels.find(&record.channel).is_none() {
            return Ok(());
        }
        self.room_message(&record.clone().into())
    }

    /// A record that shows nothing.
    pub(crate) fn room_passed(&mut self, channel: &Channel, offset: u64, to: u64) -> Step {
        if let Some(index) = self.next_of(channel, offset)?
            && let Some(room) = self.channels.rooms.get_mut(index)
        {
            room.take(to, None, &self.config);
            self.watch();
        }
        Ok(())
    }

    pub(crate) fn room_skip(&mut self, skip: &Skip) -> Step {
        let Some(cursor) = self.cursor_of(&skip.channel) else { return Ok(()) };
        self.room_passed(&skip.channel, news_of(skip, cursor.offset), skip.to)
    }

    pub(crate) fn room_gap(&mut self, gap: &Gap) -> Step {
        let Some(index) = self.channels.find(&gap.channel) else { return Ok(()) };
        let Some(room) = self.channels.rooms.get_mut(index) else { return Ok(()) };
        // Before its answer, it is of the subscription before, and from another place.
        if room.subscription().is_none() || room.is_asked() {
            return Ok(());
        }
        let from = room.missing_from(gap);
        let Gap { channel, to, why, .. } = gap.clone();
        if room.miss(GapView { from, to, why }) {
            self.emit(Command::Gap { channel: channel.clone(), from, to, why });
        }
        // Most come with a `subscribed` that has passed it already.
        match self.cursor_of(&channel).map(|cursor| cursor.offset) {
            Some(offset) if offset + 1 >= from && offset < to => {
                self.room_passed(&channel, offset + 1, to)
            }
            _ => Ok(()),
        }
    }

    /// A pong says how far a log is: a lost last record shows here and nowhere else.
    pub(crate) fn room_top(&mut self, channel: &Channel, top: u64) -> Step {
        let Some(index) = self.channels.find(channel) else { return Ok(()) };
        let Some(room) = self.channels.rooms.get(index) else { return Ok(()) };
        match (room.subscription(), room.cursor) {
            (Some(subscription), Some(cursor)) if subscription.lacks(cursor.offset, top) => {
                self.repair(index)
            }
            _ => Ok(()),
        }
    }

    /// The server ended a subscription by itself.
    pub(crate) fn room_unsubscribed(&mut self, ended: &Unsubscribed) {
        if let Some(code) = &ended.code
            && let Some(index) = self.channels.find(&ended.channel)
        {
            let code = ErrorCode::from_name(code).unwrap_or(ErrorCode::Forbidden);
            self.shut_out(index, Error::new(code, ""));
        }
    }

    /// Whether an error was about a channel's subscription or page.
    pub(crate) fn room_refused(&mut self, error: &server::Error) -> bool {
        for index in 0..self.channels.rooms.len() {
            let Some(room) = self.channels.rooms.get_mut(index) else { continue };
            if room.older.take_answer(error.id) {
                self.older_refused(index, error);
                return true;
            }
            // Where subscribing means to open a stream again, an answer names the channel and no question.
            let of_channel = error.id.is_none() && error.channel.as_ref() == Some(&room.channel);
            let of_question = error.id == Some(room.asked) && room.is_asked();
            if of_question || (of_channel && room.subscription().is_some()) {
                // What may be tried again is, by the timer that waits for the answer.
                if error.retry == Retry::Never {
                    self.shut_out(index, Error::of_server(error));
                }
                return true;
            }
        }
        false
    }

    /// Whether this page answers a channel.
    pub(crate) fn room_page(&mut self, page: &Page) -> bool {
        let asked = |room: &mut room::Room| room.older.take_answer(page.id);
        let Some(index) = self.channels.rooms.iter_mut().position(asked) else { return false };
        let views = self.views(page);
        let Some(room) = self.channels.rooms.get_mut(index) else { return true };
        if room.cursor.is_some_and(|cursor| cursor.epoch == page.epoch) {
            room.lay_under(views, page.more, &self.config);
            self.end_older(index, None);
        }
        true
    }

    /// Asks for the pages that are wanted.
    pub(crate) fn channels_work(&mut self) {
        let Some((transport, limit)) = self.channels.link else { return };
        if !self.may_ask_for_pages() {
            return;
        }
        for index in 0..self.channels.rooms.len() {
            let id = self.upcoming_request();
            let Some(room) = self.channels.rooms.get_mut(index) else { continue };
            if room.older.wants_page() && room.subscription().is_some_and(Subscription::follows) {
                if !room.older.has_more() {
                    self.end_older(index, None);
                    continue;
                }
                self.next_request();
                let Some(room) = self.channels.rooms.get_mut(index) else { continue };
                room.older.sent(id);
                let (channel, before) = (room.channel.clone(), Some(room.older.before));
                let (id, limit) = (Some(id), Some(limit));
                self.send(transport, &History { id, channel, before, after: None, limit });
            }
        }
    }

    /// Nothing came for too long.
    pub(crate) fn rooms_overdue(&mut self) -> Step {
        for index in 0..self.channels.rooms.len() {
            let subscription = self.channels.rooms.get(index).and_then(room::Room::subscription);
            let Some(subscription) = subscription else { continue };
            if subscription.overdue().inspect_err(|_| self.round_trip.ran_out())? {
                self.repair(index)?;
            }
        }
        Ok(())
    }

    /// What a page or a record shows. An own message that waits for its answer has it now.
    pub(super) fn views(&mut self, page: &Page) -> Vec<Arc<MessageView>> {
        let mut views = Vec::new();
        for record in page.messages.iter().flatten() {
            if let Some(record) = record.clone().into_message() {
                views.push(self.view_of(&record, Some(page.epoch)));
            }
        }
        views
    }

    fn view_of(&mut self, record: &Message, epoch: Option<Epoch>) -> Arc<MessageView> {
        let own = self.outbox.echoed(record.client_id.as_deref(), record.seq);
        if let (Some((number, true)), Some(epoch)) = (own, epoch) {
            let Message { channel, offset, id, .. } = record.clone();
            self.settle(number, Some(Stored { channel, epoch, offset, id }));
        }
        self.channels.keys += 1;
        let key = own.map_or(KEYS + self.channels.keys, |(number, _)| number);
        let user = self.account.user();
        let view = room::view(key, record, user);
        if let Some(from) = &view.from
            && from.own
        {
            self.channels.me.clone_from(&from.info);
        }
        view
    }

    fn cursor_of(&self, channel: &Channel) -> Option<Cursor> {
        self.channels.rooms.get(self.channels.find(channel)?)?.cursor
    }

    /// Whether a record is the next one of a channel. A copy is dropped; a hole is repaired.
    fn next_of(&mut self, channel: &Channel, offset: u64) -> Result<Option<usize>, Failure> {
        let Some(index) = self.channels.find(channel) else { return Ok(None) };
        let Some(room) = self.channels.rooms.get_mut(index) else { return Ok(None) };
        let cursor = room.cursor;
        let (ChannelState::Joined(subscription), Some(cursor)) = (&mut room.state, cursor) else {
            return Ok(None);
        };
        match subscription.judge(cursor.offset, offset) {
            Verdict::Next => return Ok(Some(index)),
            Verdict::Copy => self.duplicates = self.duplicates.saturating_add(1),
            Verdict::Early => {}
            Verdict::Hole => self.repair(index)?,
        }
        Ok(None)
    }

    /// Subscribes again from the cursor.
    fn repair(&mut self, index: usize) -> Step {
        let Some(room) = self.channels.rooms.get(index) else { return Ok(()) };
        if let Some(mut subscription) = room.subscription()
            && subscription.follows()
        {
            subscription.repair()?;
            self.subscribe(index, subscription);
        }
        Ok(())
    }

    fn shut_out(&mut self, index: usize, error: Error) {
        self.end_older(index, Some(&error));
        if let Some(room) = self.channels.rooms.get_mut(index) {
            room.state = ChannelState::Refused(error);
            room.needs_refresh = true;
        }
        self.watch();
    }

    /// Minds the time as long as some channel is not where its server said it would be.
    fn watch(&mut self) {
        let behind = |room: &room::Room| {
            room.subscription().is_some_and(|subscription| !subscription.is_live())
        };
        if self.channels.rooms.iter().any(behind) {
            self.await_answer(Timer::Rooms);
        } else {
            self.timers.cancel(Timer::Rooms);
        }
    }
}
