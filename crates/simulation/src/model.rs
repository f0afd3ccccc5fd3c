//! The fold of the log, in the plainest code: every list and count is compared with it.

use std::collections::BTreeMap;

use tidings_protocol::{
    Channel, Epoch, MarkSet, Offsets, ServerMessage, Tally, UpTo,
    server::{Marked, Message, Notification},
};
use tidings_server_core::{
    MemoryStore,
    store::{Answer, Head, Query, Record, Store},
};

/// Every record of the channels that matter, even if retention has removed it.
#[derive(Debug, Default)]
pub struct History {
    logs: BTreeMap<Channel, Log>,
    /// Top of `system:all` when a user's inbox was created.
    system_from: BTreeMap<String, u64>,
}

/// A log from its first record on.
#[derive(Debug, Default)]
pub struct Log {
    /// Its current epoch.
    pub epoch: Option<Epoch>,
    /// Its records; the first has offset 1.
    pub facts: Vec<ServerMessage>,
}

impl History {
    /// Adds a user whose inbox was created just now.
    pub fn user(&mut self, store: &MemoryStore, user: &str) {
        self.logs.entry(Channel::system()).or_default();
        self.refresh(store);
        if let Ok(inbox) = Channel::inbox(user)
            && !self.system_from.contains_key(user)
        {
            self.logs.entry(inbox).or_default();
            let top = self.log(&Channel::system()).map_or(0, |log| log.facts.len() as u64);
            self.system_from.insert(user.to_owned(), top);
            self.refresh(store);
        }
    }

    /// Adds a room, with or without messages.
    pub fn room(&mut self, store: &MemoryStore, channel: &Channel) {
        self.logs.entry(channel.clone()).or_default();
        self.refresh(store);
    }

    /// The message at an offset of a room.
    #[must_use]
    pub fn message(&self, channel: &Channel, offset: u64) -> Option<&Message> {
        let index = usize::try_from(offset.checked_sub(1)?).ok()?;
        match self.logs.get(channel)?.facts.get(index)? {
            ServerMessage::Message(message) => Some(message),
            _ => None,
        }
    }

    /// Reads new records. Must be called before records are removed.
    pub fn refresh(&mut self, store: &MemoryStore) {
        for (channel, held) in &mut self.logs {
            let Some(head) = head(store, channel) else { continue };
            held.epoch = Some(head.epoch);
            // A store that lost records is truncated here; the checkers find the loss.
            held.facts.truncate(head.top as usize);
            if head.top > held.facts.len() as u64 {
                let new = records(store, channel, held.facts.len() as u64);
                held.facts.extend(new.iter().filter_map(decode));
            }
        }
    }

    /// A log.
    #[must_use]
    pub fn log(&self, channel: &Channel) -> Option<&Log> {
        self.logs.get(channel)
    }

    /// Gives access to a log, so that a test can falsify it.
    #[cfg(test)]
    pub(crate) fn facts_mut(&mut self, channel: &Channel) -> &mut Vec<ServerMessage> {
        &mut self.logs.entry(channel.clone()).or_default().facts
    }

    /// All logs.
    pub fn logs(&self) -> impl Iterator<Item = (&Channel, &Log)> {
        self.logs.iter()
    }

    /// A log's current epoch.
    #[must_use]
    pub fn epoch(&self, channel: &Channel) -> Option<Epoch> {
        self.logs.get(channel)?.epoch
    }
}

/// State of an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// It was on screen.
    pub seen: bool,
    /// It was read.
    pub read: bool,
    /// It was archived.
    pub archived: bool,
}

impl State {
    /// The state after a mark.
    #[must_use]
    pub fn after(mut self, set: MarkSet) -> Self {
        self.seen = set.seen.unwrap_or(self.seen);
        self.read = set.read.unwrap_or(self.read);
        self.archived = set.archived.unwrap_or(self.archived);
        if set.read == Some(true) {
            self.seen = true;
        }
        self
    }
}

/// One item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thing {
    /// Notification id.
    pub id: String,
    /// Milliseconds since 1970; lists are sorted by it.
    pub at: u64,
    /// Its state.
    pub state: State,
}

/// The items of a user, by channel (`true`: `system:all`) and offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// The items.
    pub items: BTreeMap<(bool, u64), Thing>,
}

