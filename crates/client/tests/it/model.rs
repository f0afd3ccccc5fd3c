//! The client against a server over a network that drops, doubles and cuts. At every save, the
//! cache is the fold of the logs at its offsets. No notification arrives twice. In the end, the
//! client shows everything.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tidings_client_core::{
    Command, Credential, Event, Filter, Kinds, MarkTargets, Show, Status, User,
};
use tidings_protocol::{
    ClientMessage, Decode, MarkSet,
    server::{GapReason, Snapshot},
};

use crate::{
    harness::Rig,
    server::Server,
    truth::{Covers, Listed},
};

#[derive(Clone, Debug)]
enum Op {
    /// The driver's timer may fire.
    Advance(u64),
    /// The client marks the item at this index of the list.
    ClientMark(usize, MarkSet),
    ClientMarkAll(MarkSet),
    Cut,
    /// The network delivers messages.
    Deliver(usize),
    /// The next message arrives twice.
    Double,
    /// The next message is lost.
    Drop,
    LoadMore,
    LoseInbox,
    /// Another device marks.
    Mark([u64; 2], MarkSet),
    MarkUpTo([u64; 2], MarkSet),
    Notify,
    Broadcast,
    /// The page is closed and opened again.
    Reload,
    Retain(u64),
}

fn set() -> impl Strategy<Value = MarkSet> {
    let flag = || prop_oneof![3 => Just(None), 2 => Just(Some(true)), 1 => Just(Some(false))];
    (flag(), flag(), flag()).prop_map(|(seen, read, archived)| MarkSet { seen, read, archived })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => Just(Op::Notify),
        5 => Just(Op::Broadcast),
        12 => (1..6_usize).prop_map(Op::Deliver),
        3 => Just(Op::Drop),
        3 => Just(Op::Double),
        2 => Just(Op::Cut),
        1 => Just(Op::Reload),
        1 => Just(Op::LoseInbox),
        2 => (1..6_u64).prop_map(Op::Retain),
        4 => (1..400_u64).prop_map(Op::Advance),
        2 => (1_000..40_000_u64).prop_map(Op::Advance),
        4 => (0..12_usize, set()).prop_map(|(index, set)| Op::ClientMark(index, set)),
        1 => set().prop_map(Op::ClientMarkAll),
        3 => ([1..12_u64, 1..8_u64], set()).prop_map(|(at, set)| Op::Mark(at, set)),
        1 => ([0..12_u64, 0..8_u64], set()).prop_map(|(at, set)| Op::MarkUpTo(at, set)),
        2 => Just(Op::LoadMore),
    ]
}

