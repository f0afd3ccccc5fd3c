//! Cursors, gaps, catching up and going live.

use tidings_protocol::{
    Channel, ServerMessage,
    server::{GapReason, Subscribed},
};
use tidings_server_core::{
    Limits,
    session::Event,
    store::{Retention, Store},
};

use crate::harness::{Peer, Server, offsets};

/// The `subscribed` of a channel among messages.
fn subscribed(messages: &[ServerMessage], channel: &str) -> Subscribed {
    let found = messages.iter().find_map(|message| match message {
        ServerMessage::Subscribed(one) if one.channel.as_str() == channel => Some(one.clone()),
        _ => None,
    });
    found.expect("subscribed")
}

fn types(messages: &[ServerMessage]) -> Vec<&'static str> {
    messages.iter().map(ServerMessage::type_name).collect()
}

fn gap(messages: &[ServerMessage]) -> (String, u64, u64, GapReason) {
    let found = messages.iter().find_map(|message| match message {
        ServerMessage::Gap(gap) => Some((gap.channel.to_string(), gap.from, gap.to, gap.why)),
        _ => None,
    });
    found.expect("a gap")
}

/// `,"cursors":{…}` of a user at these offsets, with the server's epochs.
fn cursors(server: &mut Server, user: &str, inbox: u64, system: u64) -> String {
    let mut peer = server.connect(user);
    let messages = peer.got();
    server.feed(&mut peer, Event::TransportClosed);
    let own = format!("inbox:{user}");
    let (a, b) = (subscribed(&messages, &own).epoch, subscribed(&messages, "system:all").epoch);
    format!(
        r#","cursors":{{"{own}":{{"epoch":"{a}","offset":{inbox}}},"system:all":{{"epoch":"{b}","offset":{system}}}}}"#
    )
}

fn filled(server: &mut Server, own: u64, broadcasts: u64) {
    drop(server.connect("u1"));
    for _ in 0..own {
        server.notify("u1");
    }
    for _ in 0..broadcasts {
        server.broadcast();
    }
}

fn retain(server: &Server, records: u64) {
    let retention = Retention {
        records,
        age_ms: 1 << 50,
        items: 1_000,
        keys_ms: 1 << 50,
        lanes_ms: 1 << 50,
        empty_lanes_ms: 1 << 50,
        channels_ms: 1 << 50,
    };
    server.store.trim(server.now.wall.into(), &retention).unwrap();
}

#[test]
fn resumes_without_gap_from_its_cursors() {
    let mut server = Server::new();
    filled(&mut server, 5, 3);
    let at = cursors(&mut server, "u1", 2, 1);
    let mut peer = server.connect_with("u1", &at);
    let messages = peer.got();
    assert_eq!(types(&messages)[..3], ["connected", "subscribed", "subscribed"]);
    let own = subscribed(&messages, "inbox:u1");
    assert_eq!((own.recovered, own.offset, own.first, own.top), (true, 2, 1, 5));
    assert_eq!(offsets(&messages, "inbox:u1"), [3, 4, 5]);
    assert_eq!(offsets(&messages, "system:all"), [2, 3]);
    server.notify("u1");
    assert_eq!(offsets(&peer.got(), "inbox:u1"), [6]);
}

#[test]
fn one_who_missed_nothing_gets_nothing() {
    let mut server = Server::new();
    filled(&mut server, 2, 1);
    let at = cursors(&mut server, "u1", 2, 1);
    let mut peer = server.connect_with("u1", &at);
    assert_eq!(peer.types(), ["connected", "subscribed", "subscribed"]);
}

