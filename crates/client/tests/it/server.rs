//! A server as the protocol describes it, small enough to be believed: two logs, one user, one connection.

use std::collections::{BTreeMap, VecDeque};

use tidings_protocol::{
    Channel, ClientMessage, Counts, Epoch, Item, Json, MarkSet, Offsets, Retry, ServerMessage,
    SystemCounts, Tally, UpTo,
    client::{Cursor, History, Mark, Since},
    server::{
        Ack, Connected, Error, Gap, GapReason, Marked, Notification, Page, Pong, SessionLimits,
        Snapshot, Subscribed,
    },
};

use crate::harness::START;

/// Items of a snapshot and of a page: few, so that short runs page.
const PAGE: usize = 4;

#[derive(Clone)]
pub(crate) enum Record {
    Note { id: String, at: u64 },
    Mark { covers: Covers, set: MarkSet, lane: Option<(String, u64)> },
}

#[derive(Clone)]
pub(crate) enum Covers {
    Offsets([Vec<u64>; 2]),
    UpTo([u64; 2]),
}

impl Covers {
    fn has(&self, log: usize, offset: u64) -> bool {
        match self {
            Self::Offsets(offsets) => offsets[log].contains(&offset),
            Self::UpTo(up_to) => offset <= up_to[log],
        }
    }
}

/// One life of a user's inbox log.
#[derive(Clone)]
pub(crate) struct Life {
    pub(crate) epoch: Epoch,
    /// Each record with the top of `system:all` when it was made.
    pub(crate) records: Vec<(Record, u64)>,
    first: u64,
}

/// Ids with seen, read, archived.
pub(crate) type Listed = (String, bool, bool, bool);

pub(crate) struct Server {
    /// The last one is current; earlier ones are lost but for checking.
    pub(crate) lives: Vec<Life>,
    /// Ids and times of everyone-messages.
    pub(crate) system: Vec<(String, u64)>,
    lanes: BTreeMap<String, Vec<String>>,
    clock: u64,
    /// What is on its way to the client.
    pub(crate) down: VecDeque<String>,
    /// Offsets sent on this connection per log; `None`: no connection.
    sent: Option<[u64; 2]>,
}

impl Server {
    pub(crate) fn new() -> Self {
        let life = Life { epoch: Epoch::from_bits(1), records: Vec::new(), first: 1 };
        Self {
            lives: vec![life],
            system: Vec::new(),
            lanes: BTreeMap::new(),
            clock: START,
            down: VecDeque::new(),
            sent: None,
        }
    }

    pub(crate) fn life(&self) -> &Life {
        self.lives.last().unwrap()
    }

    fn top(&self) -> u64 {
        self.life().records.len() as u64
    }

    fn append(&mut self, record: Record) {
        let system = self.system.len() as u64;
        self.lives.last_mut().unwrap().records.push((record, system));
        self.pump();
    }

    pub(crate) fn notify(&mut self) {
        self.clock += 7;
        let id = format!("i{}-{}", self.lives.len(), self.top() + 1);
        self.append(Record::Note { id, at: self.clock });
    }

    pub(crate) fn notify_everyone(&mut self) {
        self.clock += 7;
        self.system.push((format!("s{}", self.system.len() + 1), self.clock));
        self.pump();
    }

    /// Another device marks. Answers whether it changed something.
    pub(crate) fn mark(
        &mut self,
        covers: Covers,
        set: MarkSet,
        lane: Option<(String, u64)>,
    ) -> bool {
        let covers = match covers {
            Covers::UpTo([inbox, system]) => {
                Covers::UpTo([inbox.min(self.top()), system.min(self.system.len() as u64)])
            }
            // What does not exist yet can't be marked.
            Covers::Offsets([mut inbox, mut system]) => {
                inbox.retain(|offset| *offset <= self.top());
                system.retain(|offset| *offset <= self.system.len() as u64);
                Covers::Offsets([inbox, system])
            }
        };
        let (top, system) = (self.top(), self.system.len() as u64);
        let before = self.flags(self.life(), top, system);
        let mut life = self.life().clone();
        life.records
            .push((Record::Mark { covers: covers.clone(), set, lane: lane.clone() }, system));
        let changed = self.flags(&life, top + 1, system) != before;
        if changed {
            self.append(Record::Mark { covers, set, lane });
        }
        changed
    }