/// Client, network and server.
struct World {
    rig: Rig,
    server: Server,
    saved: Option<String>,
    arrived: BTreeSet<(String, String, u64)>,
    calls: u64,
    /// Reported gaps: records that can't come again.
    gaps: Vec<GapReason>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            rig: Rig::with(|config| config.storage = true),
            server: Server::new(),
            saved: None,
            arrived: BTreeSet::new(),
            calls: 0,
            gaps: Vec::new(),
        };
        world.start();
        world
    }

    fn start(&mut self) {
        self.event(Event::UserChanged(User::Named("u1".into())));
        self.event(Event::ConnectRequested);
    }

    fn event(&mut self, event: Event) {
        self.rig.event(event);
        self.obey();
    }

    /// Executes the client's commands, as a driver would.
    fn obey(&mut self) {
        for command in self.rig.take() {
            match command {
                Command::FetchCredential { attempt, .. } if self.rig.fetching == Some(attempt) => {
                    self.rig.ticket(Ok(Credential::Ticket("t".into())));
                    self.obey();
                }
                Command::OpenTransport { transport, .. } => {
                    self.event(Event::TransportOpened { transport });
                }
                Command::CloseTransport { .. } => self.server.cut(),
                Command::Send { text, transport } if self.rig.transport == Some(transport) => {
                    self.server.hear(ClientMessage::decode(&text).unwrap());
                }
                Command::Load { user } => {
                    let saved = self.saved.clone();
                    self.event(Event::StorageLoaded { user, saved });
                }
                Command::Save { text, .. } => {
                    self.check_saved(&text);
                    self.saved = Some(text);
                }
                Command::Arrived(item) => {
                    let key = item.key;
                    let index = (key.channel.to_string(), key.epoch.to_string(), key.offset);
                    assert!(self.arrived.insert(index.clone()), "{index:?} arrived twice");
                }
                Command::Gap { why, .. } => self.gaps.push(why),
                _ => {}
            }
        }
    }

    /// I12: a saved cache is the fold of the logs at its cursors.
    fn check_saved(&self, text: &str) {
        let saved = Snapshot::from_json(&text[1..]).unwrap();
        let life = self.server.truth.lives.iter().find(|life| life.epoch == saved.epoch).unwrap();
        let listed = self.server.truth.listed(life, saved.offset, saved.system.offset);
        let shown: Vec<Listed> = saved
            .items
            .into_iter()
            .map(|item| (item.id, item.seen, item.read, item.archived))
            .collect();
        assert_eq!(shown, listed[..shown.len()], "at {}/{}", saved.offset, saved.system.offset);
        let counts = life.counts(saved.offset, saved.counts.system.at);
        assert_eq!(saved.counts, counts);
    }

    fn deliver(&mut self) -> bool {
        let Some(text) = self.server.down.pop_front() else { return false };
        if self.rig.transport.is_some() {
            self.rig.receive(&text);
            self.obey();
        }
        true
    }

    fn advance(&mut self, ms: u64) {
        let until = self.rig.now.mono + ms;
        while self.rig.now.mono < until {
            let next = self.rig.timer.unwrap_or(until).clamp(self.rig.now.mono, until);
            let step = (next - self.rig.now.mono).max(1);
            self.rig.advance(step);
            self.obey();
        }
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Advance(ms) => self.advance(ms),
            Op::ClientMark(index, set) => {
                if let Some(item) = self.rig.all().items.get(index) {
                    let targets = MarkTargets::Items(vec![item.id.to_string()]);
                    self.calls += 1;
                    self.event(Event::MarkRequested { intent: self.calls, targets, set });
                }
            }
            Op::ClientMarkAll(set) => {
                self.calls += 1;
                let targets = MarkTargets::All;
                self.event(Event::MarkRequested { intent: self.calls, targets, set });
            }
            Op::Cut => {
                self.server.cut();
                if self.rig.transport.is_some() {
                    self.rig.cut();
                    self.obey();
                }
            }
            Op::Deliver(n) => {
                for _ in 0..n {
                    self.deliver();
                }
            }
            Op::Double => {
                if let Some(text) = self.server.down.front().cloned() {
                    // An answer does not come twice on a connection; a record may.
                    if text.contains("\"type\":\"notification\"")
                        || text.contains("\"type\":\"marked\"")
                    {
                        self.server.down.push_front(text);
                    }
                }
                self.deliver();
                self.deliver();
            }
            Op::Drop => drop(self.server.down.pop_front()),
            Op::LoadMore => {
                self.calls += 1;
                let filter = Filter { show: Show::All, kinds: Kinds::default() };
                self.event(Event::MoreRequested { filter, intent: self.calls });
            }
            Op::LoseInbox => {
                self.server.lose_inbox();
                if self.rig.transport.is_some() {
                    self.rig.cut();
                    self.obey();
                }
            }
            Op::Mark([inbox, system], set) => {
                let covers = Covers::Offsets([vec![inbox], vec![system]]);
                self.server.mark(covers, set, None);
            }
            Op::MarkUpTo(up_to, set) => drop(self.server.mark(Covers::UpTo(up_to), set, None)),
            Op::Notify => self.server.notify(),
            Op::Broadcast => self.server.broadcast(),
            Op::Reload => {
                self.server.cut();
                let now = self.rig.now;
                self.rig = Rig::with(|config| config.storage = true);
                self.rig.now = now;
                self.arrived.clear();
                self.start();
            }
            Op::Retain(by) => self.server.retain(by),
        }
    }

    /// The network works; everything comes to rest.
    fn settle(&mut self) {
        for _ in 0..200 {
            while self.deliver() {}
            self.advance(1_000);
        }
        while self.deliver() {}
    }

    fn check_end(&mut self) {
        assert_eq!(self.rig.client.connection().status, Status::Connected);
        assert_eq!(self.rig.client.outbox().pending, 0, "every intent has an answer");
        for _ in 0..60 {
            if !self.rig.all().has_more {
                break;
            }
            self.apply(&Op::LoadMore);
            while self.deliver() {}
        }
        let (top, system) =
            (self.server.truth.life().records.len() as u64, self.server.truth.system.len() as u64);
        let life = self.server.truth.life();
        let listed = self.server.truth.listed(life, top, system);
        let counts = life.counts(top, system);
        let all = self.rig.all();
        let shown: Vec<Listed> = all
            .items
            .iter()
            .map(|item| (item.id.to_string(), item.seen, item.read, item.archived))
            .collect();
        assert_eq!(shown, listed);
        assert_eq!(all.unread, counts.inbox.unread + counts.system.unread);
        assert_eq!(all.unseen, counts.inbox.unseen + counts.system.unseen);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(400)))]

    #[test]
    fn the_client_shows_the_fold_of_the_logs(ops in prop::collection::vec(op(), 1..120)) {
        let mut world = World::new();
        let may_gap = ops.iter().any(|op| matches!(op, Op::Retain(_) | Op::LoseInbox));
        for op in ops {
            world.apply(&op);
        }
        world.settle();
        world.check_end();
        prop_assert!(may_gap || world.gaps.is_empty(), "a gap where nothing was lost");
    }
}