#[test]
fn a_gap_by_retention_is_told_and_a_snapshot_follows() {
    let mut server = Server::new();
    filled(&mut server, 6, 0);
    let at = cursors(&mut server, "u1", 2, 0);
    retain(&server, 2);
    let mut peer = server.connect_with("u1", &at);
    let messages = peer.got();
    assert_eq!(types(&messages), ["connected", "subscribed", "gap", "subscribed", "snapshot"]);
    assert_eq!(gap(&messages), ("inbox:u1".into(), 3, 4, GapReason::Retention));
    assert!(!subscribed(&messages, "inbox:u1").recovered);
    match &messages[4] {
        ServerMessage::Snapshot(snapshot) => {
            assert_eq!((snapshot.offset, snapshot.items.len()), (6, 6))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_last_record_before_retention_is_enough_to_resume() {
    let mut server = Server::new();
    filled(&mut server, 6, 0);
    let at = cursors(&mut server, "u1", 4, 0);
    retain(&server, 2);
    let mut peer = server.connect_with("u1", &at);
    let messages = peer.got();
    assert!(subscribed(&messages, "inbox:u1").recovered);
    assert_eq!(offsets(&messages, "inbox:u1"), [5, 6]);
}

#[test]
fn a_cursor_above_the_top_or_of_another_epoch_resets_that_client_alone() {
    let mut server = Server::new();
    filled(&mut server, 2, 0);
    let mut other = server.connect("u1");
    other.got();
    let above = cursors(&mut server, "u1", 9, 0);
    let sound = cursors(&mut server, "u1", 2, 0);
    let start = sound.find(r#"epoch":""#).unwrap() + 8;
    let foreign = format!("{}zzzzzzzz{}", &sound[..start], &sound[start + 8..]);
    for claim in [above, foreign] {
        let mut peer = server.connect_with("u1", &claim);
        let messages = peer.got();
        assert_eq!(
            types(&messages),
            ["connected", "subscribed", "gap", "subscribed", "snapshot"],
            "{claim}"
        );
        assert_eq!(gap(&messages), ("inbox:u1".into(), 1, 2, GapReason::Epoch));
    }
    assert!(other.got().is_empty(), "others notice nothing");
    server.notify("u1");
    assert_eq!(offsets(&other.got(), "inbox:u1"), [3]);
}

#[test]
fn subscribing_the_inbox_again_repairs_a_hole() {
    let mut server = Server::new();
    filled(&mut server, 4, 0);
    let mut peer = server.connect("u1");
    let epoch = subscribed(&peer.got(), "inbox:u1").epoch;
    let since = format!(r#"{{"epoch":"{epoch}","offset":1}}"#);
    server.say(
        &mut peer,
        &format!(r#"{{"type":"subscribe","id":5,"channel":"inbox:u1","since":{since}}}"#),
    );
    let messages = peer.got();
    assert_eq!(types(&messages)[0], "subscribed");
    let again = subscribed(&messages, "inbox:u1");
    assert_eq!((again.id, again.recovered, again.offset), (Some(5), true, 1));
    assert_eq!(offsets(&messages, "inbox:u1"), [2, 3, 4]);
    server.notify("u1");
    assert_eq!(offsets(&peer.got(), "inbox:u1"), [5], "once, not once a subscription");
}

#[test]
fn subscribing_the_inbox_without_a_cursor_gives_a_snapshot_of_the_pair() {
    let mut server = Server::new();
    filled(&mut server, 2, 1);
    let mut peer = server.connect("u1");
    peer.got();
    server.say(&mut peer, r#"{"type":"subscribe","id":5,"channel":"system:all"}"#);
    let messages = peer.got();
    assert_eq!(types(&messages), ["subscribed", "subscribed", "snapshot"]);
    assert_eq!(subscribed(&messages, "system:all").id, Some(5));
    assert_eq!(subscribed(&messages, "inbox:u1").id, None);
    server.notify("u1");
    server.broadcast();
    let messages = peer.got();
    assert_eq!(
        (offsets(&messages, "inbox:u1"), offsets(&messages, "system:all")),
        (vec![3], vec![2])
    );
}

#[test]
fn a_subscription_asked_for_twice_at_once_begins_once() {
    let mut server = Server::new();
    filled(&mut server, 2, 0);
    let mut peer = server.connect("u1");
    let epoch = subscribed(&peer.got(), "inbox:u1").epoch;
    peer.slow_store = true;
    for ask in [
        r#"{"type":"subscribe","id":1,"channel":"inbox:u1"}"#.to_owned(),
        format!(
            r#"{{"type":"subscribe","id":2,"channel":"inbox:u1","since":{{"epoch":"{epoch}","offset":0}}}}"#
        ),
        r#"{"type":"subscribe","id":3,"channel":"system:all"}"#.to_owned(),
    ] {
        server.say(&mut peer, &ask);
    }
    server.answer_store(&mut peer);
    let messages = peer.got();
    assert_eq!(types(&messages), ["subscribed", "subscribed", "snapshot"]);
    server.notify("u1");
    assert_eq!(offsets(&peer.got(), "inbox:u1"), [3]);
}

fn rooms(server: &mut Server) -> Peer {
    let mut peer = server.connect("u1+rooms");
    peer.got();
    peer
}

fn publish(server: &mut Server, peer: &mut Peer, count: usize) {
    for _ in 0..count {
        server.pass(100);
        server.say(peer, r#"{"type":"publish","channel":"room:a","data":"hello"}"#);
    }
    peer.got();
}

#[test]
fn a_room_starts_now_or_at_the_first_record() {
    let mut server = Server::new();
    let mut peer = rooms(&mut server);
    publish(&mut server, &mut peer, 3);
    server.say(&mut peer, r#"{"type":"subscribe","channel":"room:a"}"#);
    let messages = peer.got();
    assert_eq!((types(&messages), subscribed(&messages, "room:a").offset), (vec!["subscribed"], 3));
    server.say(&mut peer, r#"{"type":"subscribe","channel":"room:a","since":"first"}"#);
    let messages = peer.got();
    assert_eq!(subscribed(&messages, "room:a").offset, 0);
    assert_eq!(offsets(&messages, "room:a"), [1, 2, 3]);
}

#[test]
fn a_room_goes_on_after_a_retention_gap_with_what_is_kept() {
    let mut server = Server::new();
    let mut peer = rooms(&mut server);
    publish(&mut server, &mut peer, 6);
    server.say(&mut peer, r#"{"type":"subscribe","channel":"room:a"}"#);
    let epoch = subscribed(&peer.got(), "room:a").epoch;
    retain(&server, 2);
    let more = format!(r#","cursors":{{"room:a":{{"epoch":"{epoch}","offset":1}}}}"#);
    let mut peer = server.connect_with("u1+rooms", &more);
    let messages = peer.got();
    assert_eq!(gap(&messages), ("room:a".into(), 2, 4, GapReason::Retention));
    assert_eq!(offsets(&messages, "room:a"), [5, 6]);
}

#[test]
fn who_waits_in_an_empty_room_gets_its_first_record() {
    let mut server = Server::new();
    let mut waiting = rooms(&mut server);
    server.say(&mut waiting, r#"{"type":"subscribe","channel":"room:a"}"#);
    waiting.got();
    let mut peer = rooms(&mut server);
    publish(&mut server, &mut peer, 1);
    server.settle(&mut waiting);
    publish(&mut server, &mut peer, 1);
    server.settle(&mut waiting);
    let messages = waiting.got();
    assert_eq!(types(&messages), ["subscribed", "message", "message"]);
    let named = subscribed(&messages, "room:a");
    assert_eq!(
        (named.offset, named.recovered),
        (0, true),
        "the log got its name, nothing was missed"
    );
}

#[test]
fn rights_are_checked_and_the_connection_stays() {
    let mut server = Server::new();
    let mut peer = server.connect("u1");
    peer.got();
    for channel in ["room:a", "inbox:u2", "system:other"] {
        server.say(&mut peer, &format!(r#"{{"type":"subscribe","id":9,"channel":"{channel}"}}"#));
        let error = peer.error();
        assert_eq!((error.code.as_str(), error.id), ("forbidden", Some(9)), "{channel}");
    }
    assert_eq!(peer.closed, None);
    server.notify("u1");
    assert_eq!(peer.types(), ["notification"]);
}

#[test]
fn leaving_a_room_ends_its_messages_and_the_pair_can_not_be_left() {
    let mut server = Server::new();
    let mut peer = rooms(&mut server);
    server.say(&mut peer, r#"{"type":"subscribe","channel":"room:a"}"#);
    server.say(&mut peer, r#"{"type":"unsubscribe","id":3,"channel":"room:a"}"#);
    assert_eq!(peer.types(), ["subscribed", "unsubscribed"]);
    let mut other = rooms(&mut server);
    publish(&mut server, &mut other, 1);
    assert!(peer.got().is_empty());
    server.say(&mut peer, r#"{"type":"unsubscribe","channel":"inbox:u1"}"#);
    assert_eq!(peer.error().code, "bad_request");
}

#[test]
fn a_slow_connection_catches_up_from_the_log_with_bounded_memory() {
    let mut server = Server::with(Limits {
        mailbox_bytes: 4_000,
        catch_up_bytes: 500,
        catch_up_records: 3,
        ..Limits::default()
    });
    let mut peer = server.connect("u1");
    peer.got();
    peer.stuck = true;
    for _ in 0..100 {
        server.notify("u1");
        server.settle(&mut peer);
        assert!(peer.queued() <= 4_000 + 500, "{} bytes are queued", peer.queued());
    }
    peer.stuck = false;
    server.settle(&mut peer);
    assert_eq!(offsets(&peer.got(), "inbox:u1"), (1..=100).collect::<Vec<_>>());
    server.notify("u1");
    assert_eq!(offsets(&peer.got(), "inbox:u1"), [101], "and is live again");
}

#[test]
fn records_trimmed_while_a_connection_was_slow_are_told_as_a_gap() {
    let mut server = Server::with(Limits { mailbox_bytes: 2_000, ..Limits::default() });
    let mut peer = server.connect("u1");
    peer.got();
    peer.stuck = true;
    for _ in 0..50 {
        server.notify("u1");
    }
    retain(&server, 5);
    peer.stuck = false;
    server.settle(&mut peer);
    let messages = peer.got();
    let had = offsets(&messages, "inbox:u1").len() as u64;
    assert_eq!(gap(&messages), ("inbox:u1".into(), had + 1, 45, GapReason::Retention));
    assert!(
        types(&messages).ends_with(&["subscribed", "gap", "subscribed", "snapshot"]),
        "{:?}",
        types(&messages)
    );
    server.notify("u1");
    assert_eq!(offsets(&peer.got(), "inbox:u1"), [51]);
}

#[test]
fn another_epoch_reaches_connections_that_are_open() {
    let mut server = Server::new();
    filled(&mut server, 2, 0);
    let mut peer = server.connect("u1");
    peer.got();
    server.store.new_epochs();
    server.notify("u1");
    server.settle(&mut peer);
    let messages = peer.got();
    assert_eq!(types(&messages), ["subscribed", "gap", "subscribed", "snapshot"]);
    assert_eq!(gap(&messages), ("inbox:u1".into(), 1, 3, GapReason::Epoch));
    server.notify("u1");
    assert_eq!(offsets(&peer.got(), "inbox:u1"), [4]);
}

#[test]
fn a_record_committed_while_a_page_is_read_comes_once() {
    let mut server = Server::new();
    filled(&mut server, 1, 0);
    let at = cursors(&mut server, "u1", 0, 0);
    let mut peer = server.open();
    peer.slow_store = true;
    server.say(&mut peer, &format!(r#"{{"type":"connect","version":1,"token":"u1"{at}}}"#));
    server.notify("u1");
    server.answer_store(&mut peer);
    server.notify("u1");
    assert_eq!(offsets(&peer.got(), "inbox:u1"), [1, 2, 3]);
    assert_eq!(server.top("inbox:u1"), 3);
}

#[test]
fn channels_of_two_users_do_not_mix() {
    let mut server = Server::new();
    let mut one = server.connect("u1");
    let mut two = server.connect("u2");
    one.got();
    two.got();
    server.notify("u1");
    assert_eq!((one.types(), two.types()), (vec!["notification"], vec![]));
    assert_eq!(Channel::inbox("u1").unwrap().as_str(), "inbox:u1");
}

/// Removes a room's records and lets its time pass.
fn forget_rooms(server: &mut Server) {
    retain(server, 0);
    server.pass(1_000);
    let retention = Retention {
        records: 100,
        age_ms: 1 << 50,
        items: 1_000,
        keys_ms: 1 << 50,
        lanes_ms: 1 << 50,
        empty_lanes_ms: 1 << 50,
        channels_ms: 100,
    };
    server.store.trim(server.now.wall.into(), &retention).unwrap();
}

#[test]
fn one_who_comes_back_to_a_room_that_went_is_told_by_whatever_cursor() {
    let mut server = Server::new();
    let mut peer = rooms(&mut server);
    server.say(&mut peer, r#"{"type":"subscribe","channel":"room:a"}"#);
    let unborn = subscribed(&peer.got(), "room:a");
    for text in ["1", "2"] {
        server
            .say(&mut peer, &format!(r#"{{"type":"publish","channel":"room:a","data":"{text}"}}"#));
    }
    let old = subscribed(&peer.got(), "room:a");
    server.feed(&mut peer, Event::TransportClosed);
    forget_rooms(&mut server);
    let since = |epoch: &str, offset: u64| {
        format!(
            r#"{{"type":"subscribe","channel":"room:a","since":{{"epoch":"{epoch}","offset":{offset}}}}}"#
        )
    };
    // Before the next message, and after it.
    for written in [1, 2] {
        for (cursor, offset, why) in
            [(unborn.epoch, 0, GapReason::Retention), (old.epoch, 2, GapReason::Epoch)]
        {
            let mut peer = rooms(&mut server);
            server.say(&mut peer, &since(cursor.as_str(), offset));
            let messages = peer.got();
            let to = if why == GapReason::Epoch { written } else { 1 };
            assert_eq!(gap(&messages), ("room:a".to_owned(), 1, to, why), "{messages:?}");
            assert!(!subscribed(&messages, "room:a").recovered);
            let after = subscribed(&messages, "room:a");
            server.feed(&mut peer, Event::TransportClosed);
            // The gap is reported once; the client goes on from there.
            let mut peer = rooms(&mut server);
            server.say(&mut peer, &since(after.epoch.as_str(), 1));
            let messages = peer.got();
            assert!(subscribed(&messages, "room:a").recovered, "{messages:?}");
            server.feed(&mut peer, Event::TransportClosed);
        }
        let mut peer = rooms(&mut server);
        server.say(&mut peer, r#"{"type":"publish","channel":"room:a","data":"again"}"#);
        server.feed(&mut peer, Event::TransportClosed);
    }
}
