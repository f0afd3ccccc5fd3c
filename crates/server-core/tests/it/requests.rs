//! The requests of a client in an open session.

use tidings_protocol::{
    ServerMessage,
    server::{Ack, Posted},
};
use tidings_server_core::{
    session::{Command, Event},
    store::{NO_LOG, StoreError},
};

use crate::harness::{Peer, Server};

fn inside(server: &mut Server, user: &str) -> Peer {
    let mut peer = server.connect(user);
    peer.got();
    peer
}

fn ack(peer: &mut Peer) -> Ack {
    let acks: Vec<_> = peer
        .got()
        .into_iter()
        .filter_map(|message| match message {
            ServerMessage::Ack(ack) => Some(ack),
            ServerMessage::Error(error) => panic!("{error:?}"),
            _ => None,
        })
        .collect();
    assert_eq!(acks.len(), 1, "{acks:?}");
    acks[0].clone()
}

#[test]
fn a_mark_is_acknowledged_and_comes_as_a_record() {
    let mut server = Server::new();
    server.notify("u1");
    let mut peer = inside(&mut server, "u1");
    let mut other = inside(&mut server, "u1");
    let text = r#"{"type":"mark","client_id":"l","seq":1,"epochs":{},"offsets":{"inbox":[1]},"set":{"read":true}}"#;
    server.say(&mut peer, text);
    let mut kinds = peer.types();
    kinds.sort_unstable();
    assert_eq!(kinds, ["ack", "marked"]);
    assert_eq!(other.types(), ["marked"]);
    server.say(&mut peer, text);
    let again = ack(&mut peer);
    assert_eq!((again.offset, again.duplicate, again.seq), (2, Some(true), Some(1)));
}

#[test]
fn a_mark_that_changes_nothing_is_acknowledged_at_the_top() {
    let mut server = Server::new();
    server.notify("u1");
    let mut peer = inside(&mut server, "u1");
    server.say(
        &mut peer,
        r#"{"type":"mark","id":4,"epochs":{},"up_to":{"inbox":0},"set":{"read":true}}"#,
    );
    let ack = ack(&mut peer);
    assert_eq!((ack.id, ack.offset, ack.record_id), (Some(4), 1, None));
}

