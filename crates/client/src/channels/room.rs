//! One channel: its messages in order, and how it is followed.

use std::sync::Arc;

use tidings_protocol::{
    Channel, Encode, Epoch, Proof,
    client::{Cursor, Since, Subscribe},
    server::{Gap, GapReason, Member, Message, Page},
};

use super::older::Older;
use crate::{
    Author, ChannelStatus, ChannelView, Error, GapView, MessageView,
    config::Config,
    subscription::{Subscription, SubscriptionState, continues},
};

/// A channel nobody has written to yet has this epoch. Its first record names another, and nothing is lost by that.
pub(crate) fn is_unborn(cursor: Cursor) -> bool {
    cursor.offset == 0 && cursor.epoch == Epoch::from_bits(0)
}

/// How a channel is followed.
#[derive(Debug)]
pub(crate) enum ChannelState {
    /// Not on this connection, or there is none.
    Away,
    /// On this connection.
    Joined(Subscription),
    /// Storage has not said yet from where to go on.
    Loading,
    /// Nothing was done yet.
    New,
    /// The server does not let this user in.
    Refused(Error),
}

/// One channel that is read, or was a moment ago.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) channel: Channel,
    /// When it is left, on the monotonic clock; somebody reads it as long as there is no such time.
    pub(crate) leaving: Option<u64>,
    pub(crate) state: ChannelState,
    /// The last `subscribe`.
    pub(crate) asked: u64,
    /// The last record taken; none before the first `subscribed`.
    pub(crate) cursor: Option<Cursor>,
    /// By offset, ascending.
    messages: Vec<Arc<MessageView>>,
    /// Of the payloads.
    bytes: usize,
    pub(crate) older: Older,
    gap: Option<GapView>,
    /// The cursor before the server moved the subscription. Set until the `gap` for the records in
    /// between arrives, or a record that shows that there is no gap. Until then the client saves
    /// nothing and resumes from here, so that a page that ends or is cut off in between learns of
    /// the gap later.
    moved_from: Option<Cursor>,
    /// Epochs this client left: a save may replace what was saved under them.
    pub(crate) left: Vec<Epoch>,
    /// The epoch of a cache that came before the server named its own.
    late: Option<Epoch>,
    /// Messages or cursor changed since the last save.
    pub(crate) unsaved: bool,
    /// What is shown may have changed.
    pub(crate) needs_refresh: bool,
    /// What the app was last told.
    pub(crate) shown: ChannelView,
}

impl Room {
    pub(crate) fn new(channel: Channel) -> Self {
        Self {
            channel,
            leaving: None,
            state: ChannelState::New,
            asked: 0,
            cursor: None,
            messages: Vec::new(),
            bytes: 0,
            older: Older::default(),
            gap: None,
            moved_from: None,
            left: Vec::new(),
            late: None,
            unsaved: false,
            needs_refresh: true,
            shown: ChannelView::default(),
        }
    }

    pub(crate) fn status(&self) -> ChannelStatus {
        match self.state {
            ChannelState::Joined(subscription) if subscription.is_live() => ChannelStatus::Live,
            ChannelState::Refused(_) => ChannelStatus::Refused,
            _ if self.cursor.is_some() => ChannelStatus::CatchingUp,
            _ => ChannelStatus::Joining,
        }
    }

    /// Its leg, where it is followed on this connection.
    pub(crate) fn subscription(&self) -> Option<Subscription> {
        match self.state {
            ChannelState::Joined(subscription) => Some(subscription),
            _ => None,
        }
    }

    /// Whether the last `subscribe` has no answer yet.
    pub(crate) fn is_asked(&self) -> bool {
        let state = self.subscription().map(Subscription::state);
        state == Some(SubscriptionState::Asked)
    }

    /// Asks to follow it from its cursor.
    pub(crate) fn ask(&mut self, id: u64, subscription: Subscription) -> Subscribe {
        self.asked = id;
        self.state = ChannelState::Joined(subscription);
        self.needs_refresh = true;
        let (channel, since) = (self.channel.clone(), self.resumes_from().map(Since::Cursor));
        Subscribe { id: Some(id), channel, since }
    }

    /// The cursor that the next `subscribe` states.
    pub(crate) fn resumes_from(&self) -> Option<Cursor> {
        self.moved_from.or(self.cursor)
    }