    /// The log forgets its oldest records; items stay.
    pub(crate) fn retain(&mut self, by: u64) {
        let top = self.top();
        let life = self.lives.last_mut().unwrap();
        life.first = (life.first + by).min(top + 1);
    }

    /// The inbox log is lost, and with it every item and mark.
    pub(crate) fn lose_inbox(&mut self) {
        let epoch = Epoch::from_bits(self.lives.len() as u64 + 1);
        self.lives.push(Life { epoch, records: Vec::new(), first: 1 });
        self.cut();
    }

    pub(crate) fn cut(&mut self) {
        self.sent = None;
        self.down.clear();
    }

    /// Items with their flags as of `offset` in this life and `system` everyone-messages.
    fn flags(
        &self,
        life: &Life,
        offset: u64,
        system: u64,
    ) -> BTreeMap<(usize, u64), (bool, bool, bool)> {
        let mut flags = BTreeMap::new();
        for place in 1..=system {
            flags.insert((1, place), (false, false, false));
        }
        for (place, (record, _)) in (1..=offset).zip(&life.records) {
            match record {
                Record::Note { .. } => drop(flags.insert((0, place), (false, false, false))),
                Record::Mark { covers, set, .. } => {
                    for ((log, place), flags) in &mut flags {
                        if covers.has(*log, *place) {
                            set.apply(&mut flags.0, &mut flags.1, &mut flags.2);
                        }
                    }
                }
            }
        }
        flags
    }

    fn tally(&self, life: &Life, offset: u64, system: u64, of: usize) -> Tally {
        let mut tally = Tally::default();
        for ((log, _), (seen, read, archived)) in self.flags(life, offset, system) {
            if log == of && !archived {
                tally.unread += u64::from(!read);
                tally.unseen += u64::from(!seen);
            }
        }
        tally
    }

    /// Counts as a record that made the log `offset` long states them.
    pub(crate) fn counts(&self, life: &Life, offset: u64, at: u64) -> Counts {
        let system = self.tally(life, offset, at, 1);
        Counts {
            inbox: self.tally(life, offset, at, 0),
            system: SystemCounts { unread: system.unread, unseen: system.unseen, at },
        }
    }

    /// Newest first: what a list must show at these offsets.
    pub(crate) fn listed(&self, life: &Life, offset: u64, system: u64) -> Vec<Listed> {
        self.items(life, offset, system)
            .into_iter()
            .map(|item| (item.id, item.seen, item.read, item.archived))
            .collect()
    }

    fn items(&self, life: &Life, offset: u64, system: u64) -> Vec<Item> {
        let mut items: Vec<Item> = self
            .flags(life, offset, system)
            .into_iter()
            .map(|((log, place), (seen, read, archived))| {
                let (id, at) = if log == 1 {
                    self.system[place as usize - 1].clone()
                } else {
                    match &life.records[place as usize - 1].0 {
                        Record::Note { id, at } => (id.clone(), *at),
                        Record::Mark { .. } => unreachable!("marks are no items"),
                    }
                };
                Item {
                    channel: channel(log),
                    offset: place,
                    id,
                    kind: "note".into(),
                    at,
                    seen,
                    read,
                    archived,
                    data: Json::null(),
                }
            })
            .collect();
        items.sort_by_key(|item| std::cmp::Reverse((item.at, item.channel.clone(), item.offset)));
        items
    }

    fn say(&mut self, message: impl Into<ServerMessage>) {
        self.down.push_back(message.into().to_json());
    }

