//! Large answers are read as fast as the client takes them, however many it requested at once.

use tidings_protocol::{Channel, Json, ServerMessage, server::Posted};
use tidings_server_core::{
    Limits,
    session::{Command, Event, Guard},
    store::{Draft, Op, Query, Write},
};

use crate::harness::{Peer, Server, offsets};

const LARGE: usize = 60_000;

/// Messages of 60 kB in a room.
fn fill(server: &mut Server, room: &str, count: usize) {
    for n in 0..count {
        let draft = Draft {
            channel: Channel::parse(room).unwrap(),
            id: format!("{room}-{n}"),
            kind: String::new(),
            at: server.now.wall,
            data: Json::string(&"x".repeat(LARGE)),
        };
        server.commit(Write { key: None, lane: None, op: Op::Message { draft, from: None } });
    }
}

/// Sends `text` until the session stops reading, at most a hundred times. Returns how often.
fn say_on(server: &mut Server, peer: &mut Peer, text: &str) -> usize {
    let mut sent = 0;
    while !peer.paused && sent < 100 {
        server.say(peer, text);
        sent += 1;
    }
    sent
}

#[test]
fn a_hundred_pages_asked_for_at_once_come_one_after_the_other() {
    let mut server = Server::new();
    let limits = server.limits.clone();
    fill(&mut server, "room:a", 10);
    let mut peer = server.connect("u1+rooms");
    peer.got();
    peer.stuck = true;
    let sent = say_on(&mut server, &mut peer, r#"{"type":"history","channel":"room:a"}"#);
    assert_eq!(sent, 1 + limits.outstanding, "one is made, and so many wait");
    let half = limits.mailbox_bytes / 2;
    assert!(peer.queued() >= LARGE && peer.queued() <= half + 1_000, "{} wait", peer.queued());
    peer.stuck = false;
    server.settle(&mut peer);
    let pages = peer.got();
    assert_eq!(pages.len(), sent);
    for page in &pages {
        let ServerMessage::Page(page) = page else { panic!("{page:?}") };
        let got: Vec<_> = page.messages.as_ref().unwrap().iter().map(offset).collect();
        assert_eq!((got, page.more), (vec![10, 9, 8, 7], true), "a page ends at its bytes");
    }
    assert!(!peer.paused && peer.is_settled());
}

fn offset(posted: &Posted) -> u64 {
    match posted {
        Posted::Message(message) => message.offset,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_page_is_made_when_the_one_before_was_taken() {
    let mut server = Server::new();
    fill(&mut server, "room:a", 4);
    let mut peer = server.connect("u1+rooms");
    peer.got();
    peer.slow_store = true;
    for _ in 0..3 {
        server.say(&mut peer, r#"{"type":"history","channel":"room:a"}"#);
    }
    assert!(matches!(
        peer.kept_back(),
        Command::Read { query: Query::RecordsBefore { bytes, .. }, .. }
            if bytes == server.limits.page_bytes
    ));
    assert_eq!(peer.kept_back_count(), 0, "the others wait for its answer");
}

#[test]
fn channels_that_catch_up_share_half_of_the_mailbox() {
    let mut server = Server::new();
    let rooms: Vec<_> = (0..30).map(|n| format!("room:{n}")).collect();
    let cursor = r#"{"epoch":"AAAAAAAA","offset":0}"#;
    let cursors: Vec<_> = rooms.iter().map(|room| format!(r#""{room}":{cursor}"#)).collect();
    for room in &rooms {
        fill(&mut server, room, 2);
    }
    let mut peer = server.open();
    peer.stuck = true;
    let connect = format!(
        r#"{{"type":"connect","version":1,"token":"u1+rooms","cursors":{{{}}}}}"#,
        cursors.join(",")
    );
    server.say(&mut peer, &connect);
    let most = server.limits.mailbox_bytes / 2 + 20_000;
    assert!(peer.queued() <= most, "{} bytes wait", peer.queued());
    peer.stuck = false;
    server.settle(&mut peer);
    let got = peer.got();
    for room in &rooms {
        assert_eq!(offsets(&got, room), [1, 2], "{room}");
    }
    assert!(peer.is_settled());
}

#[test]
fn one_answer_is_made_however_small_the_mailbox_is() {
    let mut server = Server::with(Limits { mailbox_bytes: 100, ..Limits::default() });
    fill(&mut server, "room:a", 2);
    let mut peer = server.connect("u1+rooms");
    assert!(peer.types().contains(&"snapshot"));
    for _ in 0..3 {
        server.say(&mut peer, r#"{"type":"history","channel":"room:a"}"#);
        assert_eq!(peer.types(), ["page"]);
    }
    assert!(peer.is_settled());
}

#[test]
fn answers_that_nobody_wants_any_more_count_as_under_way() {
    let mut server = Server::new();
    let mut peer = server.connect("u1");
    peer.got();
    peer.slow_store = true;
    let sent = say_on(&mut server, &mut peer, r#"{"type":"subscribe","channel":"inbox:u1"}"#);
    assert_eq!(sent, server.limits.outstanding);
    server.answer_store(&mut peer);
    assert!(!peer.paused && peer.is_settled());
    let kinds = peer.types();
    assert_eq!(kinds.iter().filter(|kind| **kind == "snapshot").count(), 1, "{kinds:?}");
}

#[test]
fn a_snapshot_ends_at_its_bytes_and_says_so() {
    let mut server = Server::with(Limits { snapshot_bytes: 1_000, ..Limits::default() });
    for _ in 0..20 {
        server.notify("u1");
    }
    let mut peer = server.connect("u1");
    let got = peer.got();
    let snapshot = got.iter().find_map(|message| match message {
        ServerMessage::Snapshot(snapshot) => Some(snapshot),
        _ => None,
    });
    let snapshot = snapshot.unwrap();
    assert!(snapshot.more && !snapshot.system_more);
    assert_eq!((snapshot.offset, snapshot.counts.inbox.unread), (20, 20), "of all items");
    let mut lowest = snapshot.items.last().unwrap().offset;
    assert_eq!(snapshot.items.len() as u64, 21 - lowest);
    let mut more = true;
    while more {
        let ask = format!(r#"{{"type":"history","channel":"inbox:u1","before":{lowest}}}"#);
        server.say(&mut peer, &ask);
        let got = peer.got();
        let [ServerMessage::Page(page)] = got.as_slice() else { panic!("{got:?}") };
        let items = page.items.as_ref().unwrap();
        assert_eq!(items[0].offset, lowest - 1, "nothing is left out");
        (lowest, more) = (items.last().unwrap().offset, page.more);
    }
    assert_eq!(lowest, 1);
}

#[test]
fn what_a_client_said_before_it_hung_up_is_done_and_nothing_more_is_read_for_it() {
    let mut server = Server::new();
    fill(&mut server, "room:a", 4);
    let mut post = server.post("u1+rooms", Guard::default());
    post.slow_store = true;
    let history = r#"{"type":"history","channel":"room:a"}"#;
    for _ in 0..3 {
        server.say(&mut post, history);
    }
    server.feed(&mut post, Event::HungUp);
    server.say(&mut post, history);
    server.say(&mut post, r#"{"type":"publish","channel":"room:a","data":1}"#);
    assert_eq!(post.kept_back_count(), 2, "the page that was asked for, and the publish");
    server.answer_store(&mut post);
    assert_eq!(server.top("room:a"), 5);
    assert!(post.is_settled());
}