    /// The server goes on after `at`; `first` and `top` are its log's. `recovered`: as the cursor asked for.
    /// `false`: it says that it goes on from the cursor, and names another place.
    pub(crate) fn subscribed(&mut self, at: Cursor, first: u64, top: u64, recovered: bool) -> bool {
        if let Some(before) = self.moved_from.take() {
            self.cursor = Some(before);
        }
        let was = self.cursor;
        if let Some(held) = self.cursor {
            // The first record names the log that a cursor of offset 0 is in.
            let held = if is_unborn(held) { Cursor { epoch: at.epoch, ..held } } else { held };
            if recovered && !continues(held, at) {
                return false;
            }
            // Below what is held, the same epoch is another log, too: the server knows nothing of what came after.
            if held.epoch != at.epoch || (!recovered && at.offset < held.offset) {
                self.start_over(held.epoch);
            }
        }
        if let Some(late) = self.late.take()
            && late != at.epoch
        {
            self.left.push(late);
        }
        // Moved while it holds no message, it begins with the first page, like a new one.
        let fresh = self.cursor.is_none() || (!recovered && self.messages.is_empty());
        self.moved_from = was.filter(|_| !recovered);
        match &mut self.cursor {
            // What was taken stays taken, even where the server begins before it.
            Some(held) if recovered && !is_unborn(*held) => held.proof = at.proof,
            cursor => *cursor = Some(at),
        }
        if fresh {
            self.older.begin(at.offset, first);
        }
        let mut subscription = self.subscription().unwrap_or(Subscription::ASKED);
        subscription.answered(SubscriptionState::Behind(top));
        subscription.reached(self.cursor.map_or(0, |cursor| cursor.offset));
        self.state = ChannelState::Joined(subscription);
        self.changed();
        true
    }

    /// A cache came too late to go on from. It tells which epoch was saved before the one that the server names.
    pub(crate) fn came_too_late(&mut self, epoch: Epoch) {
        match self.cursor {
            Some(cursor) if cursor.epoch != epoch => self.left.push(epoch),
            Some(_) => {}
            None => self.late = Some(epoch),
        }
    }

    /// Another log: nothing of the old one is in it.
    fn start_over(&mut self, epoch: Epoch) {
        self.left.push(epoch);
        if self.left.len() > super::LEFT_MAX {
            self.left.remove(0);
        }
        self.messages.clear();
        self.bytes = 0;
        self.cursor = None;
    }

    /// Takes a record; `message` is what it shows, if anything. Its offset must be the next.
    pub(crate) fn take(&mut self, to: u64, message: Option<Arc<MessageView>>, config: &Config) {
        if let Some(cursor) = &mut self.cursor {
            cursor.offset = to;
        }
        self.moved_from = None;
        if let ChannelState::Joined(subscription) = &mut self.state {
            subscription.reached(to);
        }
        if let Some(message) = message {
            self.bytes += message.data.len();
            self.messages.push(message);
            while self.is_over(config) {
                self.drop_oldest();
            }
        }
        self.changed();
    }

    /// Lays a page under what is held.
    pub(crate) fn lay_under(&mut self, page: Vec<Arc<MessageView>>, more: bool, config: &Config) {
        let before = self.older.before;
        let mut lowest = before;
        for message in page {
            let Some(offset) = message.offset.filter(|offset| *offset < before) else { continue };
            let index = self.messages.iter().position(|other| other.offset >= Some(offset));
            let index = index.unwrap_or(self.messages.len());
            if self.messages.get(index).is_some_and(|other| other.offset == Some(offset)) {
                continue;
            }
            lowest = lowest.min(offset);
            self.bytes += message.data.len();
            self.messages.insert(index, message);
        }
        // A page without news ends the log: asking again would bring the same.
        self.older.reached(lowest, more && lowest < before);
        while self.is_over(config) {
            self.drop_oldest();
        }
        self.changed();
    }

    /// Where a gap begins for this client: a server that goes on elsewhere by itself names what it did not send, and knows nothing of a
    /// record that was lost before that.
    pub(crate) fn missing_from(&self, gap: &Gap) -> u64 {
        let epoch = self.cursor.map(|cursor| cursor.epoch);
        let of_log = |had: &Cursor| epoch == Some(had.epoch) || is_unborn(*had);
        let lost = self.moved_from.filter(of_log).filter(|_| gap.why == GapReason::Retention);
        lost.map_or(gap.from, |had| gap.from.min(had.offset.saturating_add(1)))
    }

    /// Offsets that are missing for good. `false`: that was told before.
    pub(crate) fn miss(&mut self, gap: GapView) -> bool {
        let news = self.gap != Some(gap);
        self.gap = Some(gap);
        self.moved_from = None;
        self.needs_refresh = true;
        news
    }

    /// Another credential may grant to read back.
    pub(crate) fn unbar(&mut self) {
        self.needs_refresh |= self.older.unbar(self.messages.is_empty());
    }

