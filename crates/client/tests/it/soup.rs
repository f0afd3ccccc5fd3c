//! Arbitrary events in any order: no panic, one transport, one ticket request, one timer. The
//! harness checks that.

use proptest::prelude::*;
use tidings_client_core::{
    Credential, Event, Filter, Kinds, Lane, MarkTargets, Show, TransportKind, User,
};
use tidings_protocol::{Json, MarkSet};

use crate::{
    harness::Rig,
    request::{answer, beginning},
    room, says,
};

fn text() -> impl Strategy<Value = String> {
    let offset = 0..6_u64;
    prop_oneof![
        Just(says::connected("u1")),
        Just(says::connected("u2")),
        (prop::sample::select(vec!["inbox:u1", "system:all", "inbox:u2", "room:x"]), offset.clone(), offset.clone(), any::<bool>())
            .prop_map(|(channel, top, at, recovered)| says::subscribed(channel, "inboxone", top, at, recovered)),
        Just(says::snapshot(&["a", "b", "c"])),
        Just(says::snapshot(&[])),
        offset.clone().prop_map(|offset| says::notification(offset, "n", offset)),
        offset.clone().prop_map(|offset| says::broadcast(offset, "s")),
        (offset.clone(), offset.clone()).prop_map(|(offset, seq)| says::marked(
            offset, r#""up_to":{"inbox":9007199254740991,"system":4}"#, r#"{"read":true}"#,
            Some(("lane-1", seq)), &says::counts((9007199254740991, 0), (9007199254740991, 1, 3)))),
        offset.clone().prop_map(|at| says::ack("lane-1", at, at)),
        (offset.clone(), prop::sample::select(vec!["never", "ticket", "backoff"])).prop_map(
            |(seq, retry)| says::error(&format!("\"client_id\":\"lane-1\",\"seq\":{seq},\"expected\":{seq},"), "x", retry)),
        (offset.clone(), prop::sample::select(vec!["never", "ticket", "backoff"])).prop_map(
            |(id, retry)| says::error(&format!("\"id\":{id},"), "x", retry)),
        Just(says::error("", "restart", "backoff")),
        (offset.clone(), offset.clone()).prop_map(|(a, b)| says::gap("inbox:u1", a, b, "epoch")),
        (offset.clone(), offset.clone()).prop_map(|(a, b)| format!(r#"{{"type":"skip","channel":"system:all","from":{a},"to":{b}}}"#)),
        offset.clone().prop_map(|top| says::pong(&format!("\"inbox:u1\":{top},\"system:all\":9007199254740991"))),
        offset.clone().prop_map(|id| format!(r#"{{"type":"page","id":{id},"channel":"inbox:u1","epoch":"inboxone","offset":{id},"more":true,"items":[{}]}}"#, says::item("inbox:u1", id, "p", false))),
        offset.clone().prop_map(|up_to| format!(r#"{{"type":"trimmed","channel":"inbox:u1","offset":{up_to},"id":"t","at":1,"up_to":9007199254740991,"counts":{}}}"#, says::counts((0, 0), (0, 0, 0)))),
        Just(r#"{"type":"goaway","within_ms":9007199254740991}"#.to_string()),
        Just(r#"{"type":"expiring","expires_at":0}"#.to_string()),
        offset.clone().prop_map(|id| format!(r#"{{"type":"refreshed","id":{id},"session_token":"x","expires_at":9007199254740991}}"#)),
        Just(r#"{"type":"unsubscribed","channel":"system:all","code":"forbidden"}"#.to_string()),
        Just(r#"{"type":"unsubscribed","channel":"room:1","code":"forbidden"}"#.to_string()),
        ((0..6_u64), (0..6_u64), (0..6_u64), any::<bool>(), prop::sample::select(vec!["AAAAAAAA", "roomone1", "roomtwo2"]))
            .prop_map(|(id, top, at, recovered, epoch)| room::subscribed(id, epoch, at, top, at, recovered).replace(r#""id":0,"#, "")),
        (0..6_u64).prop_map(room::message),
        ((0..6_u64), (0..6_u64)).prop_map(|(at, seq)| room::message_of(at, "u1", &format!(r#""client_id":"lane-1","seq":{seq},"#))),
        ((0..6_u64), (0..6_u64)).prop_map(|(a, b)| says::gap("room:1", a, b, "retention")),
        ((0..6_u64), (0..6_u64)).prop_map(|(a, b)| format!(r#"{{"type":"skip","channel":"room:1","from":{a},"to":{b}}}"#)),
        ((0..6_u64), (0..6_u64)).prop_map(|(id, at)| room::page(id, "roomone1", at, true, &[at, at / 2])),
        ((0..6_u64), (0..6_u64)).prop_map(|(seq, at)| room::ack("lane-1", seq, at)),
        (0..6_u64).prop_map(|top| says::pong(&format!("\"room:1\":{top}"))),
        "\\PC{0,40}",
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let number = 0..8_u64;
    let user = prop::sample::select(vec![
        User::Unknown,
        User::Nobody,
        User::Named("u1".into()),
        User::Named("u2".into()),
    ]);
    let show = prop::sample::select(vec![Show::Inbox, Show::Unread, Show::Archived, Show::All]);
    let set = || MarkSet { seen: None, read: Some(true), archived: Some(true) };
    prop_oneof![
        4 => Just(Event::ConnectRequested),
        1 => Just(Event::DisconnectRequested),
        2 => Just(Event::RetryRequested),
        2 => user.prop_map(Event::UserChanged),
        1 => any::<bool>().prop_map(|discard| Event::SignOutRequested { discard }),
        2 => number.clone().prop_map(move |intent| Event::MarkRequested { intent, targets: MarkTargets::All, set: set() }),
        2 => number.clone().prop_map(move |intent| Event::MarkRequested { intent, targets: MarkTargets::Items(vec!["a".into()]), set: set() }),
        2 => (show, number.clone()).prop_map(|(show, intent)| Event::MoreRequested { filter: Filter { show, kinds: Kinds::default() }, intent }),
        1 => (number.clone(), number.clone()).prop_map(|(id, intent)| Event::FailedRetried { id, intent }),
        1 => number.clone().prop_map(|id| Event::FailedDiscarded { id }),
        3 => Just(Event::ChannelWanted { channel: room::channel(room::ROOM) }),
        1 => Just(Event::ChannelWanted { channel: room::channel("room:2") }),
        1 => Just(Event::ChannelUnwanted { channel: room::channel(room::ROOM) }),
        3 => number.clone().prop_map(|intent| Event::PublishRequested { intent, channel: room::channel(room::ROOM), data: Json::null() }),
        2 => number.clone().prop_map(|intent| Event::OlderRequested { intent, channel: room::channel(room::ROOM) }),
        3 => number.prop_map(|number| Event::Persisted { number }),
        1 => Just(Event::LanesFailed { reason: "quota".into() }),
        2 => (0..4_usize).prop_map(|row| Event::LanesClaimed { user: "u1".into(), lanes: vec![Lane { name: "dead".into(), rows: vec![(1, ROWS[row].into())] }].into() }),
        1 => Just(Event::StorageLoaded { user: "u1\troom:1".into(), saved: Some(format!("1{}", room::page(1, "roomone1", 3, true, &[3, 1]))) }),
        1 => Just(Event::StorageLoaded { user: "u1".into(), saved: Some("1{}".into()) }),
        1 => Just(Event::StorageLoaded { user: "u1".into(), saved: Some(format!("1{}", says::snapshot(&["x"]))) }),
        1 => Just(Event::StorageFailed { reason: "quota".into() }),
        1 => Just(Event::WentOnline),
        1 => Just(Event::WentOffline),
        1 => Just(Event::Hidden),
        2 => Just(Event::Woke),
        2 => Just(Event::TimerFired),
    ]
}

fn transports() -> impl Strategy<Value = Vec<TransportKind>> {
    use TransportKind::{Poll, Sse, Ws};
    prop::sample::select(vec![
        vec![Ws],
        vec![Ws, Sse, Poll],
        vec![Sse],
        vec![Poll, Sse],
        vec![Sse, Poll],
    ])
}

/// Rows of an ended client: valid, refused, broken, of a newer version.
const ROWS: [&str; 4] = [
    "11\n{\"type\":\"publish\",\"channel\":\"room:1\",\"data\":1}",
    "11\n{\"type\":\"publish\",\"channel\":\"room:1\",\"data\":1}\n2\n{\"type\":\"error\",\"code\":\"x\",\"message\":\"no\",\"retry\":\"never\"}",
    "1{",
    "2",
];

#[derive(Clone, Debug)]
enum Reply {
    Ended(Option<&'static str>),
    /// A piece of a response: an event of a stream, or a line.
    Piece(String),
    Status(u16),
    /// A whole response: status, head and messages of a stream, a poll or a POST.
    Whole(Vec<String>),
}

fn reply() -> impl Strategy<Value = Reply> {
    let events = text().prop_map(|text| Reply::Piece(format!("data: {text}\n\n")));
    prop_oneof![
        2 => prop::sample::select(vec![None, Some("reset")]).prop_map(Reply::Ended),
        6 => events,
        2 => text().prop_map(|text| Reply::Piece(format!("{text}\n"))),
        1 => Just(Reply::Piece(":\n\n".into())),
        1 => "\\PC{0,40}".prop_map(Reply::Piece),
        4 => Just(Reply::Status(200)),
        1 => prop::sample::select(vec![204, 301, 401, 429, 502, 503]).prop_map(Reply::Status),
        4 => prop::collection::vec(text(), 0..4).prop_map(Reply::Whole),
        3 => Just(Reply::Whole(beginning(&["a"]))),
    ]
}

#[derive(Clone, Debug)]
enum Op {
    Any(Event),
    Advance(u64, u64),
    Close(u16),
    Open,
    Receive(String),
    /// A reply to one of the requests under way.
    Request(usize, Reply),
    Ticket(Result<Credential, String>),
}

fn op() -> impl Strategy<Value = Op> {
    let ticket = prop::sample::select(vec![
        Ok(Credential::Ticket("t".into())),
        Ok(Credential::Token("t".into())),
        Ok(Credential::SignedOut),
        Err("down".to_string()),
    ]);
    prop_oneof![
        6 => event().prop_map(Op::Any),
        2 => (0..60_000_u64, 0..100_000_u64).prop_map(|(mono, extra)| Op::Advance(mono, extra)),
        1 => prop::sample::select(vec![1000, 1006, 4001, 4103, 4208, 65535]).prop_map(Op::Close),
        3 => Just(Op::Open),
        10 => text().prop_map(Op::Receive),
        8 => (0..4_usize, reply()).prop_map(|(which, reply)| Op::Request(which, reply)),
        4 => ticket.prop_map(Op::Ticket),
    ]
}

impl Rig {
    fn reply(&mut self, which: usize, reply: Reply) {
        let Some(asked) = self.requests.get(which % self.requests.len().max(1)).cloned() else {
            return;
        };
        match reply {
            Reply::Ended(reason) => self.request_ended(asked.number, reason),
            Reply::Piece(text) => self.piece(asked.number, &text),
            Reply::Status(status) => self.status(asked.number, status),
            Reply::Whole(messages) => {
                let body = if asked.path.starts_with("poll?") {
                    answer("st", &messages)
                } else if asked.path.starts_with("sse?") {
                    messages.iter().map(|message| format!("data: {message}\n\n")).collect()
                } else {
                    messages.join("\n")
                };
                self.status(asked.number, 200);
                self.piece_if_open(asked.number, &body);
                if !asked.path.starts_with("sse?") {
                    self.end_if_open(asked.number);
                }
            }
        }
    }

    fn piece_if_open(&mut self, number: u64, text: &str) {
        if self.requests.iter().any(|asked| asked.number == number) {
            self.piece(number, text);
        }
    }

    fn end_if_open(&mut self, number: u64) {
        if self.requests.iter().any(|asked| asked.number == number) {
            self.request_ended(number, None);
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Any(event) => self.event(event),
            Op::Advance(mono, extra) => {
                self.now.wall += extra;
                self.advance(mono);
            }
            Op::Close(code) => {
                if self.transport.is_some() {
                    self.closed(code);
                }
            }
            Op::Open => {
                if let Some(transport) = self.transport {
                    self.event(Event::TransportOpened { transport });
                }
            }
            Op::Receive(text) => {
                if self.transport.is_some() {
                    self.receive(&text);
                }
            }
            Op::Request(which, reply) => self.reply(which, reply),
            Op::Ticket(result) => {
                if self.fetching.is_some() {
                    self.ticket(result);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(600)))]

    /// The startup path makes the same choices as the whole client, or leaves them to it.
    #[test]
    fn a_client_in_two_parts_does_what_a_whole_one_does(ops in prop::collection::vec(op(), 1..60), storage: bool, head in 0..6_usize, kinds in transports()) {
        let rig = |whole| Rig::with(|config| {
            config.storage = storage;
            config.transports.clone_from(&kinds);
            config.whole = whole;
        });
        let (mut whole, mut parts) = (rig(true), rig(false));
        // Most sequences leave the startup path at once, so start somewhere along it.
        let way = [
            Op::Any(Event::UserChanged(User::Named("u1".into()))),
            Op::Any(Event::ConnectRequested),
            Op::Ticket(Ok(Credential::Ticket("t".into()))),
            Op::Open,
            Op::Any(Event::StorageLoaded { user: "u1".into(), saved: None }),
            Op::Receive([
                says::connected("u1"),
                says::subscribed("inbox:u1", "inboxone", 0, 0, false),
                says::subscribed("system:all", "system01", 0, 0, false),
                says::snapshot(&[]),
            ].join("\n")),
        ];
        for op in way.into_iter().take(head).chain(ops) {
            whole.apply(op.clone());
            parts.apply(op);
            prop_assert_eq!(whole.take(), parts.take());
            prop_assert_eq!(whole.client.connection(), parts.client.connection());
            prop_assert_eq!(whole.all(), parts.all());
        }
    }

    #[test]
    fn no_soup_of_events_breaks_the_contract(ops in prop::collection::vec(op(), 1..150), storage: bool, lanes: bool, kinds in transports()) {
        let mut rig = Rig::with(|config| {
            config.storage = storage;
            config.transports.clone_from(&kinds);
            config.lanes = lanes;
            config.channels_max = 1;
            config.messages_max = 3;
            config.outbox_max = 4;
            config.failed_max = 2;
            config.keep = 2;
            config.items_max = 4;
        });
        for op in ops {
            rig.apply(op);
            prop_assert!(rig.all().items.len() <= 4);
            prop_assert!(rig.room().messages.len() <= 3 + 4 + 2);
            prop_assert!(rig.client.outbox().pending <= 4);
            prop_assert!(rig.client.outbox().failed.len() <= 2);
            prop_assert!(!rig.client.explain(rig.now).is_empty());
            prop_assert!(rig.requests.len() <= 4, "two transports at most");
        }
    }
}
