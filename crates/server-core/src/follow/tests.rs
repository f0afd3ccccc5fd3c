use std::{cell::RefCell, rc::Rc};

use bytes::Bytes;
use proptest::prelude::*;
use tidings_protocol::Json;

use super::*;
use crate::{
    Hub, MemoryStore,
    hub::{GoLive, Sink, Slot},
    memory::Syncing,
    store::{Draft, Op, Retention, Store as _, Subject, Write, Written},
};

/// A live subscriber that stores the offsets it got.
#[derive(Clone, Debug, Default)]
struct Listener(Rc<RefCell<(Vec<u64>, Vec<u64>)>>);

impl Listener {
    fn got(&self) -> Vec<u64> {
        self.0.borrow().0.clone()
    }

    fn lagged(&self) -> Vec<u64> {
        self.0.borrow().1.clone()
    }
}

impl Sink for Listener {
    fn push(&self, frame: &Bytes) -> bool {
        let text = str::from_utf8(frame).unwrap();
        let offset = text.split("\"offset\":").nth(1).unwrap().split(',').next().unwrap();
        self.0.borrow_mut().0.push(offset.parse().unwrap());
        true
    }

    fn lagged(&self, _: &Channel, _: Slot, sent: u64) {
        self.0.borrow_mut().1.push(sent);
    }
}

/// A node with a hub, on a log that other nodes write to as well.
struct Node {
    store: Rc<MemoryStore>,
    hub: Hub<Listener>,
    follow: Follow,
    out: Vec<Command>,
    now: Now,
}

fn room(name: &str) -> Channel {
    Channel::parse(name).unwrap()
}

/// Another node commits; this node's hub is not told.
fn write(store: &MemoryStore, channel: &Channel) -> Record {
    let (channel, id) = (channel.clone(), "m".to_owned());
    let draft = Draft { channel, id, kind: String::new(), at: 1, data: Json::string("m") };
    let write = Write { key: None, lane: None, op: Op::Message { draft, from: None } };
    match store.commit(1, &[write]).unwrap().remove(0).unwrap() {
        Written::Records { mut records, .. } => records.remove(0),
        other => panic!("{other:?}"),
    }
}

/// Writes several records and returns the last one.
fn write_many(store: &MemoryStore, channel: &Channel, count: u64) -> Record {
    for _ in 1..count {
        write(store, channel);
    }
    write(store, channel)
}

fn hint(of: &Record) -> Hint {
    Hint { channel: of.channel.clone(), epoch: of.epoch, top: of.offset }
}

const POLL: Polling = Polling::Every { ms: 1_000 };

impl Node {
    fn new(polling: Polling) -> Self {
        let store = Rc::new(MemoryStore::new(1, Syncing::BeforeTheAnswer));
        let (mut out, now) = (Vec::new(), Now { mono: 0, wall: 0 });
        let follow = Follow::new(polling, 0, now, &mut out);
        Self { store, hub: Hub::default(), follow, out, now }
    }

    /// A subscriber that is live at the log's top.
    fn listen(&mut self, channel: &Channel) -> Listener {
        let listener = Listener::default();
        let slot = self.hub.attach(channel, listener.clone());
        let head =
            self.head(channel).unwrap_or(Head { epoch: crate::store::NO_LOG, first: 1, top: 0 });
        assert_eq!(self.hub.go_live(channel, slot, head.epoch, head.top), GoLive::Live);
        listener
    }

    fn head(&self, channel: &Channel) -> Option<Head> {
        match self.store.read(&[Query::Heads(vec![channel.clone()])]).unwrap().remove(0).unwrap() {
            Answer::Heads(heads) => heads[0],
            other => panic!("{other:?}"),
        }
    }

    fn feed(&mut self, event: Event) {
        self.follow.handle(self.now, event, &mut self.hub, &mut self.out);
    }

    /// The read that was requested, without an answer yet.
    fn asked(&mut self) -> Option<(u32, Vec<Query>)> {
        let at = self.out.iter().position(|command| matches!(command, Command::Read { .. }))?;
        match self.out.remove(at) {
            Command::Read { request, queries } => Some((request, queries)),
            _ => None,
        }
    }