    /// Whether another page would find room.
    pub(crate) fn has_room(&self, config: &Config) -> bool {
        self.messages.len() < config.messages_max as usize
            && self.bytes < config.messages_bytes as usize
    }

    /// Lanes and `seq`s of own messages.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = &(Arc<str>, u64)> {
        self.messages.iter().filter_map(|message| message.lane.as_ref())
    }

    /// What storage keeps: the page a server might have sent, with the newest `keep` messages; in a second line the cursor's proof, if it
    /// has one.
    pub(crate) fn saved(&self, keep: usize) -> Option<String> {
        let Cursor { epoch, offset, proof } = self.cursor?;
        let mut messages = Vec::new();
        let cut = self.messages.len().saturating_sub(keep);
        for message in self.messages.iter().skip(cut) {
            messages.push(to_record(&self.channel, message).into());
        }
        let page = Page {
            id: None,
            channel: self.channel.clone(),
            epoch,
            offset,
            more: cut > 0 || self.older.more,
            items: None,
            messages: Some(messages),
        };
        let mut text = page.to_json();
        if let Some(proof) = proof {
            text.push('\n');
            text.push_str(proof.as_str());
        }
        Some(text)
    }

    /// Goes on from what was saved.
    pub(crate) fn restore(
        &mut self,
        page: &Page,
        proof: Option<Proof>,
        shown: Vec<Arc<MessageView>>,
        config: &Config,
    ) {
        self.cursor = Some(Cursor { epoch: page.epoch, offset: page.offset, proof });
        self.older.before = page.offset.saturating_add(1);
        self.lay_under(shown, page.more, config);
        self.older.more = page.more;
        self.unsaved = false;
    }

    pub(crate) fn changed(&mut self) {
        self.needs_refresh = true;
        self.unsaved = true;
    }

    /// Whether there is something new to save. There is not while a gap may still come: a page that
    /// starts from such a cache would never learn of it.
    pub(crate) fn wants_save(&self) -> bool {
        self.unsaved && self.moved_from.is_none()
    }

    /// Shows what is held, with own messages that are not in it yet after that. Answers whether that is anything new.
    pub(crate) fn show(&mut self, own: Vec<Arc<MessageView>>, config: &Config) -> bool {
        self.needs_refresh = false;
        let mut list = self.messages.clone();
        list.extend(own);
        let messages = if *self.shown.messages == *list {
            self.shown.messages.clone()
        } else {
            Arc::from(list)
        };
        let refused = match &self.state {
            ChannelState::Refused(error) => Some(error.clone()),
            _ => self.older.error.clone(),
        };
        let view = ChannelView {
            status: self.status(),
            messages,
            gap: self.gap,
            has_more: self.older.has_more() && self.has_room(config),
            loading_more: self.older.is_wanted(),
            error: refused,
        };
        let other = view != self.shown;
        self.shown = view;
        other
    }

    fn is_over(&self, config: &Config) -> bool {
        let many = self.messages.len() > config.messages_max.max(1) as usize;
        many || (self.bytes > config.messages_bytes as usize && self.messages.len() > 1)
    }

    fn drop_oldest(&mut self) {
        if self.messages.is_empty() {
            return;
        }
        let gone = self.messages.remove(0);
        self.bytes -= gone.data.len();
        if let Some(offset) = gone.offset {
            self.older.reached(offset.saturating_add(1).max(self.older.before), true);
        }
    }
}

/// A record as the app sees it.
pub(crate) fn view(key: u64, record: &Message, user: Option<&str>) -> Arc<MessageView> {
    let from = record.from.as_ref().map(|member| Author {
        user: member.user.clone(),
        info: member.info.clone(),
        own: user == Some(&member.user),
    });
    let own = from.as_ref().is_some_and(|author| author.own);
    let lane = record.client_id.as_deref().zip(record.seq).filter(|_| own);
    Arc::new(MessageView {
        key,
        id: Arc::from(&*record.id),
        offset: Some(record.offset),
        at: record.at,
        from,
        lane: lane.map(|(lane, seq)| (Arc::from(lane), seq)),
        data: record.data.clone(),
        pending: false,
        failed: None,
    })
}

fn to_record(channel: &Channel, message: &MessageView) -> Message {
    let from = message
        .from
        .as_ref()
        .map(|author| Member { user: author.user.clone(), info: author.info.clone() });
    let (client_id, seq) = message.lane.clone().unzip();
    Message {
        channel: channel.clone(),
        offset: message.offset.unwrap_or_default(),
        id: String::from(&*message.id),
        at: message.at,
        from,
        client_id: client_id.map(|lane| String::from(&*lane)),
        seq,
        data: message.data.clone(),
    }
}