#[test]
fn a_hole_in_a_lane_is_told_with_what_is_expected() {
    let mut server = Server::new();
    let mut peer = inside(&mut server, "u1+rooms");
    let publish = |seq| {
        format!(r#"{{"type":"publish","channel":"room:a","client_id":"l","seq":{seq},"data":1}}"#)
    };
    server.say(&mut peer, &publish(1));
    ack(&mut peer);
    server.say(&mut peer, &publish(3));
    let error = peer.error();
    assert_eq!((error.code.as_str(), error.expected, error.seq), ("sequence", Some(2), Some(3)));
}

#[test]
fn a_final_refusal_consumes_its_place_in_the_lane() {
    let mut server = Server::new();
    let mut peer = inside(&mut server, "u1+rooms");
    let refused = [
        r#"{"type":"publish","channel":"system:all","client_id":"l","seq":1,"data":1}"#,
        r#"{"type":"set","channel":"room:a","client_id":"l","seq":2,"key":"k","data":1}"#,
        r#"{"type":"mark","client_id":"l","seq":3,"epochs":{},"set":{}}"#,
        r#"{"type":"publish","channel":"not a channel","client_id":"l","seq":4,"data":1}"#,
    ];
    for (text, code) in
        refused.into_iter().zip(["forbidden", "unknown_type", "bad_request", "bad_request"])
    {
        server.say(&mut peer, text);
        let error = peer.error();
        assert_eq!((error.code.as_str(), error.client_id.as_deref()), (code, Some("l")), "{text}");
    }
    server.say(
        &mut peer,
        r#"{"type":"publish","channel":"room:a","client_id":"l","seq":5,"data":1}"#,
    );
    assert_eq!(ack(&mut peer).seq, Some(5));
}

#[test]
fn a_payload_that_no_page_could_carry_is_refused() {
    let mut server = Server::new();
    let mut peer = inside(&mut server, "u1+rooms");
    let publish = |levels: usize, seq| {
        let data = ["[".repeat(levels), "]".repeat(levels)].concat();
        format!(
            r#"{{"type":"publish","channel":"room:a","client_id":"l","seq":{seq},"data":{data}}}"#
        )
    };
    server.say(&mut peer, &publish(28, 1));
    ack(&mut peer);
    server.say(&mut peer, &publish(29, 2));
    let error = peer.error();
    assert_eq!((error.code.as_str(), error.seq), ("bad_request", Some(2)));
}

/// Found by the simulation (seeds 1377 and 1711 of that time): the app was told that a message was
/// refused, but the room had it.
#[test]
fn a_repeat_is_answered_as_the_first_time_whatever_the_credential_grants_now() {
    let mut server = Server::new();
    let mut peer = inside(&mut server, "u1+rooms");
    let publish = |seq| {
        format!(r#"{{"type":"publish","channel":"room:a","client_id":"l","seq":{seq},"data":1}}"#)
    };
    server.say(&mut peer, &publish(1));
    let first = ack(&mut peer);
    server.say(&mut peer, r#"{"type":"refresh","ticket":"u1"}"#);
    peer.got();
    server.say(&mut peer, &publish(1));
    let again = ack(&mut peer);
    assert_eq!((again.record_id, again.duplicate), (first.record_id, Some(true)));
    // A `seq` behind a hole gets no final answer.
    server.say(&mut peer, &publish(3));
    let error = peer.error();
    assert_eq!((error.code.as_str(), error.expected), ("sequence", Some(2)));
    server.say(&mut peer, &publish(2));
    assert_eq!(peer.error().code, "forbidden");
    server.say(&mut peer, r#"{"type":"refresh","ticket":"u1+rooms"}"#);
    peer.got();
    server.say(&mut peer, &publish(3));
    assert_eq!(ack(&mut peer).offset, 2);
}

#[test]
fn a_void_is_acknowledged_and_what_it_consumed_can_not_be_sent_again() {
    let mut server = Server::new();
    let mut peer = inside(&mut server, "u1+rooms");
    server.say(&mut peer, r#"{"type":"void","client_id":"l","seq":1}"#);
    let done = ack(&mut peer);
    assert_eq!((done.channel.as_str(), done.offset, done.seq), ("inbox:u1", 0, Some(1)));
    assert_ne!(done.epoch, NO_LOG);
    server.say(
        &mut peer,
        r#"{"type":"publish","channel":"room:a","client_id":"l","seq":1,"data":1}"#,
    );
    assert_eq!(peer.error().code, "conflict");
}

#[test]
fn a_publish_carries_its_sender_and_is_echoed() {
    let mut server = Server::new();
    let mut peer = inside(&mut server, "u1+rooms");
    server.say(&mut peer, r#"{"type":"subscribe","channel":"room:a"}"#);
    server.say(&mut peer, r#"{"type":"publish","channel":"room:a","data":{"text":"hi"}}"#);
    server.settle(&mut peer);
    let message = peer.got().into_iter().find_map(|message| match message {
        ServerMessage::Message(message) => Some(message),
        _ => None,
    });
    let message = message.expect("the echo");
    assert_eq!(message.from.unwrap().user, "u1");
    assert_eq!(message.data.as_str(), r#"{"text":"hi"}"#);
}

#[test]
fn what_may_not_be_published_is_refused() {
    let mut server = Server::new();
    let mut peer = inside(&mut server, "u1+rooms");
    for channel in ["inbox:u1", "system:all", "chat:1"] {
        server.say(
            &mut peer,
            &format!(r#"{{"type":"publish","id":1,"channel":"{channel}","data":1}}"#),
        );
        assert_eq!(peer.error().code, "forbidden", "{channel}");
    }
    assert_eq!(server.top("chat:1"), 0);
}

#[test]
fn a_store_that_fails_a_publish_asks_for_another_try() {
    let mut server = Server::new();
    let mut peer = inside(&mut server, "u1+rooms");
    peer.slow_store = true;
    server.say(
        &mut peer,
        r#"{"type":"publish","channel":"room:a","client_id":"l","seq":1,"data":1}"#,
    );
    let Command::Commit { request, .. } = peer.kept_back() else { panic!("a commit") };
    server.feed(&mut peer, Event::StoreFailed { request, error: StoreError::Unknown("io".into()) });
    let error = peer.error();
    assert_eq!(
        (error.code.as_str(), error.retry_after_ms, error.seq),
        ("storage_unavailable", Some(1_000), Some(1))
    );
    assert_eq!(peer.closed, None);
}

#[test]
fn history_pages_items_with_states_and_rooms_with_messages() {
    let mut server = Server::new();
    for _ in 0..3 {
        server.pass(1);
        server.notify("u1");
    }
    server.broadcast();
    let mut peer = inside(&mut server, "u1+rooms");
    server.say(&mut peer, r#"{"type":"history","id":1,"channel":"inbox:u1","before":3,"limit":1}"#);
    match &peer.got()[..] {
        [ServerMessage::Page(page)] => {
            let items = page.items.as_ref().unwrap();
            assert_eq!((page.id, page.offset, page.more), (Some(1), 3, true));
            assert_eq!((items.len(), items[0].offset), (1, 2));
        }
        other => panic!("{other:?}"),
    }
    for data in 1..=3 {
        server.say(&mut peer, &format!(r#"{{"type":"publish","channel":"room:a","data":{data}}}"#));
    }
    peer.got();
    for (ask, expected) in
        [(r#""after":1"#, vec![2, 3]), (r#""before":3"#, vec![2, 1]), (r#""limit":2"#, vec![3, 2])]
    {
        server.say(&mut peer, &format!(r#"{{"type":"history","channel":"room:a",{ask}}}"#));
        match &peer.got()[..] {
            [ServerMessage::Page(page)] => {
                let listed = page.messages.clone().unwrap_or_default();
                let said = listed.into_iter().filter_map(Posted::into_message);
                let found: Vec<_> = said.map(|message| message.offset).collect();
                assert_eq!((found, page.offset), (expected, 3), "{ask}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn history_is_refused_where_it_makes_no_sense() {
    let mut server = Server::new();
    let mut peer = inside(&mut server, "u1");
    for (ask, code) in [
        (r#""channel":"inbox:u1","after":1"#, "bad_request"),
        (r#""channel":"inbox:u2""#, "forbidden"),
        (r#""channel":"room:a""#, "forbidden"),
    ] {
        server.say(&mut peer, &format!(r#"{{"type":"history","id":2,{ask}}}"#));
        let error = peer.error();
        assert_eq!((error.code.as_str(), error.id), (code, Some(2)), "{ask}");
    }
}

#[test]
fn what_comes_in_a_later_storey_is_said_to_be_unknown() {
    let mut server = Server::new();
    let mut peer = inside(&mut server, "u1+rooms");
    for text in [
        r#"{"type":"signal","id":1,"channel":"room:a","name":"typing"}"#,
        r#"{"type":"presence","id":1,"channel":"room:a"}"#,
        r#"{"type":"set","id":1,"channel":"room:a","key":"k","data":1}"#,
        r#"{"type":"from_the_future","id":1}"#,
    ] {
        server.say(&mut peer, text);
        let error = peer.error();
        assert_eq!((error.code.as_str(), error.id), ("unknown_type", Some(1)), "{text}");
    }
    assert_eq!(peer.closed, None);
}

#[test]
fn a_refresh_of_the_same_user_extends_and_of_another_ends() {
    let mut server = Server::new();
    let mut peer = inside(&mut server, "u1");
    server.pass(60_000);
    server.say(&mut peer, r#"{"type":"refresh","id":6,"ticket":"u1"}"#);
    match &peer.got()[..] {
        [ServerMessage::Refreshed(refreshed)] => {
            assert_eq!(
                (refreshed.id, refreshed.expires_at, refreshed.now),
                (Some(6), Some(server.now.wall + 3_600_000), Some(server.now.wall))
            );
        }
        other => panic!("{other:?}"),
    }
    let renewed = |command: &Command| {
        matches!(command, Command::Renew { session, issued_at }
        if session == "s1" && *issued_at == server.now.wall)
    };
    assert!(peer.seen.iter().any(renewed), "revocations hit the new session: {:?}", peer.seen);
    server.say(&mut peer, r#"{"type":"refresh","ticket":"wrong"}"#);
    assert_eq!((peer.error().code.as_str(), peer.closed), ("ticket_invalid", None));
    server.say(&mut peer, r#"{"type":"refresh","ticket":"u2"}"#);
    assert_eq!(peer.error().code, "user_mismatch");
    assert!(peer.closed.is_some());
}

#[test]
fn rights_that_a_refresh_no_longer_grants_end() {
    let mut server = Server::new();
    let mut peer = inside(&mut server, "u1+rooms");
    server.say(&mut peer, r#"{"type":"subscribe","channel":"room:a"}"#);
    peer.got();
    server.say(&mut peer, r#"{"type":"refresh","ticket":"u1"}"#);
    match &peer.got()[..] {
        [ServerMessage::Refreshed(_), ServerMessage::Unsubscribed(left)] => {
            assert_eq!(
                (left.channel.as_str(), left.code.as_deref()),
                ("room:a", Some("forbidden"))
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(server.hub.channels(), 2);
}
