//! A server as the protocol describes it, small enough to be obviously right: two logs, one user,
//! one connection.

use std::collections::{BTreeMap, VecDeque};

use tidings_protocol::{
    Channels, ClientMessage, Epoch, Item, Json, MarkSet, Offsets, Retry, ServerMessage, UpTo,
    client::{Cursor, History, Mark, Since, Void},
    server::{
        Ack, Connected, Error, Gap, GapReason, Marked, Notification, Page, Pong, SessionLimits,
        Snapshot, Subscribed,
    },
};

use crate::{
    harness::START,
    truth::{Covers, Life, Record, Truth, channel},
};

/// Items of a snapshot and of a page: few, so that short runs need pages.
const PAGE: usize = 4;

pub(crate) struct Server {
    pub(crate) truth: Truth,
    lanes: BTreeMap<String, Vec<String>>,
    clock: u64,
    /// Messages under way to the client.
    pub(crate) down: VecDeque<String>,
    /// Last offsets sent on this connection by log; `None`: no connection.
    sent: Option<[u64; 2]>,
}

impl Server {
    pub(crate) fn new() -> Self {
        let life = Life { epoch: Epoch::from_bits(1), records: Vec::new(), first: 1 };
        Self {
            truth: Truth { lives: vec![life], system: Vec::new() },
            lanes: BTreeMap::new(),
            clock: START,
            down: VecDeque::new(),
            sent: None,
        }
    }

    fn append(&mut self, record: Record) {
        let system = self.truth.system.len() as u64;
        self.truth.lives.last_mut().unwrap().records.push((record, system));
        self.pump();
    }

    pub(crate) fn notify(&mut self) {
        self.clock += 7;
        let id = format!("i{}-{}", self.truth.lives.len(), self.truth.top() + 1);
        self.append(Record::Note { id, at: self.clock });
    }

    pub(crate) fn broadcast(&mut self) {
        self.clock += 7;
        self.truth.system.push((format!("s{}", self.truth.system.len() + 1), self.clock));
        self.pump();
    }

    /// Another device marks. Returns whether that changed anything.
    pub(crate) fn mark(
        &mut self,
        covers: Covers,
        set: MarkSet,
        lane: Option<(String, u64)>,
    ) -> bool {
        let covers = match covers {
            Covers::UpTo([inbox, system]) => Covers::UpTo([
                inbox.min(self.truth.top()),
                system.min(self.truth.system.len() as u64),
            ]),
            // An item that does not exist yet can't be marked.
            Covers::Offsets([mut inbox, mut system]) => {
                inbox.retain(|offset| *offset <= self.truth.top());
                system.retain(|offset| *offset <= self.truth.system.len() as u64);
                Covers::Offsets([inbox, system])
            }
        };
        let (top, system) = (self.truth.top(), self.truth.system.len() as u64);
        let before = self.truth.life().flags(top, system);
        let mut life = self.truth.life().clone();
        life.records
            .push((Record::Mark { covers: covers.clone(), set, lane: lane.clone() }, system));
        let changed = life.flags(top + 1, system) != before;
        if changed {
            self.append(Record::Mark { covers, set, lane });
        }
        changed
    }

    /// The log drops its oldest records; items stay.
    pub(crate) fn retain(&mut self, by: u64) {
        let top = self.truth.top();
        let life = self.truth.lives.last_mut().unwrap();
        life.first = (life.first + by).min(top + 1);
    }

    /// The inbox log is lost, with every item and mark.
    pub(crate) fn lose_inbox(&mut self) {
        let epoch = Epoch::from_bits(self.truth.lives.len() as u64 + 1);
        self.truth.lives.push(Life { epoch, records: Vec::new(), first: 1 });
        self.cut();
    }

    pub(crate) fn cut(&mut self) {
        self.sent = None;
        self.down.clear();
    }

    fn say(&mut self, message: impl Into<ServerMessage>) {
        self.down.push_back(message.into().to_json());
    }