    /// Sends what live subscriptions have not sent.
    fn pump(&mut self) {
        let Some(sent) = self.sent else { return };
        for offset in sent[0] + 1..=self.top() {
            let (record, at) = self.life().records[offset as usize - 1].clone();
            let counts = self.counts(self.life(), offset, at);
            match record {
                Record::Note { id, at } => self.say(Notification {
                    channel: channel(0),
                    offset,
                    id,
                    kind: "note".into(),
                    at,
                    counts: Some(counts),
                    data: Json::null(),
                }),
                Record::Mark { covers, set, lane } => {
                    let (client_id, seq) = lane.unzip();
                    let (offsets, up_to) = match covers {
                        Covers::Offsets([inbox, system]) => {
                            (Some(Offsets { inbox: Some(inbox), system: Some(system) }), None)
                        }
                        Covers::UpTo([inbox, system]) => {
                            (None, Some(UpTo { inbox: Some(inbox), system: Some(system) }))
                        }
                    };
                    self.say(Marked {
                        channel: channel(0),
                        offset,
                        id: format!("m{offset}"),
                        at: self.clock,
                        client_id,
                        seq,
                        offsets,
                        up_to,
                        set,
                        counts,
                    });
                }
            }
        }
        for offset in sent[1] + 1..=self.system.len() as u64 {
            let (id, at) = self.system[offset as usize - 1].clone();
            self.say(Notification {
                channel: channel(1),
                offset,
                id,
                kind: "note".into(),
                at,
                counts: None,
                data: Json::null(),
            });
        }
        self.sent = Some([self.top(), self.system.len() as u64]);
    }

    /// The client says something.
    pub(crate) fn hear(&mut self, message: ClientMessage) {
        match message {
            ClientMessage::Connect(connect) => {
                self.down.clear();
                self.sent = Some([self.top(), self.system.len() as u64]);
                self.say(Connected {
                    id: None,
                    user_id: "u1".into(),
                    session: "s".into(),
                    session_token: "t".into(),
                    message: String::new(),
                    version: 1,
                    heartbeat_ms: 25_000,
                    timeout_ms: 10_000,
                    now: self.clock,
                    expires_at: None,
                    limits: SessionLimits {
                        message_bytes: 10_240,
                        subscriptions: 100,
                        page: PAGE as u32,
                    },
                });
                let cursors = connect.cursors.unwrap_or_default();
                let resumed =
                    [0, 1].map(|log| self.resume(log, cursors.get(&channel(log)).copied()));
                self.follow(resumed.map(Some));
            }
            ClientMessage::Subscribe(subscribe) if self.sent.is_some() => {
                let log = usize::from(subscribe.channel.is_system());
                let cursor = match subscribe.since {
                    Some(Since::Cursor(cursor)) => Some(cursor),
                    _ => None,
                };
                let resumed = self.resume(log, cursor);
                let mut both = [None, None];
                both[log] = Some(resumed);
                self.follow(both);
            }
            ClientMessage::Ping(_) if self.sent.is_some() => {
                let tops = BTreeMap::from([
                    (channel(0), self.top()),
                    (channel(1), self.system.len() as u64),
                ]);
                self.say(Pong { id: None, now: self.clock, tops: Some(tops) });
            }
            ClientMessage::History(history) if self.sent.is_some() => self.page(&history),
            ClientMessage::Mark(mark) if self.sent.is_some() => self.intent(mark),
            _ => {}
        }
    }

    /// Answers where records go on, or nothing where a snapshot must come.
    fn resume(&mut self, log: usize, cursor: Option<Cursor>) -> Option<u64> {
        let (epoch, first, top) = if log == 0 {
            (self.life().epoch, self.life().first, self.top())
        } else {
            (Epoch::from_bits(99), 1, self.system.len() as u64)
        };
        let resumed = cursor.filter(|cursor| {
            cursor.epoch == epoch && cursor.offset <= top && cursor.offset + 1 >= first
        });
        self.say(Subscribed {
            id: None,
            channel: channel(log),
            epoch,
            first,
            top,
            offset: resumed.map_or(top, |cursor| cursor.offset),
            recovered: resumed.is_some(),
        });
        if let (Some(cursor), None) = (cursor, resumed) {
            let why = if cursor.epoch == epoch { GapReason::Retention } else { GapReason::Epoch };
            let gap = Gap { channel: channel(log), from: cursor.offset + 1, to: first - 1, why };
            self.say(gap);
        }
        resumed.map(|cursor| cursor.offset)
    }