impl Model {
    /// Folds a user's inbox up to one offset and `system:all` up to another.
    #[must_use]
    pub fn of(history: &History, user: &str, inbox_to: u64, system_to: u64) -> Self {
        let mut model = Self::default();
        let facts = |channel: &Channel, to: u64| {
            let facts = history.log(channel).map_or(&[][..], |log| &log.facts);
            &facts[..facts.len().min(usize::try_from(to).unwrap_or(usize::MAX))]
        };
        let from = history.system_from.get(user).copied().unwrap_or(0);
        for fact in facts(&Channel::system(), system_to) {
            if let ServerMessage::Notification(note) = fact
                && note.offset > from
            {
                model.add(true, note);
            }
        }
        let Ok(inbox) = Channel::inbox(user) else { return model };
        for fact in facts(&inbox, inbox_to) {
            match fact {
                ServerMessage::Notification(note) => model.add(false, note),
                ServerMessage::Marked(marked) => model.mark(marked),
                ServerMessage::Trimmed(trimmed) => {
                    model.items.retain(|(system, offset), _| *system || *offset > trimmed.up_to);
                }
                _ => {}
            }
        }
        model
    }

    /// Folds all records.
    #[must_use]
    pub fn now(history: &History, user: &str) -> Self {
        Self::of(history, user, u64::MAX, u64::MAX)
    }

    fn add(&mut self, system: bool, note: &Notification) {
        let thing = Thing { id: note.id.clone(), at: note.at, state: State::default() };
        self.items.insert((system, note.offset), thing);
    }

    fn mark(&mut self, marked: &Marked) {
        let Marked { offsets, up_to, set, .. } = marked;
        for ((system, offset), thing) in &mut self.items {
            if covers(offsets.as_ref(), up_to.as_ref(), *system, *offset) {
                thing.state = thing.state.after(*set);
            }
        }
    }

    /// The first item in the list.
    #[must_use]
    pub fn newest(&self) -> Option<&(bool, u64)> {
        self.items.iter().max_by_key(|(key, thing)| (thing.at, **key)).map(|(key, _)| key)
    }

    /// Unread and unseen items of a channel.
    #[must_use]
    pub fn tally(&self, system: bool) -> Tally {
        let mine =
            self.items.iter().filter(|((of, _), _)| *of == system).map(|(_, thing)| thing.state);
        let shown = mine.filter(|state| !state.archived);
        shown.fold(Tally::default(), |tally, state| Tally {
            unread: tally.unread + u64::from(!state.read),
            unseen: tally.unseen + u64::from(!state.seen),
        })
    }
}

/// Whether a mark covers an item.
#[must_use]
pub fn covers(offsets: Option<&Offsets>, up_to: Option<&UpTo>, system: bool, offset: u64) -> bool {
    let listed = offsets
        .and_then(|offsets| if system { offsets.system.as_ref() } else { offsets.inbox.as_ref() });
    let below = up_to.and_then(|up_to| if system { up_to.system } else { up_to.inbox });
    listed.is_some_and(|list| list.contains(&offset)) || below.is_some_and(|below| offset <= below)
}

/// The head of a log.
#[must_use]
pub fn head(store: &MemoryStore, channel: &Channel) -> Option<Head> {
    match store.read(&[Query::Heads(vec![channel.clone()])]).ok()?.pop()?.ok()? {
        Answer::Heads(heads) => heads.into_iter().next().flatten(),
        _ => None,
    }
}

/// The records that are still in a log.
#[must_use]
pub fn log(store: &MemoryStore, channel: &Channel) -> Vec<Record> {
    records(store, channel, 0)
}

fn records(store: &MemoryStore, channel: &Channel, after: u64) -> Vec<Record> {
    let query =
        Query::Records { channel: channel.clone(), after, limit: u32::MAX, bytes: u32::MAX };
    match store.read(&[query]).map(|mut answers| answers.pop()) {
        Ok(Some(Ok(Answer::Records { records, .. }))) => records,
        _ => Vec::new(),
    }
}

fn decode(record: &Record) -> Option<ServerMessage> {
    ServerMessage::decode(str::from_utf8(&record.frame).ok()?).ok()
}
