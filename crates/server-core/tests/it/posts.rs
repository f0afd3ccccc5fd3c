//! Transports that can't carry every message: channels named in an address, and sessions for posts.

use tidings_protocol::{Channel, ServerMessage, client::Cursor};
use tidings_server_core::{
    Limits,
    session::{Event, Guard, Wanted},
};

use crate::harness::{Server, offsets};

fn room() -> Channel {
    Channel::parse("room:1").unwrap()
}

#[test]
fn an_address_says_where_to_go_on_before_the_user_is_known() {
    let mut server = Server::new();
    server.notify("u1");
    let mut first = server.connect("u1");
    let epochs: Vec<_> = first
        .got()
        .into_iter()
        .filter_map(|message| match message {
            ServerMessage::Subscribed(one) => Some(one.epoch),
            _ => None,
        })
        .collect();
    server.notify("u1");
    let mut peer = server.open();
    let at = |index: usize, offset| Some(Cursor::new(epochs[index], offset));
    peer.want(Wanted {
        pair: [at(0, 1), at(1, 0)],
        channels: vec![(room(), None)],
        ..Wanted::default()
    });
    server.say(&mut peer, r#"{"type":"connect","version":1,"token":"u1+rooms"}"#);
    let got = peer.got();
    assert_eq!(offsets(&got, "inbox:u1"), [2]);
    let begun: Vec<_> = got
        .iter()
        .filter_map(|message| match message {
            ServerMessage::Subscribed(one) => Some((one.channel.as_str(), one.recovered)),
            _ => None,
        })
        .collect();
    assert!(begun.contains(&("inbox:u1", true)) && begun.contains(&("room:1", false)), "{begun:?}");
    assert!(peer.is_settled());
}

#[test]
fn a_session_is_settled_once_nothing_is_under_way() {
    let mut server = Server::new();
    let mut peer = server.open();
    assert!(!peer.is_settled());
    peer.slow_store = true;
    server.say(&mut peer, r#"{"type":"connect","version":1,"token":"u1"}"#);
    assert!(!peer.is_settled());
    peer.slow_store = false;
    server.answer_store(&mut peer);
    server.settle(&mut peer);
    assert!(peer.is_settled());
}

#[test]
fn a_post_answers_messages_and_receives_nothing_else() {
    let mut server = Server::new();
    let mut post = server.post("u1+rooms", Guard::default());
    assert!(post.got().is_empty() && post.is_settled());
    server.say(&mut post, r#"{"type":"publish","id":1,"channel":"room:1","data":1}"#);
    server.say(&mut post, r#"{"type":"void","id":2,"client_id":"l","seq":1}"#);
    server.say(&mut post, r#"{"type":"ping","id":3}"#);
    server.notify("u1");
    assert_eq!(post.types(), ["ack", "ack", "pong"]);
    for channels in ["subscribe", "unsubscribe"] {
        server.say(&mut post, &format!(r#"{{"type":"{channels}","channel":"room:1"}}"#));
        assert_eq!(post.error().code, "bad_request");
    }
}

#[test]
fn rates_hold_over_the_posts_of_a_session() {
    let limits = Limits { message_burst: 2, message_interval_ms: 1_000, ..Limits::default() };
    let mut server = Server::with(limits);
    let mut guard = Guard::default();
    for kind in ["pong", "pong", "error"] {
        let mut post = server.post("u1", guard);
        server.say(&mut post, r#"{"type":"ping"}"#);
        assert_eq!(post.types(), [kind]);
        guard = post.guard();
    }
    assert!(!guard.is_even(server.now.mono));
    server.pass(2_000);
    assert!(guard.is_even(server.now.mono));
}

#[test]
fn a_ping_that_is_answered_at_once_does_not_put_the_next_one_off() {
    let limits = Limits { idle_ms: 2_000, timeout_ms: 10_000, ..Limits::default() };
    let mut server = Server::with(limits);
    let mut peer = server.connect("u1");
    let began = server.now.mono;
    for round in 1..=4 {
        let at = peer.deadline.unwrap();
        server.pass(at.saturating_sub(server.now.mono));
        server.feed(&mut peer, Event::DeadlinePassed);
        assert_eq!(server.now.mono, began + round * 2_000);
        server.feed(&mut peer, Event::ShowedLife);
    }
}