    /// Answers reads until there is none.
    fn settle(&mut self) {
        while let Some((request, queries)) = self.asked() {
            let answers = self.store.read(&queries).unwrap();
            self.feed(Event::Read { request, answers });
        }
    }

    fn pass(&mut self, ms: u64) {
        self.now.mono += ms;
        self.feed(Event::DeadlinePassed);
    }

    fn deadline(&self) -> Option<u64> {
        self.out.iter().rev().find_map(|command| match command {
            Command::SetDeadline { at } => Some(*at),
            _ => None,
        })?
    }
}

#[test]
fn a_hint_of_another_node_brings_its_records_in_order() {
    let mut node = Node::new(POLL);
    let room = room("room:a");
    write(&node.store, &room);
    let listener = node.listen(&room);
    let records: Vec<_> = (0..3).map(|_| write(&node.store, &room)).collect();
    node.feed(Event::Hinted(vec![hint(&records[2])]));
    node.settle();
    assert_eq!(listener.got(), [2, 3, 4]);
    assert!(node.follow.is_idle());
}

#[test]
fn doubled_late_and_reordered_hints_deliver_nothing_twice() {
    let mut node = Node::new(POLL);
    let room = room("room:a");
    write(&node.store, &room);
    let listener = node.listen(&room);
    let records: Vec<_> = (0..3).map(|_| write(&node.store, &room)).collect();
    for of in [2, 0, 2, 1] {
        node.feed(Event::Hinted(vec![hint(&records[of])]));
    }
    node.settle();
    node.feed(Event::Hinted(vec![hint(&records[0]), hint(&records[2])]));
    assert_eq!(node.asked(), None, "nothing is missing");
    assert_eq!(listener.got(), [2, 3, 4]);
}

#[test]
fn a_hint_during_a_read_is_read_after_it() {
    let mut node = Node::new(POLL);
    let room = room("room:a");
    write(&node.store, &room);
    let listener = node.listen(&room);
    let first = write(&node.store, &room);
    node.feed(Event::Hinted(vec![hint(&first)]));
    let (request, queries) = node.asked().unwrap();
    let answers = node.store.read(&queries).unwrap();
    // Too late for that read; the hint comes before the read's answer.
    let second = write(&node.store, &room);
    node.feed(Event::Hinted(vec![hint(&second)]));
    assert_eq!(node.asked(), None, "one read at a time");
    node.feed(Event::Read { request, answers });
    node.settle();
    assert_eq!(listener.got(), [2, 3]);
}

#[test]
fn a_burst_of_hints_is_one_read() {
    let mut node = Node::new(POLL);
    let rooms: Vec<_> = (0..5).map(|n| room(&format!("room:{n}"))).collect();
    rooms.iter().for_each(|room| drop(write(&node.store, room)));
    rooms.iter().for_each(|room| drop(node.listen(room)));
    let hints = rooms.iter().map(|room| hint(&write(&node.store, room))).collect();
    node.feed(Event::Hinted(hints));
    assert_eq!(node.asked().unwrap().1.len(), 5);
}

#[test]
fn logs_that_are_read_at_once_share_its_bytes() {
    for (logs, most) in [(1, BYTES), (READS, BYTES_OF_ALL), (3 * READS, BYTES_OF_ALL)] {
        let mut node = Node::new(POLL);
        let rooms: Vec<_> = (0..logs).map(|n| room(&format!("room:{n}"))).collect();
        rooms.iter().for_each(|room| drop(write(&node.store, room)));
        rooms.iter().for_each(|room| drop(node.listen(room)));
        let hints = rooms.iter().map(|room| hint(&write(&node.store, room))).collect();
        node.feed(Event::Hinted(hints));
        let (_, queries) = node.asked().unwrap();
        let each = queries.iter().map(|query| match query {
            Query::Records { bytes, .. } => *bytes,
            other => panic!("{other:?}"),
        });
        assert_eq!(each.sum::<u32>(), most, "{logs}");
    }
}

/// Found by seed 4 of the simulation: the node stopped polling.
#[test]
fn a_deadline_that_goes_off_early_is_set_anew() {
    let mut node = Node::new(POLL);
    node.out.clear();
    node.pass(999);
    assert_eq!(node.deadline(), Some(1_000));
    node.pass(1);
    assert_eq!(node.deadline(), Some(2_000));
}

