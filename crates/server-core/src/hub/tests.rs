use std::{cell::RefCell, rc::Rc};

use proptest::prelude::*;

use super::*;

/// A connection that takes records until its room is used up.
#[derive(Clone, Default)]
struct Connection(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    room: usize,
    frames: Vec<Bytes>,
    lagged: Vec<u64>,
}

impl Connection {
    fn with_room(room: usize) -> Self {
        Self(Rc::new(RefCell::new(Inner { room, ..Inner::default() })))
    }

    fn got(&self) -> usize {
        self.0.borrow().frames.len()
    }

    fn lagged(&self) -> Vec<u64> {
        self.0.borrow().lagged.clone()
    }
}

impl Sink for Connection {
    fn push(&self, frame: &Bytes) -> bool {
        let mut inner = self.0.borrow_mut();
        if inner.room == inner.frames.len() {
            return false;
        }
        inner.frames.push(frame.clone());
        true
    }

    fn lagged(&self, _: &Channel, _: Slot, sent: u64) {
        self.0.borrow_mut().lagged.push(sent);
    }
}

const EPOCH: Epoch = Epoch::from_bits(7);
const OTHER: Epoch = Epoch::from_bits(8);

fn room() -> Channel {
    Channel::parse("room:a").unwrap()
}

fn record(epoch: Epoch, offset: u64) -> Record {
    Record {
        channel: room(),
        epoch,
        offset,
        id: offset.to_string(),
        frame: Bytes::from(offset.to_string()),
    }
}

fn live(hub: &mut Hub<Connection>, sent: u64) -> (Connection, Slot) {
    let connection = Connection::with_room(100);
    let slot = hub.attach(&room(), connection.clone());
    assert_eq!(hub.go_live(&room(), slot, EPOCH, sent), GoLive::Live);
    (connection, slot)
}

#[test]
fn the_next_record_goes_to_all_who_are_live_and_to_nobody_else() {
    let mut hub = Hub::default();
    let (one, _) = live(&mut hub, 0);
    let (two, _) = live(&mut hub, 0);
    let reading = Connection::with_room(100);
    hub.attach(&room(), reading.clone());
    assert_eq!(hub.committed(&record(EPOCH, 1)), Delivery::Pushed(2));
    assert_eq!((one.got(), two.got(), reading.got()), (1, 1, 0));
}

#[test]
fn frames_are_shared_not_copied() {
    let mut hub = Hub::default();
    let (one, _) = live(&mut hub, 0);
    let first = record(EPOCH, 1);
    hub.committed(&first);
    assert_eq!(one.0.borrow().frames[0].as_ptr(), first.frame.as_ptr());
}

#[test]
fn a_doubled_record_is_delivered_once() {
    let mut hub = Hub::default();
    let (one, _) = live(&mut hub, 0);
    hub.committed(&record(EPOCH, 1));
    assert_eq!(hub.committed(&record(EPOCH, 1)), Delivery::Nothing);
    assert_eq!(one.got(), 1);
}

#[test]
fn a_hole_is_reported_and_nothing_behind_it_delivered() {
    let mut hub = Hub::default();
    let (one, _) = live(&mut hub, 3);
    assert_eq!(hub.committed(&record(EPOCH, 6)), Delivery::Hole { after: 3 });
    assert_eq!(one.got(), 0);
    for offset in 4..=6 {
        assert_eq!(hub.committed(&record(EPOCH, offset)), Delivery::Pushed(1));
    }
}

#[test]
fn who_sent_less_than_the_top_is_behind() {
    let mut hub = Hub::default();
    let _listener = live(&mut hub, 5);
    let late = Connection::with_room(100);
    let slot = hub.attach(&room(), late.clone());
    assert_eq!(hub.go_live(&room(), slot, EPOCH, 4), GoLive::Behind);
    hub.committed(&record(EPOCH, 6));
    assert_eq!(late.got(), 0, "it reads the log, where record 6 is too");
    assert_eq!(hub.go_live(&room(), slot, EPOCH, 6), GoLive::Live);
}

#[test]
fn a_record_between_attach_and_go_live_is_not_missed() {
    let mut hub = Hub::default();
    let connection = Connection::with_room(100);
    let slot = hub.attach(&room(), connection);
    // The log was read up to 2 before this record.
    hub.committed(&record(EPOCH, 3));
    assert_eq!(hub.go_live(&room(), slot, EPOCH, 2), GoLive::Behind);
}

#[test]
fn who_read_ahead_of_the_fan_out_gets_nothing_twice() {
    let mut hub = Hub::default();
    let (slow, _) = live(&mut hub, 1);
    let (ahead, _) = live(&mut hub, 3);
    assert_eq!(hub.committed(&record(EPOCH, 2)), Delivery::Pushed(1));
    assert_eq!(hub.committed(&record(EPOCH, 3)), Delivery::Pushed(1));
    assert_eq!(hub.committed(&record(EPOCH, 4)), Delivery::Pushed(2));
    assert_eq!((slow.got(), ahead.got()), (3, 1));
}

