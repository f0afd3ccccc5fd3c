//! Who reads what: joining, leaving, and the cache of a channel.

use tidings_protocol::{
    Channel, Channels, Decode, ErrorCode, Proof,
    client::{Cursor, Unsubscribe},
    server::Page,
};

use super::room::{self, ChannelState, Room};
use crate::{
    Command, Error, context::Context, inbox::LOGS, storage::VERSION, subscription::Subscription,
    timers::Timer,
};

/// Milliseconds a channel waits for its cache.
const PATIENCE: u64 = 2_000;

impl Context {
    /// Somebody reads a channel.
    pub(crate) fn want_channel(&mut self, channel: &Channel) {
        let index = match self.channels.find(channel) {
            Some(index) => index,
            None => {
                self.channels.rooms.push(Room::new(channel.clone()));
                self.channels.rooms.len() - 1
            }
        };
        if let Some(room) = self.channels.rooms.get_mut(index) {
            room.leaving = None;
        }
        self.advance(index);
    }

    /// Nobody reads it any more.
    pub(crate) fn unwant_channel(&mut self, channel: &Channel) {
        let (now, linger) = (self.now.mono, self.config.linger);
        if let Some(index) = self.channels.find(channel)
            && let Some(room) = self.channels.rooms.get_mut(index)
        {
            room.leaving = Some(now.saturating_add(linger));
            self.bring_forward(Timer::Linger, linger);
        }
    }

    /// Leaves what nobody came back to.
    pub(crate) fn linger_due(&mut self) {
        let now = self.now.mono;
        let gone = |room: &Room| room.leaving.is_some_and(|at| at <= now);
        while let Some(index) = self.channels.rooms.iter().position(gone) {
            self.save_channel(index);
            let mut room = self.channels.rooms.remove(index);
            for call in room.older.end() {
                self.settle(call, None);
            }
            if let (Some((transport, _)), Some(_)) = (self.channels.link, room.subscription()) {
                let id = Some(self.next_request());
                self.send(transport, &Unsubscribe { id, channel: room.channel.clone() });
            }
            self.channels.left.push(room.channel);
        }
        for room in &self.channels.rooms {
            if let Some(at) = room.leaving {
                let wait = at.saturating_sub(now);
                self.timers.bring_forward(Timer::Linger, now, wait);
            }
        }
        self.ask_refused_again();
    }

    /// A connection is accepted: join everything that is read.
    pub(crate) fn channels_connected(&mut self, transport: u64, page: u32) {
        self.channels.link = Some((transport, page));
        self.ask_refused_again();
    }

    /// The connection is gone; everything resumes on the next.
    pub(crate) fn channels_disconnected(&mut self) {
        self.channels.link = None;
        self.timers.cancel(Timer::Rooms);
        for room in &mut self.channels.rooms {
            room.older.cut();
            room.needs_refresh = true;
            if room.subscription().is_some() {
                room.state = ChannelState::Away;
            }
        }
    }

    /// What is followed on one connection goes on on another, which was told to from where it is `named`.
    pub(crate) fn channels_moved(&mut self, transport: u64, page: u32, named: &Channels<Cursor>) {
        self.channels.link = Some((transport, page));
        for index in 0..self.channels.rooms.len() {
            let Some(room) = self.channels.rooms.get_mut(index) else { continue };
            room.older.cut();
            // What came over the other meanwhile is not to come again, even if the server can't go on from there any more.
            let held = room.resumes_from();
            let told = held.is_some() && named.get(&room.channel) == held.as_ref();
            if !told && room.subscription().is_some() {
                room.state = ChannelState::Away;
            }
            self.advance(index);
        }
    }

    /// Where everything that is followed goes on, inbox and `system:all` included if the `pair` is wanted; and what has
    /// nowhere to go on from yet.
    pub(crate) fn followed(&self, pair: bool) -> (Channels<Cursor>, Vec<Channel>) {
        let (mut cursors, mut fresh) = (Channels::default(), Vec::new());
        if let Some(fold) = self.inbox.fold().filter(|_| pair) {
            for &log in &LOGS {
                cursors.insert(fold.channel_of(log), fold.cursor(log));
            }
        }
        for room in &self.channels.rooms {
            if !matches!(room.state, ChannelState::Away | ChannelState::Joined(..)) {
                continue;
            }
            match room.resumes_from() {
                Some(cursor) => drop(cursors.insert(room.channel.clone(), cursor)),
                None => fresh.push(room.channel.clone()),
            }
        }
        (cursors, fresh)
    }

