//! The fold of the log, written as plainly as it can be: what every list and count is compared with.

use std::collections::BTreeMap;

use tidings_protocol::{
    Channel, Item, MarkSet, Offsets, ServerMessage, Tally, UpTo,
    server::{Marked, Notification},
};
use tidings_server_core::{
    MemoryStore,
    store::{Answer, Query, Record, Store},
};

/// State of an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// On screen once.
    pub seen: bool,
    /// Read.
    pub read: bool,
    /// Put away.
    pub archived: bool,
}

/// The items of a user, by channel (`true`: `system:all`) and offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// Id and state.
    pub items: BTreeMap<(bool, u64), (String, State)>,
}

impl Model {
    /// The items of a user as they are now. Where retention has taken the start of a log, as the store lists them.
    #[must_use]
    pub fn now(store: &MemoryStore, user: &str) -> Self {
        if is_whole(store, user) {
            return Self::of(store, user, u64::MAX, u64::MAX);
        }
        let query = Query::Snapshot { user: user.to_owned(), limit: u32::MAX };
        let mut model = Self::default();
        if let Ok(Some(Ok(Answer::Snapshot(snapshot)))) =
            store.read(&[query]).map(|mut answers| answers.pop())
        {
            for Item { channel, offset, id, seen, read, archived, .. } in snapshot.items {
                model
                    .items
                    .insert((channel.is_system(), offset), (id, State { seen, read, archived }));
            }
        }
        model
    }

    /// Folds a user's inbox up to one offset and `system:all` up to another.
    #[must_use]
    pub fn of(store: &MemoryStore, user: &str, inbox_to: u64, system_to: u64) -> Self {
        let mut model = Self::default();
        for record in
            log(store, &Channel::system()).iter().filter(|record| record.offset <= system_to)
        {
            if let Some(ServerMessage::Notification(note)) = decode(record) {
                model.add(true, note);
            }
        }
        let Ok(inbox) = Channel::inbox(user) else { return model };
        for record in log(store, &inbox).iter().filter(|record| record.offset <= inbox_to) {
            match decode(record) {
                Some(ServerMessage::Notification(note)) => model.add(false, note),
                Some(ServerMessage::Marked(marked)) => model.mark(&marked),
                Some(ServerMessage::Trimmed(trimmed)) => {
                    model.items.retain(|(system, offset), _| *system || *offset > trimmed.up_to);
                }
                _ => {}
            }
        }
        model
    }

    fn add(&mut self, system: bool, note: Notification) {
        self.items.insert((system, note.offset), (note.id, State::default()));
    }

    fn mark(&mut self, marked: &Marked) {
        let Marked { offsets, up_to, set, .. } = marked;
        for ((system, offset), (_, state)) in &mut self.items {
            if covers(offsets.as_ref(), up_to.as_ref(), *system, *offset) {
                *state = after(*state, *set);
            }
        }
    }

    /// Unread and unseen items, by channel.
    #[must_use]
    pub fn tally(&self, system: bool) -> Tally {
        let mine =
            self.items.iter().filter(|((of, _), _)| *of == system).map(|(_, (_, state))| *state);
        let shown = mine.filter(|state| !state.archived);
        shown.fold(Tally::default(), |tally, state| Tally {
            unread: tally.unread + u64::from(!state.read),
            unseen: tally.unseen + u64::from(!state.seen),
        })
    }
}

fn after(mut state: State, set: MarkSet) -> State {
    state.seen = set.seen.unwrap_or(state.seen);
    state.read = set.read.unwrap_or(state.read);
    state.archived = set.archived.unwrap_or(state.archived);
    if set.read == Some(true) {
        state.seen = true;
    }
    state
}

fn covers(offsets: Option<&Offsets>, up_to: Option<&UpTo>, system: bool, offset: u64) -> bool {
    let listed = offsets
        .and_then(|offsets| if system { offsets.system.as_ref() } else { offsets.inbox.as_ref() });
    let below = up_to.and_then(|up_to| if system { up_to.system } else { up_to.inbox });
    listed.is_some_and(|list| list.contains(&offset)) || below.is_some_and(|below| offset <= below)
}

/// Whether both logs of a user are there from their first record on.
#[must_use]
pub fn is_whole(store: &MemoryStore, user: &str) -> bool {
    match store.read(&[Query::Inbox { user: user.to_owned() }]).map(|mut answers| answers.pop()) {
        Ok(Some(Ok(Answer::Inbox(Some(heads))))) => heads.iter().all(|head| head.first == 1),
        _ => false,
    }
}

/// A whole log.
#[must_use]
pub fn log(store: &MemoryStore, channel: &Channel) -> Vec<Record> {
    let query =
        Query::Records { channel: channel.clone(), after: 0, limit: u32::MAX, bytes: u32::MAX };
    match store.read(&[query]).map(|mut answers| answers.pop()) {
        Ok(Some(Ok(Answer::Records { records, .. }))) => records,
        _ => Vec::new(),
    }
}

fn decode(record: &Record) -> Option<ServerMessage> {
    ServerMessage::decode(str::from_utf8(&record.frame).ok()?).ok()
}