#[test]
fn a_full_connection_goes_back_to_the_log_alone() {
    let mut hub = Hub::default();
    let (quick, _) = live(&mut hub, 0);
    let slow = Connection::with_room(2);
    let slot = hub.attach(&room(), slow.clone());
    hub.go_live(&room(), slot, EPOCH, 0);
    for offset in 1..=5 {
        hub.committed(&record(EPOCH, offset));
    }
    assert_eq!((quick.got(), slow.got()), (5, 2));
    assert_eq!(slow.lagged(), [2], "told once, with the last it got");
    assert_eq!(hub.live_top(&room(), slot), None);
}

#[test]
fn another_log_sends_everybody_back() {
    let mut hub = Hub::default();
    let (one, slot) = live(&mut hub, 4);
    assert_eq!(hub.committed(&record(OTHER, 1)), Delivery::Nothing);
    assert_eq!((one.got(), one.lagged()), (0, vec![4]));
    assert_eq!(hub.go_live(&room(), slot, OTHER, 1), GoLive::Live);
}

#[test]
fn who_names_another_log_reads_again_and_so_does_everybody() {
    let mut hub = Hub::default();
    let (one, slot) = live(&mut hub, 4);
    let reader = hub.attach(&room(), Connection::with_room(100));
    assert_eq!(hub.go_live(&room(), reader, OTHER, 2), GoLive::Behind);
    assert_eq!(one.lagged(), [4]);
    assert_eq!(hub.go_live(&room(), reader, OTHER, 2), GoLive::Live);
    assert_eq!(hub.go_live(&room(), slot, OTHER, 2), GoLive::Live);
}

#[test]
fn the_first_record_of_a_channel_reaches_those_who_waited_for_it() {
    let mut hub = Hub::default();
    let early = Connection::with_room(100);
    let slot = hub.attach(&room(), early.clone());
    assert_eq!(hub.go_live(&room(), slot, NO_LOG, 0), GoLive::Live);
    hub.committed(&record(EPOCH, 1));
    assert_eq!((early.got(), early.lagged()), (0, vec![0]), "it reads the log to learn its epoch");
    assert_eq!(hub.go_live(&room(), slot, EPOCH, 1), GoLive::Live);
}

#[test]
fn a_reader_may_bring_the_news_of_the_first_record() {
    let mut hub = Hub::default();
    let early = Connection::with_room(100);
    let slot = hub.attach(&room(), early.clone());
    hub.go_live(&room(), slot, NO_LOG, 0);
    let reader = Connection::with_room(100);
    let other = hub.attach(&room(), reader.clone());
    assert_eq!(hub.go_live(&room(), other, EPOCH, 1), GoLive::Behind);
    assert_eq!(early.lagged(), [0]);
    assert_eq!(hub.go_live(&room(), other, EPOCH, 1), GoLive::Live);
    assert_eq!(hub.committed(&record(EPOCH, 1)), Delivery::Nothing);
    assert_eq!(hub.committed(&record(EPOCH, 2)), Delivery::Pushed(1));
    assert_eq!(reader.got(), 1);
}

#[test]
fn an_empty_channel_is_forgotten() {
    let mut hub = Hub::default();
    let (_, one) = live(&mut hub, 0);
    let (_, two) = live(&mut hub, 0);
    hub.detach(&room(), one);
    hub.detach(&room(), one);
    assert_eq!(hub.channels(), 1);
    hub.detach(&room(), two);
    assert_eq!(hub.channels(), 0);
}

#[test]
fn a_place_used_again_is_another_subscription() {
    let mut hub = Hub::default();
    let _stays = live(&mut hub, 0);
    let (_, old) = live(&mut hub, 0);
    hub.detach(&room(), old);
    let (new, slot) = live(&mut hub, 0);
    assert_ne!(old, slot);
    hub.detach(&room(), old);
    hub.committed(&record(EPOCH, 1));
    assert_eq!(new.got(), 1);
}

fn hint(epoch: Epoch, top: u64) -> Hint {
    Hint { channel: room(), epoch, top }
}

#[test]
fn a_hint_above_the_top_is_a_hole_and_others_are_nothing() {
    let mut hub = Hub::default();
    assert_eq!(hub.hint(&hint(EPOCH, 9)), Delivery::Nothing, "nobody listens");
    let (one, slot) = live(&mut hub, 2);
    assert_eq!(hub.hint(&hint(EPOCH, 2)), Delivery::Nothing);
    assert_eq!(hub.hint(&hint(EPOCH, 4)), Delivery::Hole { after: 2 });
    assert_eq!(hub.live_top(&room(), slot), Some(2));
    assert_eq!(hub.hint(&hint(OTHER, 1)), Delivery::OtherLog);
    assert!(one.lagged().is_empty(), "a hint is no fact");
}