    /// Sends the records that live subscriptions have not got.
    fn pump(&mut self) {
        let Some(sent) = self.sent else { return };
        for offset in sent[0] + 1..=self.truth.top() {
            let (record, at) = self.truth.life().records[offset as usize - 1].clone();
            let counts = self.truth.life().counts(offset, at);
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
        for offset in sent[1] + 1..=self.truth.system.len() as u64 {
            let (id, at) = self.truth.system[offset as usize - 1].clone();
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
        self.sent = Some([self.truth.top(), self.truth.system.len() as u64]);
    }

    /// Handles a message of the client.
    pub(crate) fn hear(&mut self, message: ClientMessage) {
        match message {
            ClientMessage::Connect(connect) => {
                self.down.clear();
                self.sent = Some([self.truth.top(), self.truth.system.len() as u64]);
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
                let tops = Channels::from([
                    (channel(0), self.truth.top()),
                    (channel(1), self.truth.system.len() as u64),
                ]);
                self.say(Pong { id: None, now: self.clock, tops: Some(tops) });
            }
            ClientMessage::History(history) if self.sent.is_some() => self.page(&history),
            ClientMessage::Mark(mark) if self.sent.is_some() => self.intent(mark),
            ClientMessage::Void(void) if self.sent.is_some() => self.give_up(&void),
            _ => {}
        }
    }

    /// The offset after which records follow, or `None` if a snapshot must come.
    fn resume(&mut self, log: usize, cursor: Option<Cursor>) -> Option<u64> {
        let (epoch, first, top) = if log == 0 {
            (self.truth.life().epoch, self.truth.life().first, self.truth.top())
        } else {
            (Epoch::from_bits(99), 1, self.truth.system.len() as u64)
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
            proof: None,
        });
        if let (Some(cursor), None) = (cursor, resumed) {
            let why = if cursor.epoch == epoch { GapReason::Retention } else { GapReason::Epoch };
            let gap = Gap { channel: channel(log), from: cursor.offset + 1, to: first - 1, why };
            self.say(gap);
        }
        resumed.map(|cursor| cursor.offset)
    }

    /// Goes on from the answers: `None` for a log without a request.
    fn follow(&mut self, resumed: [Option<Option<u64>>; 2]) {
        let mut sent = self.sent.unwrap_or_default();
        if resumed.contains(&Some(None)) {
            let (offset, system) = (self.truth.top(), self.truth.system.len() as u64);
            let all = self.truth.items(self.truth.life(), offset, system);
            let older = |log: usize| all.iter().skip(PAGE).any(|item| item.channel == channel(log));
            let snapshot = Snapshot {
                id: None,
                channel: channel(0),
                epoch: self.truth.life().epoch,
                offset,
                system: Cursor::new(Epoch::from_bits(99), system),
                counts: self.truth.life().counts(offset, system),
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
        let offset = self.truth.top();
        let all = self.truth.items(self.truth.life(), offset, self.truth.system.len() as u64);
        let before = history.before.unwrap_or(u64::MAX);
        let mut items: Vec<Item> = all
            .into_iter()
            .filter(|item| item.channel == history.channel && item.offset < before)
            .collect();
        let more = items.len() > PAGE;
        items.truncate(PAGE);
        self.say(Page {
            id: history.id,
            channel: history.channel.clone(),
            // The inbox's epoch and offset, whichever log is listed: the states belong to the
            // inbox.
            epoch: self.truth.life().epoch,
            offset,
            more,
            items: Some(items),
            messages: None,
        });
    }

    /// A `seq` is given up; one that was taken before keeps its answer.
    fn give_up(&mut self, void: &Void) {
        let ack = Ack {
            id: void.id,
            client_id: Some(void.client_id.clone()),
            seq: Some(void.seq),
            channel: channel(0),
            epoch: self.truth.life().epoch,
            offset: self.truth.top(),
            record_id: None,
            duplicate: None,
        };
        let answers = self.lanes.entry(void.client_id.clone()).or_default();
        if void.seq == answers.len() as u64 + 1 {
            answers.push(ServerMessage::from(ack).to_json());
        }
        if let Some(answer) = answers.get(void.seq as usize - 1).cloned() {
            self.down.push_back(answer);
        }
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
        let foreign = mark.epochs.inbox.is_some_and(|epoch| epoch != self.truth.life().epoch);
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
                epoch: self.truth.life().epoch,
                offset: self.truth.top(),
                record_id: None,
                duplicate: None,
            };
            ServerMessage::from(ack).to_json()
        };
        self.lanes.entry(lane).or_default().push(answer.clone());
        self.down.push_back(answer);
    }
}