    /// Goes on from the answers: `None` for a log that was not asked about.
    fn follow(&mut self, resumed: [Option<Option<u64>>; 2]) {
        let mut sent = self.sent.unwrap_or_default();
        if resumed.contains(&Some(None)) {
            let (offset, system) = (self.top(), self.system.len() as u64);
            let all = self.items(self.life(), offset, system);
            let older = |log: usize| all.iter().skip(PAGE).any(|item| item.channel == channel(log));
            let snapshot = Snapshot {
                id: None,
                channel: channel(0),
                epoch: self.life().epoch,
                offset,
                system: Cursor { epoch: Epoch::from_bits(99), offset: system },
                counts: self.counts(self.life(), offset, system),
                more: older(0),
                system_more: older(1),
                items: all.iter().take(PAGE).cloned().collect(),
            };
            self.say(snapshot);
            sent = [offset, system];
        } else {
            for (log, resumed) in resumed.into_iter().enumerate() {
                if let Some(Some(offset)) = resumed {
                    sent[log] = offset;
                }
            }
        }
        self.sent = Some(sent);
        self.pump();
    }

    fn page(&mut self, history: &History) {
        let offset = self.top();
        let all = self.items(self.life(), offset, self.system.len() as u64);
        let before = history.before.unwrap_or(u64::MAX);
        let mut items: Vec<Item> = all
            .into_iter()
            .filter(|item| item.channel == history.channel && item.offset < before)
            .collect();
        let more = items.len() > PAGE;
        items.truncate(PAGE);
        let system = history.channel.is_system();
        let epoch = if system { Epoch::from_bits(99) } else { self.life().epoch };
        self.say(Page {
            id: history.id,
            channel: history.channel.clone(),
            epoch,
            offset,
            more,
            items: Some(items),
            messages: None,
        });
    }

    fn intent(&mut self, mark: Mark) {
        let (lane, seq) = (mark.client_id.unwrap(), mark.seq.unwrap());
        let answers = self.lanes.get(&lane).map_or(0, |answers| answers.len() as u64);
        if seq <= answers {
            let answer = self.lanes[&lane][seq as usize - 1].clone();
            self.down.push_back(answer);
            return;
        }
        let mut error = Error {
            id: mark.id,
            client_id: Some(lane.clone()),
            seq: Some(seq),
            channel: None,
            code: "sequence".into(),
            message: String::new(),
            retry: Retry::Backoff,
            retry_after_ms: None,
            expected: Some(answers + 1),
        };
        if seq > answers + 1 {
            return self.say(error);
        }
        let foreign = mark.epochs.inbox.is_some_and(|epoch| epoch != self.life().epoch);
        let answer = if foreign {
            error.code = "epoch_mismatch".into();
            error.retry = Retry::Never;
            error.expected = None;
            ServerMessage::from(error).to_json()
        } else {
            let covers = match (mark.offsets, mark.up_to) {
                (Some(offsets), _) => Covers::Offsets([
                    offsets.inbox.unwrap_or_default(),
                    offsets.system.unwrap_or_default(),
                ]),
                (None, up_to) => {
                    let up_to = up_to.unwrap_or_default();
                    Covers::UpTo([up_to.inbox.unwrap_or(0), up_to.system.unwrap_or(0)])
                }
            };
            self.mark(covers, mark.set, Some((lane.clone(), seq)));
            let ack = Ack {
                id: mark.id,
                client_id: Some(lane.clone()),
                seq: Some(seq),
                channel: channel(0),
                epoch: self.life().epoch,
                offset: self.top(),
                record_id: None,
                duplicate: None,
            };
            ServerMessage::from(ack).to_json()
        };
        self.lanes.entry(lane).or_default().push(answer.clone());
        self.down.push_back(answer);
    }
}

fn channel(log: usize) -> Channel {
    if log == 1 { Channel::system() } else { Channel::inbox("u1").unwrap() }
}