#[test]
fn a_lost_hint_is_found_by_the_poll() {
    let mut node = Node::new(POLL);
    let room = room("room:a");
    write(&node.store, &room);
    let listener = node.listen(&room);
    write(&node.store, &room);
    assert_eq!(node.deadline(), Some(1_000));
    node.pass(1_000);
    node.settle();
    assert_eq!(listener.got(), [2]);
    assert_eq!(node.follow.figures().found, 1);
    assert_eq!(node.deadline(), Some(2_000));
}

#[test]
fn everything_is_looked_at_once_hints_may_have_been_lost() {
    let mut node = Node::new(POLL);
    let (a, b) = (room("room:a"), room("room:b"));
    for room in [&a, &b] {
        write(&node.store, room);
    }
    let (one, two) = (node.listen(&a), node.listen(&b));
    for room in [&a, &b] {
        write(&node.store, room);
    }
    node.feed(Event::HintsLost);
    node.settle();
    assert_eq!((one.got(), two.got()), (vec![2], vec![2]));
}

#[test]
fn a_node_that_writes_alone_never_polls() {
    let mut node = Node::new(Polling::Never);
    node.listen(&room("room:a"));
    assert_eq!(node.deadline(), None);
    node.pass(100_000);
    assert_eq!(node.asked(), None);
}

#[test]
fn a_read_that_failed_is_asked_again_and_nothing_is_forgotten() {
    let mut node = Node::new(Polling::Never);
    let room = room("room:a");
    write(&node.store, &room);
    let listener = node.listen(&room);
    let record = write(&node.store, &room);
    node.feed(Event::Hinted(vec![hint(&record)]));
    node.feed(Event::RevocationHinted);
    let (request, _) = node.asked().unwrap();
    node.feed(Event::ReadFailed { request });
    assert_eq!(node.asked(), None, "not at once");
    assert_eq!(node.deadline(), Some(1_000));
    node.pass(1_000);
    node.settle();
    assert_eq!(listener.got(), [2]);
    assert!(node.follow.is_idle());
}

#[test]
fn a_hint_that_claims_what_the_log_does_not_have_is_let_go() {
    let mut node = Node::new(POLL);
    let room = room("room:a");
    let record = write(&node.store, &room);
    let listener = node.listen(&room);
    node.feed(Event::Hinted(vec![Hint { top: 99, ..hint(&record) }]));
    node.settle();
    assert!(node.follow.is_idle());
    assert!(listener.got().is_empty() && listener.lagged().is_empty());
}

#[test]
fn the_first_record_of_a_log_reaches_those_who_waited_for_it() {
    let mut node = Node::new(POLL);
    let room = room("room:a");
    let listener = node.listen(&room);
    let record = write(&node.store, &room);
    node.feed(Event::Hinted(vec![hint(&record)]));
    node.settle();
    assert_eq!(listener.lagged(), [0], "it reads the log to learn its epoch");
}

#[test]
fn a_stale_hint_of_an_older_log_changes_nothing() {
    let mut node = Node::new(POLL);
    let room = room("room:a");
    let old = write(&node.store, &room);
    node.store.new_epochs();
    let listener = node.listen(&room);
    node.feed(Event::Hinted(vec![hint(&old)]));
    node.settle();
    assert!(listener.lagged().is_empty());
}

#[test]
fn new_epochs_send_everybody_back_to_the_log() {
    let mut node = Node::new(POLL);
    let room = room("room:a");
    write(&node.store, &room);
    let listener = node.listen(&room);
    node.store.new_epochs();
    node.pass(1_000);
    node.settle();
    assert_eq!(listener.lagged(), [1]);
}

#[test]
fn a_hole_that_was_trimmed_is_left_to_the_sessions() {
    let mut node = Node::new(POLL);
    let room = room("room:a");
    write(&node.store, &room);
    let listener = node.listen(&room);
    let last = write_many(&node.store, &room, 3);
    let retention = Retention {
        records: 1,
        age_ms: 1 << 40,
        items: 9,
        keys_ms: 9,
        lanes_ms: 9,
        empty_lanes_ms: 9,
        channels_ms: 1 << 40,
    };
    node.store.trim(1.into(), &retention).unwrap();
    node.feed(Event::Hinted(vec![hint(&last)]));
    node.settle();
    assert_eq!((listener.got(), listener.lagged()), (vec![], vec![1]));
    assert!(node.follow.is_idle());
}