    /// A credential may let in, or let read back, whom another one did not, and a channel that was left makes room for another.
    pub(crate) fn ask_refused_again(&mut self) {
        for index in 0..self.channels.rooms.len() {
            if let Some(room) = self.channels.rooms.get_mut(index) {
                room.unbar();
                if let ChannelState::Refused(_) = room.state {
                    room.state = ChannelState::Away;
                    room.needs_refresh = true;
                }
            }
            self.advance(index);
        }
    }

    /// Another user: of the old one nothing stays, but what is read is read on.
    pub(crate) fn clear_channels(&mut self, error: &Error) {
        self.end_all_older(error);
        self.channels.link = None;
        let gone = |room: &Room| room.leaving.is_some();
        while let Some(index) = self.channels.rooms.iter().position(gone) {
            let room = self.channels.rooms.remove(index);
            self.channels.left.push(room.channel);
        }
        for room in &mut self.channels.rooms {
            let shown = std::mem::take(&mut room.shown);
            *room = Room::new(room.channel.clone());
            room.shown = shown;
        }
        self.channels.me = None;
    }

    /// The next step of a channel: its cache, then its subscription.
    pub(super) fn advance(&mut self, index: usize) {
        let most = self.config.channels_max as usize;
        let busy =
            |room: &&Room| !matches!(room.state, ChannelState::New | ChannelState::Refused(_));
        let full = self.channels.rooms.iter().filter(busy).count() >= most;
        let user = self.account.user().map(String::from);
        let Some(room) = self.channels.rooms.get_mut(index) else { return };
        if let ChannelState::New = room.state {
            let Some(user) = user else { return };
            room.needs_refresh = true;
            if full {
                room.state = ChannelState::Refused(Error::new(ErrorCode::Subscriptions, ""));
                return;
            }
            if self.store.usable() {
                room.state = ChannelState::Loading;
                let user = key(&user, &room.channel);
                self.bring_forward(Timer::Cache, PATIENCE);
                self.ask(Command::Load { user });
                return;
            }
            room.state = ChannelState::Away;
        }
        if self
            .channels
            .rooms
            .get(index)
            .is_some_and(|room| matches!(room.state, ChannelState::Away))
        {
            self.subscribe(index, Subscription::ASKED);
        }
    }

    /// Asks to follow a channel from its cursor.
    pub(super) fn subscribe(&mut self, index: usize, subscription: Subscription) {
        let id = self.upcoming_request();
        if let Some((transport, _)) = self.channels.link
            && let Some(room) = self.channels.rooms.get_mut(index)
        {
            let question = room.ask(id, subscription);
            self.next_request();
            self.send(transport, &question);
            let patience = self.round_trip.patience(self.config.timeout);
            self.bring_forward(Timer::Rooms, patience);
        }
    }

    /// The cache of a channel came.
    pub(crate) fn channel_loaded(&mut self, user: &str, channel: &str, saved: Option<&str>) {
        let Ok(channel) = Channel::parse(channel) else { return };
        let ours = self.account.user() == Some(user);
        let Some(index) = self.channels.find(&channel).filter(|_| ours) else { return };
        let saved = saved.and_then(|saved| saved.strip_prefix(|first| first == VERSION));
        let (page, proof) = match saved.and_then(|saved| saved.split_once('\n')) {
            Some((page, proof)) => (Some(page), Some(Proof::from_text(proof))),
            None => (saved, None),
        };
        let page = page.and_then(|page| Page::from_json(page).ok());
        let shown = page.as_ref().map(|page| self.views(page));
        // Once the server may have been asked without it, its answer says nothing of what came after the cache.
        let asked = self.channels.link.is_some() || !self.requests.is_idle();
        let Some(room) = self.channels.rooms.get_mut(index) else { return };
        let in_time = matches!(room.state, ChannelState::Loading) || !asked;
        match (page, shown) {
            (Some(page), Some(shown))
                if in_time && page.channel == channel && room.cursor.is_none() =>
            {
                room.restore(&page, proof, shown, &self.config);
            }
            (Some(page), _) => room.came_too_late(page.epoch),
            (None, _) => {}
        }
        if let ChannelState::Loading = room.state {
            room.state = ChannelState::Away;
            room.needs_refresh = true;
            self.advance(index);
        }
    }