#[test]
fn a_hint_while_somebody_reads_makes_them_read_once_more_and_no_more_than_that() {
    let mut hub = Hub::default();
    let slot = hub.attach(&room(), Connection::with_room(9));
    hub.hint(&hint(EPOCH, 5));
    assert_eq!(hub.go_live(&room(), slot, EPOCH, 4), GoLive::Behind);
    // The log was read again, and does not have the hinted record.
    assert_eq!(hub.go_live(&room(), slot, EPOCH, 4), GoLive::Live);
}

#[test]
fn the_logs_own_word_on_its_name_sends_everybody_back() {
    let mut hub = Hub::default();
    let (one, slot) = live(&mut hub, 4);
    let head = |epoch, first, top| Head { epoch, first, top };
    assert_eq!(hub.head(&room(), head(EPOCH, 1, 4)), Delivery::Nothing);
    assert_eq!(hub.head(&room(), head(EPOCH, 1, 6)), Delivery::Hole { after: 4 });
    assert_eq!(hub.head(&room(), head(OTHER, 1, 1)), Delivery::Nothing);
    assert_eq!(one.lagged(), [4]);
    assert_eq!(hub.go_live(&room(), slot, OTHER, 1), GoLive::Live);
}

#[test]
fn a_hole_that_was_trimmed_away_is_left_to_each_session() {
    let mut hub = Hub::default();
    let (one, _) = live(&mut hub, 4);
    assert_eq!(hub.head(&room(), Head { epoch: EPOCH, first: 9, top: 12 }), Delivery::Nothing);
    assert_eq!(one.lagged(), [4]);
}

/// Events around one channel.
#[derive(Clone, Debug)]
enum Step {
    Commit,
    /// A record is handed over again, or one is skipped and comes with the next.
    Again(u8),
    Skip,
    Attach {
        room: u8,
    },
    /// A subscriber reads the log up to some record, then asks to go live.
    GoLive {
        who: u8,
        short_by: u8,
    },
    Detach(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Commit),
        1 => any::<u8>().prop_map(Step::Again),
        1 => Just(Step::Skip),
        2 => (1..20_u8).prop_map(|room| Step::Attach { room }),
        3 => (any::<u8>(), 0..3_u8).prop_map(|(who, short_by)| Step::GoLive { who, short_by }),
        1 => any::<u8>().prop_map(Step::Detach),
    ]
}

/// A subscriber that reads the log and stores all records, read or pushed.
struct Reader {
    connection: Connection,
    slot: Slot,
    got: Vec<u64>,
    pushed: usize,
}

impl Reader {
    fn take_pushed(&mut self) {
        let inner = self.connection.0.borrow();
        let frames = inner.frames.iter().skip(self.pushed);
        self.got.extend(frames.map(|frame| str::from_utf8(frame).unwrap().parse::<u64>().unwrap()));
        self.pushed = inner.frames.len();
    }
}

proptest! {
    #[test]
    fn whoever_reads_and_goes_live_gets_every_record_once_in_order(steps in prop::collection::vec(step(), 1..80)) {
        let mut hub = Hub::default();
        let mut top = 0;
        let mut readers: Vec<Reader> = Vec::new();
        let hand_over = |hub: &mut Hub<Connection>, offset| {
            if let Delivery::Hole { after } = hub.committed(&record(EPOCH, offset)) {
                for missing in after + 1..=offset {
                    hub.committed(&record(EPOCH, missing));
                }
            }
        };
        for step in steps {
            match step {
                Step::Commit => {
                    top += 1;
                    hand_over(&mut hub, top);
                }
                Step::Again(back) => {
                    if let Some(old) = top.checked_sub(u64::from(back)).filter(|old| *old > 0) {
                        hand_over(&mut hub, old);
                    }
                }
                Step::Skip => top += 1,
                Step::Attach { room: space } => {
                    let connection = Connection::with_room(usize::from(space));
                    let slot = hub.attach(&room(), connection.clone());
                    readers.push(Reader { connection, slot, got: Vec::new(), pushed: 0 });
                }
                Step::GoLive { who, short_by } if !readers.is_empty() => {
                    let index = usize::from(who) % readers.len();
                    let reader = &mut readers[index];
                    // A session calls `go_live` only while it catches up.
                    if hub.live_top(&room(), reader.slot).is_none() {
                        reader.take_pushed();
                        let read_to = top.saturating_sub(u64::from(short_by));
                        let last = reader.got.last().copied().unwrap_or(0);
                        reader.got.extend(last + 1..=read_to);
                        let sent = reader.got.last().copied().unwrap_or(0);
                        hub.go_live(&room(), reader.slot, EPOCH, sent);
                    }
                }
                Step::Detach(who) if !readers.is_empty() => {
                    let index = usize::from(who) % readers.len();
                    let reader = readers.swap_remove(index);
                    hub.detach(&room(), reader.slot);
                }
                Step::GoLive { .. } | Step::Detach(_) => {}
            }
            for reader in &mut readers {
                reader.take_pushed();
                let dense = (1..=reader.got.len() as u64).collect::<Vec<_>>();
                prop_assert_eq!(&reader.got, &dense);
            }
        }
    }
}