#[test]
fn a_long_hole_is_read_page_by_page() {
    let mut node = Node::new(POLL);
    let room = room("room:a");
    write(&node.store, &room);
    let listener = node.listen(&room);
    let last = write_many(&node.store, &room, u64::from(RECORDS) + 5);
    node.feed(Event::Hinted(vec![hint(&last)]));
    node.settle();
    assert_eq!(listener.got(), (2..=last.offset).collect::<Vec<_>>());
    assert_eq!(node.follow.figures().holes, 2);
}

#[test]
fn revocations_of_other_nodes_are_heeded() {
    let mut node = Node::new(POLL);
    let revocation = Revocation { subject: Subject::User("u1".into()), at: 5, until: 9 };
    let revoke = Write { key: None, lane: None, op: Op::Revoke(revocation.clone()) };
    let heeded = |node: &mut Node| {
        let taken = std::mem::take(&mut node.out).into_iter();
        taken.filter(|one| *one == Command::Heed(revocation.clone())).count()
    };
    node.store.commit(1, std::slice::from_ref(&revoke)).unwrap();
    node.feed(Event::RevocationHinted);
    node.settle();
    assert_eq!(heeded(&mut node), 1);
    node.store.commit(1, &[revoke]).unwrap();
    // This time the hint is lost.
    node.pass(1_000);
    node.settle();
    assert_eq!(heeded(&mut node), 1);
}

/// Events around one channel and its hints.
#[derive(Clone, Debug)]
enum Step {
    /// Another node commits, and its hint arrives or is lost.
    Theirs {
        hinted: bool,
    },
    /// This node commits.
    Ours,
    Answer,
    Fail,
    Late(u64),
    Pass(u64),
}

proptest! {
    #[test]
    fn every_record_reaches_a_live_listener_once_and_in_order(
        steps in prop::collection::vec(prop_oneof![
            3 => any::<bool>().prop_map(|hinted| Step::Theirs { hinted }),
            2 => Just(Step::Ours),
            3 => Just(Step::Answer),
            1 => Just(Step::Fail),
            1 => (1..20_u64).prop_map(Step::Late),
            1 => (1..1_500_u64).prop_map(Step::Pass),
        ], 1..60)
    ) {
        let mut node = Node::new(POLL);
        let room = room("room:a");
        let epoch = write(&node.store, &room).epoch;
        let listener = node.listen(&room);
        let mut pending = None;
        for step in steps {
            match step {
                Step::Theirs { hinted } => {
                    let record = write(&node.store, &room);
                    if hinted {
                        node.feed(Event::Hinted(vec![hint(&record)]));
                    }
                }
                Step::Ours => {
                    let record = write(&node.store, &room);
                    if let Delivery::Hole { .. } = node.hub.committed(&record) {
                        node.feed(Event::Hinted(vec![hint(&record)]));
                    }
                }
                Step::Late(top) => node.feed(Event::Hinted(vec![Hint { channel: room.clone(), epoch, top }])),
                Step::Pass(ms) => node.pass(ms),
                Step::Answer => if let Some((request, answers)) = pending.take() {
                    node.feed(Event::Read { request, answers });
                },
                Step::Fail => if let Some((request, _)) = pending.take() {
                    node.feed(Event::ReadFailed { request });
                },
            }
            // The log is read at the request, but the answer may come later.
            if let Some((request, queries)) = node.asked() {
                pending = Some((request, node.store.read(&queries).unwrap()));
            }
        }
        if let Some((request, answers)) = pending.take() {
            node.feed(Event::Read { request, answers });
        }
        node.settle();
        // The faults end; two polls must repair them all.
        for _ in 0..2 {
            node.pass(1_000);
            node.settle();
        }
        let top = node.head(&room).unwrap().top;
        prop_assert_eq!(listener.got(), (2..=top).collect::<Vec<_>>());
    }
}