    /// Storage took too long, or is gone: join without.
    pub(crate) fn caches_overdue(&mut self) {
        for index in 0..self.channels.rooms.len() {
            if let Some(room) = self.channels.rooms.get_mut(index)
                && let ChannelState::Loading = room.state
            {
                room.state = ChannelState::Away;
                self.advance(index);
            }
        }
    }

    /// Saves the channels that changed since the last time.
    pub(crate) fn save_channels(&mut self) {
        for index in 0..self.channels.rooms.len() {
            self.save_channel(index);
        }
    }

    pub(crate) fn has_unsaved_channels(&self) -> bool {
        self.channels.rooms.iter().any(|room| room.unsaved)
    }

    fn save_channel(&mut self, index: usize) {
        let (usable, keep) = (self.store.usable(), self.config.keep as usize);
        if let Some(user) = self.account.user()
            && let Some(room) = self.channels.rooms.get_mut(index)
            && usable
            && room.wants_save()
            && std::mem::take(&mut room.unsaved)
            // Of a log that nobody has written to there is nothing to go on from.
            && let Some(cursor) = room.cursor.filter(|cursor| !room::is_unborn(*cursor))
            && let Some(page) = room.saved(keep)
        {
            let mut text = String::from(VERSION);
            text.push_str(&page);
            let command = Command::Save {
                user: key(user, &room.channel),
                cursors: [(cursor.epoch, cursor.offset); 2],
                over: room.left.clone(),
                text,
            };
            self.ask(command);
        }
    }

    /// `loadMore` of a channel.
    pub(crate) fn older(&mut self, channel: &Channel, intent: u64) {
        let Some(index) = self.channels.find(channel) else {
            self.refuse(intent, ErrorCode::NotFound, "this channel is not subscribed");
            return;
        };
        let Some(room) = self.channels.rooms.get_mut(index) else { return };
        room.needs_refresh = true;
        if room.cursor.is_some() && !(room.older.has_more() && room.has_room(&self.config)) {
            self.settle(intent, None);
        } else if room.older.wait(intent) {
            let patience = self.round_trip.patience(self.config.timeout);
            self.bring_forward(Timer::Older, patience);
        } else {
            self.refuse(intent, ErrorCode::Flood, "");
        }
    }

    /// Older messages took too long.
    pub(crate) fn older_overdue(&mut self) {
        self.end_all_older(&Error::new(ErrorCode::Network, ""));
    }

    /// Nobody waits for older messages any more.
    pub(crate) fn end_all_older(&mut self, error: &Error) {
        for index in 0..self.channels.rooms.len() {
            self.end_older(index, Some(error));
        }
    }

    /// Ends what waits for older messages of a channel.
    pub(crate) fn end_older(&mut self, index: usize, error: Option<&Error>) {
        let Some(room) = self.channels.rooms.get_mut(index) else { return };
        room.needs_refresh = true;
        let calls = room.older.end();
        if !calls.is_empty() {
            room.older.error = error.cloned();
        }
        for call in calls {
            match error {
                Some(error) => self.refuse_with(call, error.clone()),
                None => self.settle(call, None),
            }
        }
        if !self.channels.rooms.iter().any(|room| room.older.is_wanted()) {
            self.timers.cancel(Timer::Older);
        }
    }
}

/// Names the cache of a channel. Neither users nor channels have control characters.
fn key(user: &str, channel: &Channel) -> String {
    let mut key = String::from(user);
    key.push('\t');
    key.push_str(channel.as_str());
    key
}
